"""Large JPEGs decoded smaller: as near to all their pixels as is said, and only where that is allowed."""

from __future__ import annotations

import functools
import struct
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from one_view import preprocess
from PIL import Image

from promptlet.backbones import load_backbone
from promptlet.data import FeatureCache, content_hash, open_image
from promptlet.data.images.opening import reduced_in_turn
from promptlet.data.images.pixels import ORIENTATION
from promptlet.decoding.pixels import View, decode
from promptlet.errors import ImageError
from promptlet.features import encode_images, feature_identity, reads_reduced
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import SAFETY, factor_of

LEVEL = ImageSpec("shortest", (64, 64), (64, 64), 3, (0.0,) * 3, (1.0,) * 3, scale=1.0)
"""Pixel values are levels, 0 to 255."""
CLIP_SIZE = replace(LEVEL, size=(224, 224), crop=(224, 224))
MEAN, MOST = 0.5, 10.0
"""Levels of 256: what is promised."""


@functools.cache
def drawn(width: int, height: int, seed: int = 0) -> Image.Image:
    """Detail at every scale, as in a photo, and a slope, so that a shift shows at every edge."""
    draw = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    cells, strength = 4, 60.0
    while cells < max(width, height):
        size = max(2, cells * width // 1000), max(2, cells * height // 1000)
        noise = Image.fromarray(draw.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
        pixels += (np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), np.float32) - 128) * (
            strength / 128
        )
        cells, strength = cells * 2, strength * 0.68
    pixels += np.linspace(0, 120, width)[None, :, None] + np.linspace(0, 100, height)[:, None, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, orientation: int = 1, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = BytesIO()
    image.save(file, "JPEG", quality=90, exif=exif.tobytes(), **options)
    return file.getvalue()


def both(data: bytes, spec: ImageSpec = LEVEL, view: int = 0) -> tuple[np.ndarray, np.ndarray]:
    wanted = View(data, "a photo", content_hash(data), view)
    return decode(wanted, spec, is_reduced=False), decode(wanted, spec, is_reduced=True)


def check_near(exact: np.ndarray, reduced: np.ndarray) -> None:
    assert exact.shape == reduced.shape and not np.array_equal(exact, reduced)
    difference = np.abs(exact - reduced)
    assert difference.mean() <= MEAN and difference.max() <= MOST


@pytest.mark.parametrize(
    ("size", "orientation"),
    [((1203, 901), turn) for turn in range(1, 9)] + [((1200, 900), 1), ((797, 1601), 6)],
)
def test_however_a_photo_lies_it_is_the_same_within_the_bound(
    size: tuple[int, int], orientation: int
) -> None:
    data = jpeg(drawn(*size), orientation)
    upright = open_image(data).size
    assert factor_of(*upright, LEVEL, "", 0) == 4
    exact, reduced = both(data)
    check_near(exact, reduced)
    edge = np.abs(exact - reduced)
    for side in (edge[:, :1], edge[:, -1:], edge[:, :, :1], edge[:, :, -1:]):
        assert side.mean() <= 2 * MEAN  # nothing is shifted


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_kind_of_jpeg_is_within_the_bound(mode: str, options: dict[str, Any]) -> None:
    check_near(*both(jpeg(drawn(1201, 903).convert(mode), **options)))


SHORT, TEXT = 3, 2
"""Types of an EXIF block's numbers."""
DAMAGED: dict[str, list[tuple[int, int, bytes]]] = {
    "a tag that is text": [(ORIENTATION, TEXT, b"6\0")],
    "beside what Pillow cannot write": [(ORIENTATION, SHORT, b"\6\0"), (0x011A, TEXT, b"72\0")],
}


@pytest.mark.parametrize("entries", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("size", [(1203, 901), (1200, 900)])
def test_a_photo_lies_as_it_was_turned_and_not_as_a_damaged_block_says(
    size: tuple[int, int], entries: list[tuple[int, int, bytes]]
) -> None:
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, kind, value in entries:
        block += struct.pack("<HHI4s", tag, kind, len(value) // (2 if kind == SHORT else 1), value)
    file = BytesIO()
    drawn(*size).save(file, "JPEG", quality=90, exif=block + bytes(4))
    data = file.getvalue()
    assert open_image(data).size == size
    with reduced_in_turn(data, lambda width, height: 4) as picture:
        assert (picture.width, picture.height, picture.factor) == (*size, 4)
    check_near(*both(data))


def test_photos_of_several_pictures_are_read_as_their_first(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    drawn(1200, 900).save(path, "MPO", save_all=True, append_images=[drawn(300, 200, 1)], quality=90)
    with Image.open(path) as image:
        assert image.format == "MPO"
    check_near(*both(path.read_bytes()))


@pytest.mark.slow
def test_views_are_the_same_cuts_and_small_cuts_keep_more_of_the_photo() -> None:
    data = jpeg(drawn(1601, 1203), 6)
    found = set()
    for view in range(1, 12):
        exact, reduced = both(data, view=view)
        factor = factor_of(1203, 1601, LEVEL, content_hash(data), view)
        found.add(factor)
        if factor > 1:
            check_near(exact, reduced)
        else:
            assert np.array_equal(exact, reduced)
    assert {2, 4} <= found


@pytest.mark.parametrize(
    ("width", "height", "spec", "factor"),
    [
        (4000, 3000, CLIP_SIZE, 4),
        (500, 375, CLIP_SIZE, 1),
        (224 * SAFETY * 2 - 1, 5000, CLIP_SIZE, 1),
        (224 * SAFETY * 2, 5000, CLIP_SIZE, 2),
        (12000, 8000, CLIP_SIZE, 8),
        (100_000, 1, CLIP_SIZE, 1),
        (4000, 3000, replace(CLIP_SIZE, resize="none"), 1),
        (4000, 3000, replace(CLIP_SIZE, resize="exact", crop=None), 4),
        (4000, 700, replace(CLIP_SIZE, resize="exact", crop=None), 1),
        (4000, 3000, replace(CLIP_SIZE, resize="patches", crop=None, patch_size=16, max_patches=256), 4),
    ],
)
def test_enough_pixels_are_left(width: int, height: int, spec: ImageSpec, factor: int) -> None:
    assert factor_of(width, height, spec, "", 0) == factor


@pytest.mark.parametrize("kind", ["small", "png", "bmp"])
def test_small_photos_and_other_formats_are_read_whole(kind: str) -> None:
    file = BytesIO()
    if kind == "small":
        data = jpeg(drawn(300, 300))
    else:
        drawn(800, 600).save(file, kind.upper())
        data = file.getvalue()
    exact, reduced = both(data)
    assert np.array_equal(exact, reduced)
    assert np.array_equal(exact, preprocess(open_image(data), LEVEL))


def test_pictures_and_arrays_are_read_whole() -> None:
    for source in (drawn(800, 600), np.asarray(drawn(800, 600))):
        with reduced_in_turn(source, lambda width, height: 8) as picture:
            assert (picture.factor, picture.image.size) == (1, (800, 600))


@pytest.mark.parametrize("is_reduced", [False, True])
def test_a_photo_that_is_cut_off_is_named(is_reduced: bool) -> None:
    data = jpeg(drawn(1200, 900))
    with pytest.raises(ImageError, match="the photo: cannot be decoded: damaged or cut off"):
        decode(View(data[: len(data) // 2], "the photo", "", 0), LEVEL, is_reduced)


@pytest.mark.parametrize(
    ("arithmetic", "expected"),
    [
        ("float32", False),
        ("mixed_text", False),
        ("mixed_images", True),
        ("mixed", True),
        ("bfloat16", True),
        ("float16", True),
    ],
)
def test_what_the_image_tower_computes_in_decides(arithmetic: str, expected: bool) -> None:
    backbone: Any = SimpleNamespace(
        arithmetic=arithmetic, image_fingerprint="0", device=torch.device("cpu"), dtype=torch.float32
    )
    assert reads_reduced(backbone) is expected
    assert feature_identity(backbone).endswith("-reduced") is expected


def test_float32_reads_every_pixel_and_the_cache_keeps_the_two_apart(
    clip_folder: Path, tmp_path: Path
) -> None:
    """The same photo and weights: in float32 it is read whole, in bfloat16 smaller; nothing is mixed."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(drawn(1200, 900)))
    whole, half = (load_backbone(clip_folder, device="cpu", dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert (reads_reduced(whole), reads_reduced(half)) == (False, True)
    assert feature_identity(half) not in (feature_identity(whole), f"{half.image_fingerprint}-bfloat16")
    cache = FeatureCache(tmp_path / "cache")
    for backbone, is_reduced in ((half, True), (whole, False)):
        pixels = decode(View(path, "", "", 0), backbone.images.spec, is_reduced)
        expected = backbone.images.encode(torch.from_numpy(pixels[None])).numpy()
        assert np.array_equal(encode_images(backbone, [path], cache=cache)[0], expected)
        assert np.array_equal(encode_images(backbone, [path], cache=cache)[0], expected)  # from the cache
    assert cache.stats().entries == 2
