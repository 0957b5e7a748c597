"""One bad image costs itself alone, whatever it raises; what is wrong with all of them is said once."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptlet.errors import BackboneError, ImageError
from promptlet.own_images.answering import answer
from promptlet.own_images.finding import find_images

NAMES = ("cat", "dog")


def classifier(**raises: Exception) -> Any:
    """Answers "dog", and raises for images of these names."""

    def predict_proba(images: list[str], class_names: tuple[str, ...]) -> np.ndarray:
        for image in images:
            if image in raises:
                raise raises[image]
        return np.array([[0.25, 0.75]] * len(images))

    return SimpleNamespace(predict_proba=predict_proba)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImageError("b: is no image"), "b: is no image"),
        (BackboneError("answers NaN"), "answers NaN"),
        (TypeError("x"), "TypeError: x (test_answering.py, line "),
        (MemoryError(), "memory is full"),
        (OSError(5, "I/O error"), "I/O error"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_others_are_answered(error: Exception, told: str) -> None:
    found, wrong = answer(classifier(b=error), ["a", "b", "c"], NAMES, 1)
    assert (
        found == {"a": [("dog", 0.75)], "c": [("dog", 0.75)]} and list(wrong) == ["b"] and told in wrong["b"]
    )


def test_what_is_of_all_is_raised_and_what_is_of_each_is_not() -> None:
    of_all = BackboneError("its weights are NaN")
    for paths in (["a"], ["a", "b"]):
        with pytest.raises(BackboneError, match="weights are NaN"):
            answer(classifier(a=of_all, b=of_all), paths, NAMES, 2)
    own = classifier(a=ImageError("a: cut off"), b=KeyError("b"))
    assert set(answer(own, ["a", "b"], NAMES, 2)[1]) == {"a", "b"}
    assert set(answer(own, ["b"], NAMES, 2)[1]) == {"b"}


def test_arguments_cost_themselves_alone(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in ("b.png", "a.JPG", "deep/er/c.png", ".hidden/d.png", ".e.png", "text.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    given = [str(folder), str(folder / "b.*"), "x" * 5000, "a\0b", str(tmp_path / "*.gif"), "[", "\udcff.png"]
    paths, errors = find_images(given)
    told = ["a.JPG", "b.png", "deep/er/c.png", "device.png", "gone.png", "pipe.png"]
    assert paths[:6] == [str(folder / name) for name in told]
    assert set(paths[6:]) | set(errors) >= {"x" * 5000, "a\0b", str(tmp_path / "*.gif"), "\udcff.png"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
def test_a_folder_that_cannot_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "a.png").touch()
    paths, errors = find_images([str(tmp_path)])
    assert paths == [str(tmp_path / "a.png")] and "cannot be looked into" in errors[str(tmp_path / "closed")]
