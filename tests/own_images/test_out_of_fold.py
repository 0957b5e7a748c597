"""Answers out of fold are those of a classifier that was fitted without the fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promptlet import rng
from promptlet.backbones import load_backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import load_dataset, sample_shots
from promptlet.data.items import Split
from promptlet.errors import DataError
from promptlet.own_images.estimating.estimate import Way, estimate, usable_folds
from promptlet.own_images.estimating.folds import make_folds
from promptlet.own_images.estimating.out_of_fold import out_of_fold
from promptlet.own_images.material import Material, read_material

EPOCHS = 3


@pytest.fixture(scope="module")
def material() -> Material:
    split = load_dataset("mini-cats")
    assert isinstance(split, Split)
    drawn = sample_shots(split, 4, 1)
    few = [item for item in drawn.train if item.label < 4]
    paths, names = [item.path for item in few], [item.class_name for item in few]
    return read_material(load_backbone("mini"), paths, names)


@pytest.mark.parametrize("method", ["rlp", "clip_adapter", "tip_adapter", "linear_probe", "zero_shot"])
def test_equals_a_fit_without_the_fold(material: Material, method: str) -> None:
    backbone = load_backbone("mini")
    given = PromptClassifier(backbone, method, epochs=EPOCHS)
    folds = make_folds(material.targets, np.arange(len(material.targets)), 2)
    found = out_of_fold(given, backbone, material, folds)
    for fold in (0, 1):
        taught, asked = folds != fold, folds == fold
        labels = material.classes[material.targets[taught]]
        fitted = PromptClassifier(backbone, method, epochs=EPOCHS).fit(material.features[0][taught], labels)
        want = fitted.predict_proba(material.features[0][asked])
        np.testing.assert_allclose(found.probabilities[asked], want, atol=1e-6)


def test_one_hold_out_asks_one_fold_alone(material: Material) -> None:
    backbone = load_backbone("mini")
    folds = make_folds(material.targets, np.arange(len(material.targets)), 4)
    found = out_of_fold(PromptClassifier(backbone, "tip_adapter"), backbone, material, folds, only=0)
    assert (found.asked == (folds == 0)).all() and (found.predicted[folds != 0] == -1).all()


def test_views_are_learned_from_and_not_asked_about(material: Material) -> None:
    backbone = load_backbone("mini")
    folds = make_folds(material.targets, np.arange(len(material.targets)), 2)
    many = read_material(backbone, material.sources, material.classes[material.targets], views=[3])
    plain, more = (
        out_of_fold(PromptClassifier(backbone, "rlp", epochs=EPOCHS, views=v), backbone, m, folds).logits
        for v, m in ((1, material), (3, many))
    )
    assert np.array_equal(many.features[0], material.features[0]) and not np.allclose(plain, more)


def test_the_estimate_is_counted_from_the_answers(material: Material) -> None:
    backbone = load_backbone("mini")
    given = PromptClassifier(backbone, "linear_probe")
    found, answers = estimate(given, backbone, material, Way("cv", 4))
    assert answers is not None and answers.asked.all()
    hits = int((answers.logits.argmax(1) == material.targets).sum())
    assert found.accuracy == pytest.approx(100 * hits / 16) and found.images == 16 and found.folds == 4
    assert found.low < found.accuracy < found.high and found.chance == found.majority == 25.0
    zero_shot = PromptClassifier(backbone, "zero_shot").fit(
        material.features[0], material.classes[material.targets]
    )
    want = zero_shot.score(material.features[0], material.classes[material.targets])
    assert found.zero_shot == pytest.approx(100 * want)
    assert sum(c.count for c in found.confused) <= 16 - hits


def test_copies_count_once_and_never_stand_on_both_sides(material: Material) -> None:
    twice = material.only(np.repeat(np.arange(16), 2))
    found, answers = estimate(
        PromptClassifier(load_backbone("mini"), "tip_adapter"), load_backbone("mini"), twice, Way("cv", 4)
    )
    assert answers is not None and (answers.folds[::2] == answers.folds[1::2]).all()
    once, _ = estimate(
        PromptClassifier(load_backbone("mini"), "tip_adapter"), load_backbone("mini"), material, Way("cv", 4)
    )
    assert found.images == 32
    assert found.high - found.low == pytest.approx(once.high - once.low, abs=5.0)


def test_many_folds_divide_the_classes_evenly() -> None:
    """Twelve photos of each class: none of ten folds takes two of one and one of another. Where most classes
    have 20, ten do that, too."""
    backbone = load_backbone("mini")
    features = (
        rng.generator("test-even-folds", 1).standard_normal((36, backbone.feature_dim)).astype("float32")
    )
    many = read_material(backbone, list(features), ["cat", "dog", "cow"] * 12)
    more = rng.generator("test-even-folds", 2).standard_normal((59, backbone.feature_dim)).astype("float32")
    most_of_20 = read_material(backbone, list(more), [*(["cat", "dog"] * 20), *(["cow"] * 19)])
    found, answers = estimate(PromptClassifier(backbone, "tip_adapter"), backbone, many, Way("cv", 10))
    assert found.folds == 6 and answers is not None
    assert all((np.bincount(many.targets[answers.folds == fold]) == 2).all() for fold in range(6))
    assert (
        estimate(PromptClassifier(backbone, "tip_adapter"), backbone, most_of_20, Way("cv", 10))[0].folds
        == 10
    )


def test_one_photo_of_each_class_is_no_estimate(material: Material) -> None:
    one = material.only(np.unique(material.targets, return_index=True)[1])
    found, answers = estimate(
        PromptClassifier(load_backbone("mini"), "rlp"), load_backbone("mini"), one, Way("cv", 5)
    )
    assert answers is None and found.way == "none" and "no class has 2 different photos" in found.reason
    with pytest.raises(DataError, match="2 different photos"):
        usable_folds(one, 5)


def test_labels_that_say_nothing_are_told(material: Material) -> None:
    """As many images of each class, and the label of each in turn."""
    turned = replace(material, targets=np.tile(np.arange(4), 4))
    found, _ = estimate(
        PromptClassifier(load_backbone("mini"), "linear_probe"), load_backbone("mini"), turned, Way("cv", 4)
    )
    assert "about what guessing gives" in found.notes[0]
