"""PNGs with more text, or a larger profile, than Pillow takes: the pixels are sound, and are read."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from promptlet.data import open_image
from promptlet.errors import ImageError

MEGABYTE = 1 << 20
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(picture: Image.Image, *chunks: bytes, last: bool = False) -> bytes:
    """The picture as PNG, with these chunks in front of the pixels or behind them."""
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    content = stored.getvalue()
    at = content.index(b"IEND" if last else b"IDAT") - 4
    return content[:at] + b"".join(chunks) + content[at:]


def long(size: int) -> bytes:
    return zlib.compress(bytes(size))


LONG = {
    "compressed text": [chunk(b"zTXt", b"note\0\0" + long(2 * MEGABYTE))],
    "international text": [chunk(b"iTXt", b"note\0\1\0\0\0" + long(2 * MEGABYTE))],
    "profile": [chunk(b"iCCP", b"sRGB\0\0" + long(2 * MEGABYTE))],
    "many texts": [chunk(b"zTXt", b"note%d\0\0" % i + long(MEGABYTE - 1)) for i in range(70)],
    "plain text": [b""],  # made where it is used: 65 MB
    "text of another method": [chunk(b"zTXt", b"note\0\7" + long(10))],
    "profile of another method": [chunk(b"iCCP", b"sRGB\0\7" + long(10))],
    "text with a wrong checksum": [chunk(b"tEXt", b"note\0text")[:-4] + b"\0\0\0\0"],
}


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8))


PLACES = [
    pytest.param(kind, last, marks=[pytest.mark.slow] if kind == "plain text" else [])
    for kind in LONG
    for last in (False, True)
    if not (last and "profile" in kind)
]


@pytest.mark.parametrize(("kind", "last"), PLACES)
def test_the_pixels_are_read(kind: str, last: bool, picture: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    chunks = LONG[kind] if kind != "plain text" else [chunk(b"tEXt", b"note\0" + b"x" * (65 * MEGABYTE))]
    path.write_bytes(with_chunks(picture, *chunks, last=last))
    if not (last and "checksum" in kind):  # which Pillow does not look at behind the pixels
        with pytest.raises((ValueError, SyntaxError, OSError)), Image.open(path) as refused:
            refused.load()  # as Pillow does by itself
    assert np.array_equal(np.asarray(open_image(path)), np.asarray(picture))


def test_pillows_limits_stay_as_they_are(picture: Image.Image, tmp_path: Path) -> None:
    limits = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    (tmp_path / "a.png").write_bytes(with_chunks(picture, *LONG["profile"]))
    threads = [threading.Thread(target=open_image, args=(tmp_path / "a.png",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limits == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)


def test_how_the_picture_is_turned_is_kept(picture: Image.Image, tmp_path: Path) -> None:
    turned = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode())
    for name, chunks in (("plain", [turned]), ("long", [turned, *LONG["profile"], *LONG["compressed text"]])):
        (tmp_path / f"{name}.png").write_bytes(with_chunks(picture, *chunks))
    plain, found = (np.asarray(open_image(tmp_path / f"{name}.png")) for name in ("plain", "long"))
    assert plain.shape == (30, 20, 3)
    assert np.array_equal(found, plain)


def test_damaged_pixels_stay_damaged(picture: Image.Image, tmp_path: Path) -> None:
    content = with_chunks(picture, *LONG["profile"])
    for damaged in (content[: content.index(b"IDAT") + 30], content.replace(b"IDAT", b"IDAX")):
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(ImageError, match=r"a\.png: cannot be decoded: damaged or cut off"):
            open_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "tif"])
def test_what_follows_the_picture_does_not_matter(suffix: str, picture: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    picture.save(path)
    sound = np.asarray(open_image(path))
    with path.open("ab") as file:
        file.write(b"garbage" * 1000)
    assert np.array_equal(np.asarray(open_image(path)), sound)


def test_large_profiles_of_other_formats(picture: Image.Image, tmp_path: Path) -> None:
    for suffix in ("jpg", "webp", "tif"):
        picture.save(tmp_path / f"a.{suffix}", icc_profile=bytes(3 * MEGABYTE))
        picture.save(tmp_path / f"b.{suffix}")
        found, plain = (np.asarray(open_image(tmp_path / f"{name}.{suffix}")) for name in "ab")
        assert np.array_equal(found, plain)
