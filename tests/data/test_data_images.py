from __future__ import annotations

import struct
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlet.data import content_hash, list_images, open_image
from promptlet.data.images import opening
from promptlet.data.images.opening import image_in_turn
from promptlet.data.images.room import Room
from promptlet.errors import DataError, ImageError


def pixel(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    assert image.mode == "RGB"
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def png(width: int, height: int, depth: int, colour: int, raw: bytes) -> bytes:
    """A PNG from its raw scan lines."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp", "tif", "ppm"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.new("RGB", (5, 4), (255, 255, 255)).save(path)
    for source in (path, str(path)):
        image = open_image(source)
        assert image.size == (5, 4)
        assert pixel(image) == (255, 255, 255)


@pytest.mark.parametrize("as_path", [True, False])
def test_exif_rotation_is_applied(tmp_path: Path, as_path: bool) -> None:
    image = Image.new("RGB", (6, 2), (0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a turn of 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    if as_path:
        upright = open_image(tmp_path / "a.png")
    else:
        with Image.open(tmp_path / "a.png") as opened:
            upright = open_image(opened)
    assert upright.size == (2, 6)
    assert pixel(upright, 1, 0) == (255, 0, 0)


def test_16_bit_grey_png_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = [0, 128, 257 * 100, 65535]
    (tmp_path / "a.png").write_bytes(png(4, 1, 16, 0, b"\0" + struct.pack(">4H", *values)))
    image = open_image(tmp_path / "a.png")
    assert [pixel(image, x)[0] for x in range(4)] == [0, 0, 100, 255]


def test_16_bit_grey_tiff_and_modes(tmp_path: Path) -> None:
    deep = Image.fromarray(np.array([[0, 257, 65535]], dtype=np.uint16))
    deep.save(tmp_path / "a.tif")
    for source in (tmp_path / "a.tif", deep):
        assert [pixel(open_image(source), x)[0] for x in range(3)] == [0, 1, 255]
    eight = Image.fromarray(np.array([[0, 100, 255]], dtype=np.int32))
    assert eight.mode == "I"
    assert pixel(open_image(eight), 1) == (100, 100, 100)
    with pytest.raises(ImageError, match=r"grey values run from -5 to 9; 8 bits \(0 to 255\) or 16 bits"):
        open_image(Image.fromarray(np.array([[-5, 9]], dtype=np.int32)))
    with pytest.raises(ImageError, match="32-bit floats, whose range is not agreed"):
        open_image(Image.fromarray(np.zeros((2, 2), dtype=np.float32)))


def test_other_modes_are_converted_as_clip_does(tmp_path: Path) -> None:
    assert pixel(open_image(Image.new("CMYK", (2, 2), (0, 255, 255, 0)))) == (255, 0, 0)
    assert pixel(open_image(Image.new("LA", (2, 2), (7, 0)))) == (7, 7, 7)
    transparent = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    assert pixel(open_image(transparent)) == (10, 20, 30) == pixel(transparent.convert("RGB"))
    assert pixel(open_image(Image.new("1", (2, 2), 1))) == (255, 255, 255)
    palette = Image.new("RGB", (2, 2), (250, 5, 5)).quantize(4)
    palette.info["transparency"] = bytes([0, 1, 2])  # makes Pillow warn when converted directly
    assert pixel(open_image(palette)) == (250, 5, 5)


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("#ff0000", "#00ff00")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixel(open_image(tmp_path / "a.gif")) == (255, 0, 0)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3)])
def test_arrays(shape: tuple[int, ...]) -> None:
    assert pixel(open_image(np.full(shape, 51, dtype=np.uint8))) == (51, 51, 51)
    for dtype in (np.float16, np.float32, np.float64):
        image = open_image(np.full(shape, 0.2, dtype=dtype))
        assert image.size == (3, 2)
        assert pixel(image) == (51, 51, 51)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8, 9), np.uint8), "its channels come first: use array.transpose(1, 2, 0)"),
        (np.zeros((8, 9, 4), np.uint8), "drop the alpha channel"),
        (np.zeros((2, 8, 9, 3), np.uint8), "looks like a batch"),
        (np.zeros((0, 9, 3), np.uint8), "allowed: (H, W), (H, W, 1), (H, W, 3)"),
        (np.zeros((8, 9), np.int64), "an array of int64 is no image; allowed: uint8 (0 to 255), or floats"),
        (np.full((8, 9), 255.0), "this one from 255 to 255; divide 0-to-255 values by 255"),
        (np.full((8, 9), np.nan), "a float image has values from 0 to 1"),
    ],
)
def test_other_arrays_are_refused(array: Any, message: str) -> None:
    with pytest.raises(ImageError) as caught:
        open_image(array)
    assert message in str(caught.value)


def test_other_things_are_refused() -> None:
    with pytest.raises(
        ImageError, match="object is no image; allowed: a path, a Pillow image, a NumPy array"
    ):
        open_image(object())  # type: ignore[arg-type]


def test_bytes_are_opened_as_their_file(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(path)
    assert np.array_equal(np.asarray(open_image(path.read_bytes())), np.asarray(open_image(path)))
    assert content_hash(path.read_bytes()) == content_hash(path)
    with pytest.raises(ImageError, match="an image of 40 bytes: cannot be decoded"):
        open_image(path.read_bytes()[:40])


@pytest.mark.parametrize("function", [open_image, content_hash])
def test_files_that_cannot_be_read(tmp_path: Path, function: Callable[[Path], object]) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    for name, message in {
        "empty.jpg": "the file is empty (0 bytes); download or copy it again",
        "gone.jpg": "there is no such file; check the path",
        "link.jpg": "this link points to nothing",
        ".": "this is a folder, not an image file",
    }.items():
        with pytest.raises(ImageError) as caught:
            function(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert message in str(caught.value)


def test_not_an_image(tmp_path: Path) -> None:
    for content in (b"<html>not found</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"x"):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(
            ImageError, match=r"a\.jpg: this is not an image that is read .* allowed: JPEG, PNG"
        ):
            open_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif"])
def test_a_file_cut_off_anywhere_gives_an_image_error(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for length in range(4, len(data) // 2, max(1, len(data) // 25)):
        cut.write_bytes(data[:length])
        with pytest.raises(ImageError, match=rf"cut\.{suffix}: "):
            open_image(cut)


def test_flipped_bytes_give_an_image_or_an_image_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for suffix in ("jpg", "png", "gif", "webp", "tif", "bmp"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(noise).save(path)
        data = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            damaged[rng.integers(0, min(len(data), 200))] ^= int(rng.integers(1, 256))
            path.write_bytes(damaged)
            try:
                assert open_image(path).mode == "RGB"
            except ImageError as error:
                assert str(path) in str(error)


def test_a_decompression_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000, 8, 2, b""))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match=r"60000 x 60000 is 3,600,000,000 pixels, more than the 100,000,000"):
        open_image(tmp_path / "bomb.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_pillows_own_lower_limit_neither_warns_nor_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)  # warnings are errors in these tests
    assert open_image(tmp_path / "a.png").size == (20, 20)
    monkeypatch.setattr("promptlet.data.images.opening.MAX_PIXELS", 399)
    with pytest.raises(ImageError, match="is 400 pixels, more than the 399"):
        open_image(Image.new("RGB", (20, 20)))


def test_threads_open_images_at_once(tmp_path: Path) -> None:
    for i in range(8):
        Image.new("RGB", (30, 30), (i, i, i)).save(tmp_path / f"{i}.png")
    seen: dict[int, tuple[int, ...]] = {}

    def work(i: int) -> None:
        for _ in range(20):
            seen[i] = pixel(open_image(tmp_path / f"{i}.png"))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {i: (i, i, i) for i in range(8)}


class Waiting(BytesIO):
    """A file whose every read lets other threads come between."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.001)
        return super().read(size)


def test_threads_open_one_image_that_is_not_decoded_yet(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    for suffix in ("jpg", "png"):
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
        data = (tmp_path / f"a.{suffix}").read_bytes()
        expected = content_hash(open_image(data))
        lazy = Image.open(Waiting(data))
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(content_hash, [lazy] * 8)) == {expected}


def test_the_hash_of_a_file_is_of_its_bytes(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.png").read_bytes())
    first = content_hash(tmp_path / "a.png")
    assert first == content_hash(str(tmp_path / "b.jpg"))
    assert len(first) == 32
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.png").read_bytes() + b"\0")
    assert first != content_hash(tmp_path / "b.jpg")


def test_the_hash_of_pixels_tells_shapes_and_palettes_apart() -> None:
    array = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert content_hash(array) == content_hash(Image.fromarray(array))
    assert content_hash(array) != content_hash(array.reshape(3, 2, 3))
    red, blue = (Image.new("RGB", (2, 2), colour).quantize(4) for colour in ("#ff0000", "#0000ff"))
    assert red.tobytes() == blue.tobytes()
    assert content_hash(red) != content_hash(blue)


def test_list_images(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", ".hidden.png", "notes.txt", "c.jpeg"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.JPG", "c.jpeg"]
    with pytest.raises(DataError, match="gone: cannot be listed"):
        list_images(tmp_path / "gone")


def test_threads_hold_no_more_bytes_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        opening, "_ROOM", Room(most=3100)
    )  # 2 x 19 x 19 x 4 and 19 x 19 x 4 + 20 x 20 x 4 fit
    for name, side in (("small", 19), ("large", 20)):
        Image.new("RGB", (side, side)).save(tmp_path / f"{name}.png")
    together = threading.Barrier(2)

    def hold(name: str) -> bool:
        """Whether another was held meanwhile."""
        with image_in_turn(tmp_path / f"{name}.png") as image:
            assert image.width in (19, 20)
            try:
                together.wait(0.3)
            except threading.BrokenBarrierError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        for names, expected in (
            (("small", "small"), True),
            (("small", "large"), True),
            (("large", "large"), False),
        ):
            together.reset()
            assert list(pool.map(hold, names)) == [expected] * 2
    open_image(tmp_path / "large.png")
    open_image(tmp_path / "large.png")  # it waits for nobody who has what he wanted


def test_a_large_file_that_is_damaged_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_ROOM", Room(most=10))
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(path)
    sound = path.read_bytes()
    path.write_bytes(sound[:60])
    with pytest.raises(ImageError), image_in_turn(path):
        pass
    path.write_bytes(sound)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(open_image, path).result(timeout=10).size == (40, 40)
