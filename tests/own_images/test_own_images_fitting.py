"""`promptlet fit` without its command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import sample_shots
from promptlet.data.load import read_own
from promptlet.errors import DataError, TrainingError
from promptlet.own_images.data import ignored
from promptlet.own_images.fitting import fit

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for part, count in (("train", 3), ("test", 2)):
        for name, colour in COLOURS.items():
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (40, 40), tuple(c + index for c in colour)).save(folder / f"{index}.png")
    return tmp_path / "photos"


def test_it_tells_what_it_did_as_plain_values(photos: Path, tiny_backbone: Backbone) -> None:
    told: list[tuple[Any, ...]] = []
    classifier = PromptClassifier(tiny_backbone, "coop", epochs=2, cache=False)
    report = fit(classifier, read_own(photos), "fp16", lambda *now: told.append(now))
    assert (report.images, report.test_images, report.epochs, report.class_names) == (
        6,
        4,
        2,
        ("blue", "red"),
    )
    assert report.test_accuracy == 100.0 * classifier.score(photos)
    assert {what for what, *_ in told} == {"encoding", "training", "testing", "estimating"}
    assert json.loads(json.dumps(report.facts()))["class_names"] == ["blue", "red"]
    assert (report.schedule, report.optimizer) == ("fast", "lbfgs")


def test_without_test_images_it_says_nothing_of_them(photos: Path, tiny_backbone: Backbone) -> None:
    report = fit(PromptClassifier(tiny_backbone, "zero_shot", cache=False), read_own(photos / "train"))
    assert (report.test_accuracy, report.test_images, report.loss, report.optimizer) == (None, 0, None, None)


@pytest.mark.parametrize("method", ["linear_probe", "tip_adapter"])
def test_what_learns_at_once_has_a_training_accuracy(
    photos: Path, tiny_backbone: Backbone, method: str
) -> None:
    classifier = PromptClassifier(tiny_backbone, method, cache=False, shots=2, seed=3)
    data = read_own(photos / "train")
    report = fit(classifier, data)
    drawn = sample_shots(data, 2, 3).train  # type: ignore[arg-type]
    right = classifier.predict([item.path for item in drawn]) == [item.class_name for item in drawn]
    assert len(drawn) == report.images == 4 and report.train_accuracy == 100.0 * right.mean()
    assert (report.epochs, report.loss) == (0, None)


def test_photos_that_are_passed_over_are_named(photos: Path) -> None:
    astray = photos / "train" / "red" / "deeper" / "astray.png"
    astray.parent.mkdir()
    Image.new("RGB", (40, 40)).save(astray)
    assert ignored(photos, read_own(photos)) == [astray]


def test_a_bare_name_is_a_folder_never_a_known_data_set() -> None:
    with pytest.raises(DataError, match="caltech101"):
        read_own(Path("caltech101"))


def test_images_that_are_not_drawn_may_be_unreadable(photos: Path, tiny_backbone: Backbone) -> None:
    """Neither the training needs them nor its estimate."""
    read: list[int] = []
    classifier = PromptClassifier(tiny_backbone, "tip_adapter", cache=False, shots=2, seed=3)
    data = read_own(photos / "train")
    drawn = {item.path for item in sample_shots(data, 2, 3).train}  # type: ignore[arg-type]
    for item in data.train:  # type: ignore[union-attr]
        if item.path not in drawn:
            item.path.write_bytes(b"no picture")
    report = fit(classifier, data, on_progress=lambda _what, _done, total, _word: read.append(total))
    assert report.estimate["images"] == 4 and max(read) <= 4


def test_an_estimate_that_fails_costs_itself_alone(
    photos: Path, tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_given: object, **_named: object) -> None:
        raise TrainingError("the loss is no number")

    monkeypatch.setattr("promptlet.own_images.estimating.estimate.out_of_fold", failing)
    classifier = PromptClassifier(tiny_backbone, "tip_adapter", cache=False)
    report = fit(classifier, read_own(photos))
    assert report.estimate["way"] == "none" and "the loss is no number" in report.estimate["reason"]
    assert classifier.predict(read_own(photos).test[0].path) is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_a_test_image_that_cannot_be_read_is_told_before_a_training(
    photos: Path, tiny_backbone: Backbone, method: str
) -> None:
    (photos / "test" / "red" / "0.png").write_bytes(b"no picture")
    told: list[str] = []
    with pytest.raises(DataError, match=r"red/0\.png"):
        fit(
            PromptClassifier(tiny_backbone, method, epochs=2, cache=False),
            read_own(photos),
            on_progress=lambda what, *_: told.append(what),
        )
    assert "training" not in told
