"""What a person's own images say of a coarser graph: shares, accuracy by folder, and too few of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_graphs import NAMES, SPEC, WEIGHT, unit, vectors

from promptlet.errors import DataError, ExportError, ImageError
from promptlet.export.gate import CALIBRATING, Verdict, check, measured, own_images


def exact(pixels: np.ndarray) -> np.ndarray:
    return unit(pixels.reshape(len(pixels), -1) @ WEIGHT)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """80 pictures: in a folder for each of two classes, one of them spelled otherwise, and beside them."""
    draw = np.random.default_rng(0)
    for row in range(80):
        folder = tmp_path / ("TABBY cat", "boat", "else")[row % 3]
        folder.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(folder / f"{row}.png")
    return tmp_path


def test_classes_are_known_by_their_folders(photos: Path) -> None:
    images = own_images(photos, vectors())
    told = {Path(path).parent.name: row for path, row in zip(images.paths, images.rows, strict=True)}
    assert told == {"TABBY cat": NAMES.index("tabby_cat"), "boat": NAMES.index("boat"), "else": -1}
    assert len(set(images.paths)) == 80 and images.paths == own_images(photos, vectors()).paths
    first, others = images.parts(calibrating=True)
    assert (len(first.paths), len(others.paths)) == (20, 60) and not set(first.paths) & set(others.paths)
    assert images.parts(calibrating=False)[1].paths == images.paths and CALIBRATING == 64


def test_shares_are_of_the_same_images(photos: Path) -> None:
    images = own_images(photos, vectors())
    same = measured(exact, exact, images, vectors(), "k")
    assert (same.images, same.agreement, same.largest, same.labelled) == (80, 100.0, 0.0, 54)
    assert same.accuracy is not None and same.accuracy[0] == same.accuracy[1]

    turned = measured(exact, lambda pixels: -exact(pixels), images, vectors(), "k")
    pixels = [part for _, part in images.pixels(SPEC)]
    logits = np.concatenate([exact(part) for part in pixels]) @ vectors().classes.T
    assert turned.agreement == 100 * float((logits.argmax(1) == logits.argmin(1)).mean())
    labels = np.array(images.rows)
    right = (logits.argmin(1) == labels)[labels >= 0].mean()
    assert turned.accuracy is not None and turned.accuracy[1] == pytest.approx(100 * right)


def test_a_gate_refuses_below_its_limit_with_all_numbers() -> None:
    verdict = Verdict("dynamic", 400, 391, 0.01, 100, (81.0, 80.5))
    check(verdict, "int8", 97.75)
    with pytest.raises(ExportError) as caught:
        check(verdict, "int8", 98.0)
    text = str(caught.value)
    assert "391 of 400 images, 97.8 %; accuracy 81.0 % before, 80.5 % after (dynamic), and 98 % are" in text
    assert "--least-agreement 97" in text and "nothing was exported" in text


@pytest.mark.parametrize(("same", "images"), [(57, 100), (29, 50), (49, 50), (98, 100), (993, 1000)])
def test_what_is_just_enough_passes(same: int, images: int) -> None:
    verdict = Verdict("k", images, same, 0.0)
    check(verdict, "int8", 100 * same / images)
    with pytest.raises(ExportError, match=f"{same} of {images:,} images"):
        check(verdict, "int8", 100 * same / images + 1e-9)


def test_what_is_no_number_is_no_answer_that_stays(photos: Path) -> None:
    def broken(pixels: np.ndarray) -> np.ndarray:
        return np.full_like(exact(pixels), np.nan)

    found = measured(exact, broken, own_images(photos, vectors()), vectors(), "k")
    assert (found.same, found.largest) == (0, float("inf"))


def test_images_that_are_few_missing_or_unreadable_are_refused(photos: Path) -> None:
    with pytest.raises(DataError, match=r"26 images are too few .* give 50 or more"):
        own_images(photos / "else", vectors())
    with pytest.raises(DataError, match="none"):
        own_images(photos / "none", vectors())
    (photos / "boat" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"bad\.png"):
        measured(exact, exact, own_images(photos, vectors()), vectors(), "k")
