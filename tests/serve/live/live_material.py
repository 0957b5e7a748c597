"""Prompts over `mini`, and images, sound and hostile, with the library's own answers to both."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from bank_prompts import drawn, fitted, learner_of, place
from PIL import Image, ImageOps

from promptlet import rng
from promptlet.errors import ImageError
from promptlet.promptfile import dumps

__all__ = ["drawn", "dumps", "fitted", "learner_of", "place"]


def picture(seed: int, width: int = 96, height: int = 72) -> Image.Image:
    """Colours that change slowly over it."""
    grid = rng.generator("test/live", seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@cache
def jpeg(seed: int, width: int = 96, height: int = 72) -> bytes:
    return saved(picture(seed, width, height), "JPEG", quality=88)


def unlike(data: bytes, number: int) -> bytes:
    """The same JPEG in a file of other bytes, so that nobody remembers it."""
    return data + number.to_bytes(8, "big")


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few kilobytes that announces ``side`` x ``side`` pixels, and holds a part of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(4_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def turned(seed: int, orientation: int = 6) -> tuple[bytes, bytes]:
    """A JPEG that says it lies on its side, and a PNG of the same pixels that stand upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(picture(seed), "JPEG", quality=90, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    return data, saved(upright, "PNG")


@cache
def hostile() -> dict[str, bytes]:
    """Files that have ended servers, by what they are."""
    frames = [picture(seed) for seed in range(20, 24)]
    grey16 = Image.fromarray(np.linspace(0, 65535, 64 * 48, dtype=np.uint16).reshape(48, 64))
    animated: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 40, "loop": 0}
    return {
        "bomb": bomb(),
        "1x1 png": saved(Image.new("RGB", (1, 1), (200, 30, 90)), "PNG"),
        "1x1 jpeg": saved(Image.new("RGB", (1, 1), (200, 30, 90)), "JPEG"),
        "1x1 grey": saved(Image.new("L", (1, 1), 7), "PNG"),
        "40000x2": saved(Image.new("RGB", (40_000, 2), (9, 99, 199)), "PNG"),
        "2x40000": saved(Image.new("RGB", (2, 40_000), (9, 99, 199)), "JPEG"),
        "animated gif": saved(frames[0], "GIF", **animated),
        "animated webp": saved(frames[0], "WEBP", **animated),
        "truncated jpeg": jpeg(30)[: len(jpeg(30)) // 2],
        "truncated png": saved(picture(31), "PNG")[:-400],
        "text": b"this is no image, whatever it is called\n" * 20,
        "html": b"<!doctype html><title>404</title><p>Not found",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"/></svg>',
        "empty": b"",
        "one byte": b"\xff",
        "zeros": bytes(5000),
        "16-bit png": saved(grey16, "PNG"),
        "cmyk jpeg": saved(picture(32).convert("CMYK"), "JPEG"),
        "palette png": saved(picture(33).quantize(16), "PNG"),
        "transparent png": saved(Image.new("RGBA", (40, 30), (255, 0, 0, 0)), "PNG"),
        "one bit": saved(picture(34).convert("1"), "PNG"),
        "turned": turned(35)[0],
        "black": saved(Image.new("RGB", (64, 64)), "PNG"),
    }


def answers(learner: Any, image: bytes) -> dict[str, float] | None:
    """The library's probability of each class for one image; None where it says that it is none."""
    try:
        found = learner.predict_proba([image])[0]
    except ImageError:
        return None
    return dict(zip(learner.classes_.tolist(), found.tolist(), strict=True))


def is_alike(told: Any, expected: dict[str, float]) -> bool:
    """Whether a prediction of the server, with all classes, has these probabilities."""
    found = {one["class_name"]: one["probability"] for one in told["top"]}
    if set(found) != set(expected) or told["class_name"] != told["top"][0]["class_name"]:
        return False
    return all(abs(found[name] - p) <= 2e-6 + 1e-4 * p for name, p in expected.items())


def write(folder: Path, **prompts: Any) -> dict[str, bytes]:
    """Put prompt files there; their bytes by name."""
    folder.mkdir(exist_ok=True)
    found = {name: one if isinstance(one, bytes) else dumps(one) for name, one in prompts.items()}
    for name, data in found.items():
        place(folder, name, data)
    return found
