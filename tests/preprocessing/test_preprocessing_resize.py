"""Thin pictures in bounded memory: the same picture to rounding, and ordinary ones to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from one_view import augmented_view, preprocess
from PIL import Image, ImageFilter

from promptlet.data.images import pixels
from promptlet.data.images.opening import image_in_turn
from promptlet.preprocessing import resize
from promptlet.preprocessing.spec import ImageSpec

SIZES = [(3, 2000), (2000, 3), (100, 3000), (640, 427), (31, 97), (1, 999), (999, 1), (7, 5), (64, 64)]
THIN = [(1, 100_000), (100_000, 1), (3, 300_000), (300_000, 2)]


def smooth(width: int, height: int) -> Image.Image:
    """A picture without sharp edges, whose resizing no rounding in between can change by much."""
    draw = np.random.default_rng(width * 7919 + height)
    noise = Image.fromarray(draw.integers(0, 256, (height, width, 3)).astype(np.uint8))
    return noise.filter(ImageFilter.GaussianBlur(3))


def spec(kind: str, side: int, crop: int | None, resample: int, rounding: str = "down") -> ImageSpec:
    patches = {"patch_size": 16, "max_patches": 36} if kind == "patches" else {}
    box = None if crop is None else (crop, crop)
    return ImageSpec(kind, (side, side), box, resample, (0.0,) * 3, (1.0,) * 3, 1.0, rounding, **patches)


@pytest.mark.parametrize("resample", [2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_a_part_alone_is_the_part_of_the_whole(
    size: tuple[int, int], resample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = smooth(*size)
    for crop, rounding in ((64, "down"), (50, "nearest"), (90, "nearest")):
        wanted = spec("shortest", 64, crop, resample, rounding)
        whole = preprocess(picture, wanted)
        monkeypatch.setattr(resize, "MOST_PIXELS", 0)
        part = preprocess(picture, wanted)
        monkeypatch.undo()
        assert part.shape == whole.shape == (3, crop, crop)
        assert np.abs(part - whole).max() <= 2  # of 255
        assert np.abs(part - whole).mean() < 0.3


@pytest.mark.parametrize("size", SIZES)
def test_down_before_across_is_the_same_picture(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = smooth(*size)
    for wanted in (spec("exact", 48, None, 3), spec("patches", 96, None, 2)):
        plain = preprocess(picture, wanted)
        monkeypatch.setattr(resize, "MOST_PIXELS", 0)
        other = preprocess(picture, wanted)
        monkeypatch.undo()
        assert np.abs(other - plain).max() <= 2


@pytest.mark.slow
def test_ordinary_pictures_go_pillows_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resized whole, then cropped, to the bit, up to an aspect of 300 for models of 224 pixels."""
    monkeypatch.setattr(resize, "_part_alone", None)
    for width, height in ((640, 427), (300, 300), (1, 300), (40, 12_000)):
        picture = smooth(width, height)
        side = int(224 * height / width), int(224 * width / height)
        full = picture.resize((224, side[0]) if width <= height else (side[1], 224), Image.Resampling.BICUBIC)
        left, top = (full.width - 224) // 2, (full.height - 224) // 2
        expected = np.asarray(full.crop((left, top, left + 224, top + 224)), np.float32).transpose(2, 0, 1)
        assert np.array_equal(preprocess(picture, spec("shortest", 224, 224, 3)), expected)


def test_a_thin_picture_is_its_middle() -> None:
    """1 x 100,000 pixels, of which the crop shows one: the one in the middle, of its own colour."""
    pixels = np.zeros((100_000, 1, 3), np.uint8)
    pixels[49_990:50_010] = (10, 200, 30)
    seen = preprocess(Image.fromarray(pixels), spec("shortest", 224, 224, 3))
    assert (seen == np.array([10, 200, 30], np.float32)[:, None, None]).all()
    seen = preprocess(Image.fromarray(pixels.transpose(1, 0, 2)), spec("shortest", 224, 224, 3))
    assert (seen == np.array([10, 200, 30], np.float32)[:, None, None]).all()


