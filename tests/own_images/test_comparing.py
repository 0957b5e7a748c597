"""Methods by the same folds: who is first, who is near, what is recommended."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from promptlet.backbones import load_backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import load_dataset, sample_shots
from promptlet.data.items import Split
from promptlet.errors import DataError, OptionError
from promptlet.own_images.choosing import chosen, compare_own
from promptlet.own_images.comparing import Comparison, compare
from promptlet.own_images.estimate import Way, estimate
from promptlet.own_images.material import Material, read_material

CHEAP = [("zero_shot", {}), ("tip_adapter", {}), ("linear_probe", {})]


@pytest.fixture(scope="module")
def split() -> Split:
    found = load_dataset("mini-textures-colours")
    assert isinstance(found, Split)
    return sample_shots(found, 6, 1)


@pytest.fixture(scope="module")
def material(split: Split) -> Material:
    paths, names = [item.path for item in split.train], [item.class_name for item in split.train]
    return read_material(load_backbone("mini"), paths, names)


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


def test_what_is_recommended_here(found: Comparison) -> None:
    """Of textures in colours the backbone knows little: what is learned from features is far ahead."""
    assert found.rows[0].method == found.closed == "linear_probe" and found.open_ == "tip_adapter"
    assert found.rows[0].behind == 0.0 and all(row.behind_low > 0 for row in found.rows[2:])
    assert "closed set (these classes alone): linear_probe" in found.recommendation
    assert chosen(found, closed=True) == ("linear_probe", {})
    assert chosen(found, closed=False)[0] == "tip_adapter"
    assert json.loads(json.dumps(found.facts()))["open"] == "tip_adapter"


def test_of_equals_the_smaller_file_is_recommended(material: Material) -> None:
    """Where the names say all, nothing that is learned is better than they by more than chance."""
    backbone = load_backbone("mini")
    logits = PromptClassifier(backbone, "zero_shot").fit(
        material.features[0], material.classes[material.targets]
    )
    easy = replace(material, targets=np.searchsorted(material.classes, logits.predict(material.features[0])))
    kept = easy.only(np.flatnonzero(np.isin(easy.targets, np.flatnonzero(np.bincount(easy.targets) > 3))))
    found = compare(PromptClassifier(backbone), backbone, kept, CHEAP, folds=3)
    assert found.closed == found.open_ == "zero_shot"
    assert found.recommendation.startswith("take zero_shot, for these classes and for names asked later")


def test_options_are_told_and_a_method_that_cannot_costs_itself_alone(material: Material) -> None:
    backbone = load_backbone("mini")
    methods = [("zero_shot", {}), ("rlp", {"rank": 99}), ("tip_adapter", {"alpha": 2.0})]
    found = compare(PromptClassifier(backbone), backbone, material, methods, folds=2)
    assert (
        set(found.failed) == {"rlp:rank=99"} and "tip_adapter:alpha=2.0" in str(found.facts())
    ) or found.rows
    assert {row.method for row in found.rows} == {"zero_shot", "tip_adapter"}
    with pytest.raises(OptionError, match="rank"):
        compare(PromptClassifier(backbone), backbone, material, methods[1:2], folds=2)


def test_own_data_is_compared_on_its_training_images_alone(split: Split) -> None:
    classifier = PromptClassifier(load_backbone("mini"), shots=3, cache=False)
    told = []
    found = compare_own(classifier, split, CHEAP, 3, lambda *now: told.append(now))
    assert found.images == 3 * len(split.class_names) and {what for what, *_ in told} == {
        "encoding",
        "comparing",
    }
    without = replace(split, test=())
    assert [r.accuracy for r in compare_own(classifier, without, CHEAP, 3).rows] == [
        r.accuracy for r in found.rows
    ]


def test_one_photo_of_each_class_cannot_be_compared(material: Material) -> None:
    backbone = load_backbone("mini")
    one = material.only(np.unique(material.targets, return_index=True)[1])
    with pytest.raises(DataError, match="2 different photos"):
        compare(PromptClassifier(backbone), backbone, one, CHEAP)
