"""Methods by the same folds: who is first, who is near, what is recommended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from promptlet import rng
from promptlet.backbones import load_backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import FeatureFile, Split
from promptlet.data.items import Item
from promptlet.errors import DataError, OptionError
from promptlet.own_images.comparing.choosing import chosen, compare_own
from promptlet.own_images.comparing.page import notes
from promptlet.own_images.comparing.result import Comparison
from promptlet.own_images.comparing.run import compare
from promptlet.own_images.estimating.estimate import Way, estimate
from promptlet.own_images.material import Material, read_material

CHEAP = [("zero_shot", {}), ("tip_adapter", {}), ("linear_probe", {})]
NAMES = ("cat", "dog", "house", "tree")
EACH = 10


def drawn(centres: np.ndarray, spread: float) -> Material:
    """Features of images about one centre for each class."""
    noise = rng.generator("test-comparing", 1).normal(size=(len(NAMES) * EACH, centres.shape[1]))
    centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    features = np.repeat(centres, EACH, axis=0) + spread * noise / np.sqrt(centres.shape[1])
    return read_material(load_backbone("mini"), list(features), np.repeat(NAMES, EACH).tolist())


@pytest.fixture(scope="module")
def material() -> Material:
    """Images that their names say nothing of."""
    dim = load_backbone("mini").feature_dim
    return drawn(rng.generator("test-comparing", 2).normal(size=(len(NAMES), dim)), 1.0)


@pytest.fixture(scope="module")
def easy() -> Material:
    """Images that are what their names say."""
    named = PromptClassifier(load_backbone("mini"), "zero_shot")
    named.fit(np.eye(4, load_backbone("mini").feature_dim), NAMES)
    return drawn(named.class_features(), 0.1)


@pytest.fixture(scope="module")
def found(material: Material) -> Comparison:
    backbone = load_backbone("mini")
    return compare(PromptClassifier(backbone), backbone, material, CHEAP, folds=3)


def test_each_accuracy_is_that_of_its_own_estimate(found: Comparison, material: Material) -> None:
    backbone = load_backbone("mini")
    assert [row.accuracy for row in found.rows] == sorted((row.accuracy for row in found.rows), reverse=True)
    for row in found.rows:
        alone, _ = estimate(PromptClassifier(backbone, row.method), backbone, material, Way("cv", 3))
        assert (row.accuracy, row.low, row.high) == (alone.accuracy, alone.low, alone.high)


def test_what_is_learned_from_images_is_recommended_where_names_say_nothing(found: Comparison) -> None:
    by_name = {row.method: row for row in found.rows}
    assert by_name["zero_shot"].accuracy < 60 < by_name["linear_probe"].accuracy
    assert by_name["zero_shot"].behind_low > 0 and found.rows[0].behind == 0.0
    assert found.closed in ("tip_adapter", "linear_probe") and found.open_ == "tip_adapter"
    assert chosen(found, closed=False) == ("tip_adapter", {})
    assert chosen(found, closed=True) == (found.closed, {})
    assert json.loads(json.dumps(found.facts()))["open"] == "tip_adapter"


def test_of_equals_the_smaller_file_is_recommended(easy: Material) -> None:
    """Where the names say all, nothing that is learned is better than they."""
    backbone = load_backbone("mini")
    found = compare(PromptClassifier(backbone), backbone, easy, CHEAP, folds=3)
    assert {row.accuracy for row in found.rows} == {100.0}
    assert found.closed == found.open_ == "zero_shot" and found.rows[0].method == "zero_shot"
    assert found.recommendation == "take zero_shot, for these classes and for names asked later"


def test_options_are_told_and_a_method_that_cannot_costs_itself_alone(material: Material) -> None:
    backbone = load_backbone("mini")
    methods = [("zero_shot", {}), ("rlp", {"rank": 99}), ("tip_adapter", {"alpha": 2.0})]
    found = compare(PromptClassifier(backbone), backbone, material, methods, folds=2)
    assert set(found.failed) == {"rlp:rank=99"} and "rank" in found.failed["rlp:rank=99"]
    assert {row.method: row.options for row in found.rows} == {"zero_shot": {}, "tip_adapter": {"alpha": 2.0}}
    with pytest.raises(OptionError, match="rank"):
        compare(PromptClassifier(backbone), backbone, material, methods[1:2], folds=2)


def test_own_data_is_compared_on_its_training_images_alone(material: Material) -> None:
    parts = {
        part: tuple(
            Item(Path(f"{i}.png"), int(material.targets[i]), NAMES[material.targets[i]], i)
            for i in range(len(material.targets))
            if (i % EACH < 7) == (part == "train")
        )
        for part in ("train", "test")
    }
    data = FeatureFile(Split("made", NAMES, parts["train"], (), parts["test"]), material.features[0])
    told: list[tuple[object, ...]] = []
    classifier = PromptClassifier(load_backbone("mini"), shots=3, cache=False)
    found = compare_own(classifier, data, CHEAP, 3, lambda *now: told.append(now))
    assert found.images == 3 * len(NAMES) and {what for what, *_ in told} == {"comparing"}
    wrong = replace(data, features=np.where(np.arange(40)[:, None] % EACH < 7, data.features, 1e3))
    again = compare_own(classifier, wrong, CHEAP, 3)
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in found.rows]


def test_one_photo_of_each_class_cannot_be_compared(material: Material) -> None:
    backbone = load_backbone("mini")
    one = material.only(np.unique(material.targets, return_index=True)[1])
    with pytest.raises(DataError, match="2 different photos"):
        compare(PromptClassifier(backbone), backbone, one, CHEAP)


def test_whose_settings_official_ones_are_is_told(material: Material) -> None:
    """KgCoOp's are those of another protocol than the few-shot ones that Tip-Adapter's are."""
    backbone = load_backbone("mini")
    classifier = PromptClassifier(backbone, schedule="official", epochs=1)
    found = compare(classifier, backbone, material, [("kgcoop", {}), ("tip_adapter", {})], folds=2)
    told = notes(found)
    assert any(note.startswith("kgcoop: official settings of base-to-new: ") for note in told)
    assert any(
        note.startswith("kgcoop: not as its official settings for base-to-new: epochs=1 ") for note in told
    )
    tip = [note for note in told if note.startswith("tip_adapter: ")]
    assert len(tip) == 2 and not any("epochs" in note for note in tip), "it knows none"
    assert len(told) == len(set(told)) and json.loads(json.dumps(found.facts()))["rows"][0]["notes"] != []
