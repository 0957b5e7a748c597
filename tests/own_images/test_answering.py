"""One bad image costs itself alone, whatever it raises; what is wrong with all of them is said once."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptlet.classifier.answers.deciding import Rule
from promptlet.errors import BackboneError, ImageError, OptionError
from promptlet.own_images.answering import BATCH, MOST, QUICK, answer_all, next_size, rows_of
from promptlet.own_images.finding import Finder

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
    found, wrong = rows_of(classifier(b=error), ["a", "b", "c"], NAMES)
    assert {path: row.probabilities.tolist() for path, row in found.items()} == {
        "a": [0.25, 0.75],
        "c": [0.25, 0.75],
    }
    assert list(wrong) == ["b"] and told in wrong["b"]


def test_what_is_of_all_is_raised_and_what_is_of_each_is_not() -> None:
    of_all = BackboneError("its weights are NaN")
    for paths in (["a"], ["a", "b"]):
        with pytest.raises(BackboneError, match="weights are NaN"):
            rows_of(classifier(a=of_all, b=of_all), paths, NAMES)
    own = classifier(a=ImageError("a: cut off"), b=KeyError("b"))
    assert set(rows_of(own, ["a", "b"], NAMES)[1]) == {"a", "b"}
    assert set(rows_of(own, ["b"], NAMES)[1]) == {"b"}
    with pytest.raises(OptionError, match="no such rule"):  # of no image, so nobody is asked again
        rows_of(classifier(b=OptionError("no such rule")), ["a", "b"], NAMES)


def test_few_are_asked_again_for_one_that_is_bad() -> None:
    asked: list[int] = []
    inner = classifier(x77=ImageError("x77: cut off"))

    def predict_proba(images: list[str], class_names: tuple[str, ...]) -> np.ndarray:
        asked.append(len(images))
        return np.asarray(inner.predict_proba(images, class_names))

    paths = [f"x{i}" for i in range(128)]
    found, wrong = rows_of(SimpleNamespace(predict_proba=predict_proba), paths, NAMES)  # type: ignore[arg-type]
    assert set(found) | {"x77"} == set(paths) and set(wrong) == {"x77"}
    assert len(asked) == 1 + 2 * 7  # 128 halved 7 times


def test_batches_keep_the_order_and_tell_how_far_they_are() -> None:
    paths = [f"{i}" for i in range(BATCH + 3)]
    batches = list(answer_all(classifier(**{"1": ImageError("1: bad")}), paths, NAMES, Rule(1)))
    assert [batch.done for batch in batches] == [BATCH, BATCH + 3]
    told = [answer.path for batch in batches for answer in batch.answers]
    assert told == [path for path in paths if path != "1"] and batches[0].errors == {"1": "1: bad"}


def test_batches_grow_while_they_are_quick() -> None:
    sizes = [BATCH]
    for _ in range(9):
        sizes.append(next_size(sizes[-1], seconds=QUICK / 2))
    assert sizes[:3] == [BATCH, 2 * BATCH, 4 * BATCH] and sizes[-1] == max(sizes) == MOST
    assert next_size(64, seconds=QUICK) == 64
    paths = [f"{i}" for i in range(3 * BATCH + 1)]
    assert [batch.done for batch in answer_all(classifier(), paths, NAMES, Rule(1))] == [BATCH, 3 * BATCH, 97]


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
    found = Finder().find(given)
    paths, errors = found.paths, found.errors
    told = ["a.JPG", "b.png", "deep/er/c.png", "device.png", "gone.png", "pipe.png"]
    assert paths[:6] == [str(folder / name) for name in told]
    assert set(paths[6:]) | set(errors) >= {"x" * 5000, "a\0b", str(tmp_path / "*.gif"), "\udcff.png"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
def test_a_folder_that_cannot_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "a.png").touch()
    found = Finder().find([str(tmp_path)])
    paths, errors = found.paths, found.errors
    assert paths == [str(tmp_path / "a.png")] and "cannot be looked into" in errors[str(tmp_path / "closed")]
