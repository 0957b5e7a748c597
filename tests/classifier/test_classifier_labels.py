"""Labels that are whole numbers, and scikit-learn's tools that make such of words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import toy_arrays
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from promptlet import PromptClassifier
from promptlet.classifier.labels import Classes
from promptlet.errors import DataError, OptionError


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Features, names, the same as whole numbers, and the names sorted."""
    features, names = toy_arrays(tiny_backbone, per_class=6)
    return features, names, np.unique(names, return_inverse=True)[1], sorted(set(names))


def first_fold(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that scikit-learn's first of two folds is taught, and is asked about."""
    taught, asked = next(StratifiedKFold(2).split(labels, labels))
    return taught, asked


def quick(backbone: Any, **options: Any) -> PromptClassifier:
    return PromptClassifier(**{"backbone": backbone, "epochs": 2, "cache": False, **options})


def test_whole_numbers_are_learned_and_answered_as_the_names_are(tiny_backbone: Any, problem: Any) -> None:
    features, names, numbers, order = problem
    expected = quick(tiny_backbone).fit(features, names)
    for given in (
        numbers,
        numbers.tolist(),
        torch.from_numpy(numbers),
        numbers.astype(np.int8),
        numbers * 1.0,
    ):
        clf = quick(tiny_backbone, label_names=order).fit(features, given)
        assert clf.classes_.tolist() == [0, 1, 2, 3, 4]
        assert clf.class_names_ == expected.class_names_
        assert np.array_equal(clf.predict_proba(features), expected.predict_proba(features))
        assert np.array_equal(clf.predict(features), np.searchsorted(order, expected.predict(features)))
        assert clf.score(features, numbers) == clf.score(features, names) == expected.score(features, names)
    assert clf.predict(features, class_names=order).tolist() == expected.predict(features).tolist()
    assert expected.set_params(label_names=order).score(features, numbers) == clf.score(features, numbers)


def test_names_by_number_and_a_class_without_images(tiny_backbone: Any, problem: Any) -> None:
    features, _, numbers, order = problem
    some = numbers != 2
    clf = quick(tiny_backbone, label_names={10 * i: name for i, name in enumerate(order)})
    clf.fit(features[some], 10 * numbers[some])
    assert clf.classes_.tolist() == [0, 10, 30, 40]
    assert clf.class_names_ == tuple(name for i, name in enumerate(order) if i != 2)


def test_the_file_holds_names_and_label_names_make_numbers_of_them(
    tiny_backbone: Any, problem: Any, tmp_path: Path
) -> None:
    features, names, numbers, order = problem
    clf = quick(tiny_backbone, label_names=order).fit(features, numbers)
    clf.save(tmp_path / "numbers.prompt")
    quick(tiny_backbone).fit(features, names).save(tmp_path / "names.prompt")
    assert (tmp_path / "numbers.prompt").read_bytes() == (tmp_path / "names.prompt").read_bytes()
    loaded = PromptClassifier.load(tmp_path / "numbers.prompt", tiny_backbone)
    assert loaded.classes_.tolist() == order
    again = PromptClassifier.load(tmp_path / "numbers.prompt", tiny_backbone, label_names=order)
    assert np.array_equal(again.predict(features), clf.predict(features))
    assert again.score(features, numbers) == clf.score(features, numbers)
    with pytest.raises(DataError, match="label_names has no 'cat', which the prompt file was taught"):
        PromptClassifier.load(tmp_path / "numbers.prompt", tiny_backbone, label_names=order[:1])


@pytest.mark.parametrize(
    ("label_names", "error", "message"),
    [
        (None, DataError, r"label .*1.* labels are class names in words.*PromptClassifier\(label_names="),
        (["box", "cat"], DataError, "label 2 has no name: label_names has 2 names, of 0 to 1"),
        ("box", OptionError, "label_names='box' is not allowed; give a list"),
        (5, OptionError, "label_names=5 is not allowed"),
        ([1, 2, 3, 4, 5], OptionError, "label_names holds 1 for 0; names are words"),
        (["a", "A", "c", "d", "e"], DataError, "differ only by '_', case or spaces"),
    ],
)
def test_numbers_without_a_name(
    label_names: Any, error: Any, message: str, tiny_backbone: Any, problem: Any
) -> None:
    with pytest.raises(error, match=message):
        quick(tiny_backbone, label_names=label_names).fit(problem[0], problem[2])


def test_labels_nobody_taught_count_as_wrong() -> None:
    classes = Classes(np.array([3, 7]), ("red_box", "cat"))
    assert classes.rows_of(np.array([7, 5, 3]), None).tolist() == [1, -1, 0]
    assert classes.rows_of(np.array(["Red box", "dog"]), None).tolist() == [0, -1]
    with pytest.raises(DataError, match=r"no label is one of the 2 classes.*: 5 is not"):
        classes.rows_of(np.array([5, 5]), None)


@pytest.mark.parametrize("kind", ["numbers", "names"])
def test_scikit_learns_tools_that_encode_labels(kind: str, tiny_backbone: Any, problem: Any) -> None:
    features, names, numbers, order = problem
    labels = numbers if kind == "numbers" else names
    own = quick(tiny_backbone, label_names=order)
    chances = cross_val_predict(own, features, labels, cv=2, method="predict_proba")
    assert chances.shape == (30, 5)
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-5)
    two = [
        ("a", quick(tiny_backbone, label_names=order)),
        ("b", quick(tiny_backbone, label_names=order, seed=2)),
    ]
    voting = VotingClassifier(two, voting="soft").fit(features, labels)
    stacking = StackingClassifier(two, final_estimator=LogisticRegression(), cv=2).fit(features, labels)
    calibrated = CalibratedClassifierCV(own, cv=2).fit(features, labels)
    for tool in (voting, stacking, calibrated):
        assert set(tool.predict(features)) <= set(labels)
        assert tool.predict_proba(features).shape == (30, 5)
    alone = quick(tiny_backbone, label_names=order).fit(features, numbers).predict_proba(features)
    other = quick(tiny_backbone, label_names=order, seed=2).fit(features, numbers).predict_proba(features)
    np.testing.assert_allclose(voting.predict_proba(features), (alone + other) / 2, atol=1e-5)
    fold = first_fold(labels)
    half = quick(tiny_backbone, label_names=order).fit(features[fold[0]], numbers[fold[0]])
    np.testing.assert_allclose(chances[fold[1]], half.predict_proba(features[fold[1]]), atol=1e-5)
