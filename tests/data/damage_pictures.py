"""Damaged pictures, and folders that hold what no folder of images should: the same in every run."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
from damage import Draw, damaged
from PIL import Image

FORMATS = ("png", "jpg", "gif", "bmp", "webp", "tif", "ppm", "avif", "jp2")
MODES = ("RGB", "L", "P", "RGBA", "1", "CMYK", "I;16")


def trees(draw: Draw, folder: Path) -> Iterator[Path]:
    """Folders of images, with names and things that folders of images do not have."""
    names = [*("cat", "dog", "train", "test", os.fsdecode(b"\xff\xfe"), "a\nb", "\x1b[31m"), ".hidden"]
    names += ["__MACOSX", "x.jpg", "cat_"]
    for number in count():
        root = folder / f"tree{number}"
        root.mkdir()
        for name in ("cat", "dog") if draw.random() < 0.8 else ():
            (root / name).mkdir()
            Image.new("RGB", (9, 7), "red").save(root / name / "0.png")
        for _ in range(int(draw.integers(1, 6))):
            most = int(draw.choice([2, len(names)]))
            place = root.joinpath(*(names[int(i)] for i in draw.integers(0, most, draw.integers(1, 4))))
            with suppress(OSError):  # it is there already, as something else
                place.mkdir(parents=True, exist_ok=True)
                _put(draw, place)
        yield root


def _put(draw: Draw, place: Path) -> None:
    names = ("1.png", os.fsdecode(b"\xfe.jpg"), "2.JPG", "a b.png", "n\n.png")
    target = place / names[int(draw.integers(0, len(names)))]
    match draw.integers(0, 8):
        case 0:
            os.mkfifo(target)
        case 1:
            target.symlink_to("/dev/zero")
        case 2:
            target.symlink_to(target)
        case 3:
            target.mkdir()
        case 4:
            (place / "loop").symlink_to("..")
        case 5:
            target.touch()
        case _:
            Image.new("RGB", (9, 7), "red").save(target, "PNG")


def pictures(draw: Draw, folder: Path) -> Iterator[Path]:
    plain = Image.fromarray(draw.integers(0, 256, (40, 30, 3)).astype(np.uint8))
    sides = (0, 1, 2, 99_999, 1_000_000, 2**31 - 1, 10_000, 65_535)
    while True:
        suffix, mode = str(draw.choice(FORMATS)), str(draw.choice(MODES))
        stored = io.BytesIO()
        try:
            plain.convert(mode if mode != "I;16" else "L").convert(mode).save(stored, _format(suffix))
        except (OSError, ValueError, KeyError):  # no such pictures in this format
            continue
        content = stored.getvalue()
        if draw.random() < 0.2:
            size = [sides[int(i)] for i in draw.integers(0, len(sides), 2)]
            content = _png(draw, *size)
            suffix = "png"
        elif draw.random() < 0.9:
            head = int(draw.integers(0, 200))  # headers are the more dangerous part
            content = (
                damaged(draw, content[:head]) + content[head:]
                if draw.random() < 0.6
                else damaged(draw, content)
            )
        path = folder / f"p.{suffix}"
        path.write_bytes(content)
        yield path


def _format(suffix: str) -> str:
    return {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix.upper())


def _png(draw: Draw, width: int, height: int) -> bytes:
    """A PNG that claims a size, with sound checksums, and texts or a profile of any length."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    depth, colour = [(1, 0), (8, 0), (8, 2), (16, 0), (8, 3), (8, 6), (16, 6), (3, 9)][
        int(draw.integers(0, 8))
    ]
    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(draw.integers(0, 2))))
    ]
    long = zlib.compress(b"x" * int(draw.choice([10, 1 << 21, 1 << 24])))
    parts += [
        [b"", chunk(b"zTXt", b"k\0\0" + long), chunk(b"iCCP", b"k\0\0" + long), chunk(b"PLTE", bytes(9))][
            int(draw.integers(0, 4))
        ]
    ]
    raw = bytes(min(width * height, int(draw.choice([0, 10, 1 << 20]))))
    parts += [chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
