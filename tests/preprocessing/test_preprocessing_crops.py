"""Random crops against torchvision's `RandomResizedCrop`: its formula by hand, and its own draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from promptlet import rng
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import cut_of
from promptlet.views import numbers_of

SPEC = ImageSpec("exact", (32, 32), None, 3, (0.0,) * 3, (1.0,) * 3)
SIZES = [(640, 427), (427, 640), (300, 300), (900, 200), (1000, 9), (9, 1000), (1, 1), (3, 4)]
CROPS = {"crops": 0.08, "large-crops": 0.5}


def by_formula(width: int, height: int, least: float, draw: np.random.Generator) -> tuple[int, ...]:
    """Left, top, width, height, as torchvision's code has them, with its fallback."""
    for _ in range(10):
        area = width * height * draw.uniform(least, 1.0)
        ratio = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(draw.integers(0, width - w + 1)), int(draw.integers(0, height - h + 1)), w, h
    if width / height < 3 / 4:
        w, h = width, round(width / (3 / 4))
    elif width / height > 4 / 3:
        w, h = round(height * (4 / 3)), height
    else:
        w, h = width, height
    return (width - w) // 2, (height - h) // 2, w, h


@pytest.mark.parametrize("kind", CROPS)
@pytest.mark.parametrize("size", SIZES)
def test_every_crop_is_the_formulas(size: tuple[int, int], kind: str) -> None:
    for number in numbers_of(f"{kind}:40"):
        cut = cut_of(*size, SPEC, "abc", number)
        draw = rng.generator("view/abc", number)
        left, top, w, h = by_formula(*size, CROPS[kind], draw)
        assert cut.box == (left, top, left + w, top + h)
        assert cut.is_mirrored == (draw.random() < 0.5)
        assert (cut.size, cut.crop) == ((32, 32), None)


@pytest.mark.parametrize("kind", CROPS)
@pytest.mark.parametrize("size", [(640, 427), (900, 200), (1000, 9), (9, 1000)])
def test_crops_are_spread_as_torchvisions(size: tuple[int, int], kind: str) -> None:
    """Shares of the area, aspects and places: their distributions are less than 0.06 apart, of 2,000 each."""
    transforms = pytest.importorskip("torchvision.transforms")
    width, height = size
    picture = torch.zeros(3, height, width)
    theirs = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(2000):
            top, left, h, w = transforms.RandomResizedCrop.get_params(
                picture, [CROPS[kind], 1.0], [3 / 4, 4 / 3]
            )
            theirs.append((left, top, left + w, top + h))
    ours = [cut_of(width, height, SPEC, "abc", number).box for number in numbers_of(f"{kind}:2000")]
    for a, b in zip(measured(np.array(ours)), measured(np.array(theirs)), strict=True):
        both = np.sort(np.concatenate([a, b]))
        shares = [np.searchsorted(np.sort(one), both, "right") / len(one) for one in (a, b)]
        assert np.abs(shares[0] - shares[1]).max() < 0.06


def measured(boxes: np.ndarray) -> list[np.ndarray]:
    left, top, right, bottom = boxes.T
    return [(right - left) * (bottom - top), (right - left) / (bottom - top), left + right, top + bottom]


@pytest.mark.parametrize("kind", CROPS)
def test_half_of_them_are_mirrored(kind: str) -> None:
    mirrored = [cut_of(64, 48, SPEC, "abc", number).is_mirrored for number in numbers_of(f"{kind}:1000")]
    assert 0.45 < np.mean(mirrored) < 0.55
