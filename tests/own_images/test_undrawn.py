"""With shots, the images that they did not draw tell how good the prompt is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from promptlet.backbones import load_backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import Split, load_dataset, read_own, sample_shots
from promptlet.own_images.estimating import undrawn
from promptlet.own_images.estimating.undrawn import read_undrawn
from promptlet.own_images.fitting import FitReport, fit
from promptlet.own_images.material import read_material

METHOD = "tip_adapter"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes of twelve, eight and eight drawn cats."""
    split = load_dataset("mini-cats")
    assert isinstance(split, Split)
    for label, count in ((0, 12), (1, 8), (2, 8)):
        for item in [item for item in split.train if item.label == label][:count]:
            place = tmp_path / "cats" / item.class_name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(item.path, place / item.path.name)
    return tmp_path / "cats"


def fitted(photos: Path, method: str = METHOD, estimate: str = "auto") -> tuple[PromptClassifier, FitReport]:
    classifier = PromptClassifier(load_backbone("mini"), method, shots=4, epochs=2, cache=False)
    return classifier, fit(classifier, read_own(photos), estimate=estimate)


@pytest.mark.parametrize("method", [METHOD, "rlp", "vpt"])
def test_it_is_the_accuracy_of_this_very_prompt_on_them(photos: Path, method: str) -> None:
    classifier, report = fitted(photos, method)
    data = read_own(photos)
    assert isinstance(data, Split)
    drawn = {item.path for item in sample_shots(data, 4, 1).train}
    rest = [item for item in data.train if item.path not in drawn]
    hits = [classifier.score([one.path], [one.class_name]) for one in rest]
    labels = np.array([one.label for one in rest])
    recalls = [np.mean(np.array(hits)[labels == label]) for label in range(3)]
    found = report.estimate
    assert (found["way"], found["images"], found["folds"]) == ("undrawn", 16, 0)
    assert found["accuracy"] == pytest.approx(100 * np.dot(recalls, [12 / 28, 8 / 28, 8 / 28]))


def test_folds_where_they_are_asked_for(photos: Path) -> None:
    assert fitted(photos, estimate="cv")[1].estimate["way"] == "cv"


def test_folds_where_a_large_class_is_drawn_whole(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sorted(photos.iterdir())[0]
    for path in sorted(first.iterdir())[4:]:
        path.unlink()
    assert fitted(photos)[1].estimate["way"] == "cv"
    monkeypatch.setattr(undrawn, "DRAWN_WHOLE", 0.5)
    monkeypatch.setattr(undrawn, "ENOUGH", 5)
    found = fitted(photos)[1].estimate
    assert found["way"] == "undrawn" and found["images"] == 8
    name = first.name.replace("_", " ")
    assert f"not in the estimate, since no photo of them is left beside those drawn: {name}" in found["notes"]


def test_folds_where_one_cannot_be_read(photos: Path) -> None:
    data = read_own(photos)
    assert isinstance(data, Split)
    drawn = {item.path for item in sample_shots(data, 4, 1).train}
    next(item.path for item in data.train if item.path not in drawn).write_bytes(b"no picture")
    found = fitted(photos)[1].estimate
    assert found["way"] == "cv" and "--skip-bad" in found["reason"] and ".png" in found["reason"]


def test_folds_where_few_are_left(photos: Path) -> None:
    """Seven of 28 say less than five folds of the 21 that are taught."""
    classifier = PromptClassifier(load_backbone("mini"), METHOD, shots=7, cache=False)
    few = fit(classifier, read_own(photos))
    assert few.estimate["way"] == "cv"


def test_folds_where_the_prompt_goes_on_from_one_that_may_have_been_taught_them(
    photos: Path, tmp_path: Path
) -> None:
    first, _ = fitted(photos, "rlp")
    first.save(tmp_path / "first.prompt")
    given = PromptClassifier(first.backbone_, "rlp", shots=4, epochs=2, cache=False)
    given.set_params(start_from=tmp_path / "first.prompt")
    assert fit(given, read_own(photos)).estimate["way"] == "cv"


def test_copies_of_drawn_images_are_left_out(photos: Path) -> None:
    data = read_own(photos)
    assert isinstance(data, Split)
    drawn = sample_shots(data, 4, 1).train
    taught = {item.path for item in drawn}
    other = next(item for item in data.train if item.path not in taught and item.label == 0)
    shutil.copy(drawn[0].path, other.path)
    sources, labels = [item.path for item in data.train], [item.class_name for item in data.train]
    backbone = load_backbone("mini")
    material = read_material(backbone, sources, labels, shots=4, seed=1, cache=False)
    found = read_undrawn(backbone, sources, labels, material, shots=4, seed=1, cache=False)
    assert found is not None and len(found.targets) == 15 and other.path not in found.sources
    assert found.shares == pytest.approx([12 / 28, 8 / 28, 8 / 28])


def test_some_of_many_and_one_of_each_class(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undrawn, "MOST", 4)
    monkeypatch.setattr(undrawn, "ENOUGH", 3)
    found = fitted(photos)[1].estimate
    assert found["way"] == "undrawn" and 4 <= found["images"] <= 6
