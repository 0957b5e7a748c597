"""Pixel values for methods that change the image tower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_view import augmented_view, preprocess
from PIL import Image

from promptlet.data import content_hash, open_image
from promptlet.data.images.opening import image_in_turn
from promptlet.errors import ImageError, OptionError
from promptlet.pixels import PixelInputs


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    found = []
    for i in range(5):
        found.append(tmp_path / f"{i}.png")
        Image.fromarray(draw.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(found[-1])
    return found


def rows(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


def test_views_are_those_that_features_are_encoded_from(paths: list[Path], tiny_backbone: Any) -> None:
    spec = tiny_backbone.images.spec
    inputs = PixelInputs(paths, spec, views=3)
    assert (inputs.images, inputs.views) == (5, 3)
    taken = inputs.take(rows(0, 2, 1), rows(4, 0, 4))
    assert taken.shape == (3, 3, 32, 32)
    assert taken.dtype == torch.float32
    plain = preprocess(open_image(paths[4]), spec)
    augmented = augmented_view(open_image(paths[0]), spec, content_hash(paths[0]), 2)
    assert np.array_equal(taken[0].numpy(), plain)
    assert np.array_equal(taken[1].numpy(), augmented)
    assert not torch.equal(taken[0], taken[2])


def test_crops_alone_are_not_kept(paths: list[Path], tiny_backbone: Any) -> None:
    spec = tiny_backbone.images.spec
    for views, first in (("crops:3", 1), ("large-crops:3", 1_000_001)):
        inputs = PixelInputs(paths, spec, views)
        assert (inputs.views, inputs.in_turn) == (3, True)
        taken = inputs.take(rows(0, 2), rows(4, 1))
        for pixels, row, number in zip(taken, (4, 1), (first, first + 2), strict=True):
            image = open_image(paths[row])
            assert np.array_equal(pixels, augmented_view(image, spec, content_hash(paths[row]), number))
        assert not inputs._kept
    assert not PixelInputs(paths, spec, 3).in_turn
    digests = {PixelInputs(paths, spec, views).digest() for views in (3, "crops:3", "large-crops:3")}
    assert len(digests) == 3


@pytest.mark.parametrize("keep", [0, 3 * 32 * 32 * 4 * 2, 1 << 30])
def test_what_is_kept_changes_nothing_but_is_bounded(
    keep: int, paths: list[Path], tiny_backbone: Any
) -> None:
    inputs = PixelInputs(paths, tiny_backbone.images.spec, keep_bytes=keep)
    first = inputs.take(rows(0, 0, 0, 0, 0), rows(0, 1, 2, 3, 4))
    assert torch.equal(inputs.take(rows(0, 0), rows(3, 1)), first[[3, 1]])
    assert sum(pixels.nbytes for pixels in inputs._kept.values()) <= keep


def test_a_picture_is_read_once_while_it_is_kept(
    paths: list[Path], tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(
        "promptlet.decoding.pixels.image_in_turn",
        lambda source, *rest: (opened.append(source), image_in_turn(source, *rest))[1],
    )
    inputs = PixelInputs(paths, tiny_backbone.images.spec)
    for _ in range(3):
        inputs.take(rows(0, 0, 0), rows(1, 2, 1))
    assert sorted(opened) == [paths[1], paths[2]]


def test_bad_pictures_are_named_together(paths: list[Path], tiny_backbone: Any, tmp_path: Path) -> None:
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    paths[3].write_bytes(b"no picture")
    inputs = PixelInputs(paths, tiny_backbone.images.spec)
    with pytest.raises(ImageError, match=r"2 images cannot be read(.|\n)*1\.png(.|\n)*3\.png"):
        inputs.take(rows(0, 0, 0), rows(0, 1, 3))
    with pytest.raises(ImageError, match="nowhere"):
        PixelInputs([*paths, tmp_path / "nowhere.png"], tiny_backbone.images.spec)


def test_the_digest_is_of_the_content(paths: list[Path], tiny_backbone: Any) -> None:
    spec = tiny_backbone.images.spec
    digest = PixelInputs(paths, spec).digest()
    assert PixelInputs([path.rename(path.with_suffix(".x.png")) for path in paths], spec).digest() == digest
    renamed = [path.with_suffix(".x.png") for path in paths]
    assert PixelInputs(renamed[:4], spec).digest() != digest
    assert PixelInputs(renamed, spec, views=2).digest() != digest


def test_no_views_are_refused(paths: list[Path], tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="views=0 is outside 1 and more"):
        PixelInputs(paths, tiny_backbone.images.spec, views=0)