MEASURE = """
import json, resource, sys, time
from PIL import Image
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import pixels_of
from promptlet.data.images.opening import image_in_turn
from promptlet.data.images.reduced import whole
rest = ((0.5,) * 3, (0.5,) * 3)
specs = [ImageSpec("shortest", (224, 224), (224, 224), 3, *rest),
         ImageSpec("exact", (224, 224), None, 3, *rest),
         ImageSpec("shortest", (384, 384), (384, 384), 1, *rest),
         ImageSpec("patches", (256, 256), None, 2, *rest, patch_size=16, max_patches=256)]
pixels_of(whole(Image.new("RGB", (300, 300))), specs[0], "", 0)
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
shapes = []
for path in sys.argv[1:]:
    with image_in_turn(path) as image:
        for spec in specs:
            shapes += [pixels_of(whole(image), spec, "content", view).shape for view in (0, 1)]
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([(after - before) / 1024, time.perf_counter() - start, shapes]))
"""


def measured(*paths: Path) -> tuple[float, float, list[list[int]]]:
    done = subprocess.run([sys.executable, "-c", MEASURE, *map(str, paths)], capture_output=True, check=True)
    megabytes, seconds, shapes = json.loads(done.stdout)
    return megabytes, seconds, shapes


@pytest.mark.slow
def test_thin_files_take_little_memory(tmp_path: Path) -> None:
    paths = []
    for width, height in THIN:
        paths.append(tmp_path / f"{width}x{height}.png")
        Image.new("RGB", (width, height), (9, 8, 7)).save(paths[-1])
    megabytes, seconds, shapes = measured(*paths)
    assert len(shapes) == 8 * len(paths)
    assert max(max(shape) for shape in shapes) <= 4096
    assert megabytes < 150 and seconds < 10


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "I;16", "1"])
def test_the_largest_files_take_no_more_than_their_pixels(mode: str, tmp_path: Path) -> None:
    """A few hundred KB that are 100 million pixels: 400 MB as Pillow keeps them, and no second copy."""
    sizes = {"square": (10_000, 10_000), **({"tall": (100, 1_000_000)} if mode == "RGB" else {})}
    for name, size in sizes.items():
        path = tmp_path / f"{name}.png"
        Image.new(mode, size, 1).save(path)
        megabytes, _, _ = measured(path)
        assert megabytes < (500 if name == "square" else 900), name


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "I;16"])
@pytest.mark.parametrize("size", [(700, 600), (600, 700), (640, 480)])
def test_in_strips_a_picture_is_what_it_is_whole(
    mode: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the bounds a thousandth of what they are, against Pillow's own way at the real bounds."""
    draw = np.random.default_rng(5)
    picture = Image.fromarray(draw.integers(0, 256, (*size[::-1], 4), dtype=np.uint8), "RGBA")
    if mode == "I;16":
        picture = Image.fromarray(draw.integers(0, 65536, size[::-1]).astype(np.uint16))
    elif mode == "P":
        picture = picture.convert("RGB").quantize(200)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "a.png")
    rest = ((0.5,) * 3, (0.5,) * 3)
    spec = ImageSpec("shortest", (22, 22), (22, 22), 3, *rest)

    def both() -> list[np.ndarray]:
        with image_in_turn(tmp_path / "a.png") as image:
            views = (augmented_view(image, spec, "a", view) for view in range(1, 6))
            return [preprocess(image, spec), *views]

    whole = both()
    monkeypatch.setattr(resize, "MOST_PIXELS", 1 << 14)
    monkeypatch.setattr(pixels, "STRIP_PIXELS", 1 << 10)
    for found, expected in zip(both(), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_views_of_thin_pictures() -> None:
    """Ten draws do not fit, so that a view is the square in the middle, one pixel here."""
    pixels = np.full((1, 5000, 3), 70, np.uint8)
    view = augmented_view(Image.fromarray(pixels), spec("shortest", 32, 32, 3), "content", 1)
    assert view.shape == (3, 32, 32)
    assert (view == 70).all()
