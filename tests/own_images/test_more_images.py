"""Which images were confused, whether more would help, and of which classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptlet.backbones import load_backbone
from promptlet.classifier import PromptClassifier
from promptlet.evaluation.confusion import confused_pairs
from promptlet.own_images.checking.looks import Look, looks_of
from promptlet.own_images.comparing.run import compare
from promptlet.own_images.estimating.advice import MorePhotos, photos_wanted
from promptlet.own_images.estimating.curve import Curve, Point, learning_curve
from promptlet.own_images.estimating.estimate import usable_folds
from promptlet.own_images.estimating.mistakes import matrix_of, mistakes_of
from promptlet.own_images.estimating.out_of_fold import OutOfFold, out_of_fold
from promptlet.own_images.material import Material

NAMES = ("cat", "dog", "owl")
EACH = 10


@pytest.fixture(scope="module")
def material() -> Material:
    """Features that class names do not tell, of classes that lie apart."""
    draw = np.random.default_rng(3)
    dim = load_backbone("mini").feature_dim
    centres = draw.normal(size=(len(NAMES), dim))
    targets = np.repeat(np.arange(len(NAMES)), EACH)
    features = (centres[targets] + 6.0 * draw.normal(size=(len(targets), dim))).astype(np.float32)
    shares = np.full(len(NAMES), 1 / len(NAMES))
    hashes = tuple(f"{row:032x}" for row in range(len(targets)))
    names = np.array(NAMES)
    return Material(tuple(features), targets, names, NAMES, hashes, features[None], shares)


def answers_of(material: Material, said: list[int]) -> OutOfFold:
    """One fold that says so; -1 is not asked."""
    logits = np.full((len(material.targets), len(NAMES)), np.nan, np.float32)
    for row, own in enumerate(said):
        if own >= 0:
            logits[row] = np.eye(len(NAMES))[own] * (1 + row)
    return OutOfFold(logits, np.zeros(len(said), int), 1, 1.0)


def test_mistakes_are_those_of_the_matrix_with_their_images_the_surest_first(material: Material) -> None:
    said = material.targets.tolist()
    said[0] = said[1] = said[4] = 1
    said[12], said[29] = 2, -1
    answers = answers_of(material, said)
    matrix = matrix_of(material, answers)
    assert matrix.tolist() == [[7, 3, 0], [0, 9, 1], [0, 0, 9]]
    found = mistakes_of(material, answers, 5)
    assert [(one.true, one.said, len(one.rows), one.of) for one in found] == [
        (pair.true, pair.said, pair.count, pair.of) for pair in confused_pairs(matrix, NAMES, 5)
    ]
    assert found[0].rows == (4, 1, 0)


def fitting(method: str = "linear_probe") -> PromptClassifier:
    return PromptClassifier(load_backbone("mini"), method, epochs=2)


@pytest.fixture(scope="module")
def answers(material: Material) -> OutOfFold:
    return out_of_fold(fitting(), load_backbone("mini"), material, usable_folds(material, 5))


def test_a_curve_ends_in_the_answers_it_was_given(material: Material, answers: OutOfFold) -> None:
    told: list[tuple[int, int]] = []
    found = learning_curve(
        fitting(),
        load_backbone("mini"),
        material,
        answers,
        seconds=1000.0,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert found is not None and found.folds == 5 and found.images == len(material.targets)
    assert [point.shots for point in found.points] == [1, 2, 4, 8]
    hits = answers.predicted == material.targets
    assert found.points[-1].accuracy == pytest.approx(100 * hits.mean())
    assert found.points[0].accuracy < found.points[-1].accuracy
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_few_seconds_make_fewer_folds_and_points_and_none_at_last(
    material: Material, answers: OutOfFold
) -> None:
    def made(seconds: float) -> Curve | None:
        slow = replace(answers, seconds=1.0 * answers.trainings)  # a second each
        return learning_curve(fitting(), load_backbone("mini"), material, slow, seconds=seconds)

    some = made(6.5)
    assert some is not None and some.folds == 2 and [one.shots for one in some.points] == [1, 2, 4, 8]
    one = made(2.5)
    assert one is not None and one.folds == 2 and [point.shots for point in one.points] == [4, 8]
    assert made(1.5) is None


def test_a_curve_needs_photos_and_something_that_learns(material: Material, answers: OutOfFold) -> None:
    backbone = load_backbone("mini")
    rows = np.flatnonzero((material.targets != 2) | (np.arange(len(material.targets)) < 27))  # 7 owls
    some = replace(answers, logits=answers.logits[rows], folds=answers.folds[rows], seconds=answers.seconds)
    assert learning_curve(fitting(), backbone, material.only(rows), some, seconds=1e3) is None
    alone = PromptClassifier(backbone, "zero_shot")
    assert learning_curve(alone, backbone, material, answers, seconds=1e3) is None


@pytest.mark.parametrize(
    ("before", "last", "helps"), [(70.0, 80.0, True), (80.0, 80.5, False), (90.0, 99.5, False)]
)
def test_more_would_help_where_the_last_step_gained(before: float, last: float, helps: bool) -> None:
    points = (Point(4, before, 0.0, 100.0), Point(8, last, 0.0, 100.0))
    assert Curve(points, 10, 2, 1.0).would_help is helps


def test_what_an_epoch_raises_ends_every_kind_of_work(material: Material, answers: OutOfFold) -> None:
    class Stop(BaseException):
        pass

    def stop(_report: Any) -> None:
        raise Stop

    backbone, folds = load_backbone("mini"), usable_folds(material, 5)
    by_steps = fitting("clip_adapter")
    with pytest.raises(Stop):
        out_of_fold(by_steps, backbone, material, folds, on_epoch=stop)
    with pytest.raises(Stop):
        compare(by_steps, backbone, material, [("clip_adapter", {})], on_epoch=stop)
    with pytest.raises(Stop):
        learning_curve(by_steps, backbone, material, answers, seconds=1e3, on_epoch=stop)


def test_a_comparison_tells_what_each_said(material: Material) -> None:
    told: dict[str, OutOfFold] = {}
    found = compare(
        fitting(),
        load_backbone("mini"),
        material,
        [("zero_shot", {}), ("linear_probe", {})],
        on_answers=lambda spec, said: told.update({spec[0]: said}),
    )
    for row in found.rows:
        hits = told[row.method].predicted == material.targets
        assert row.accuracy == pytest.approx(100 * hits.mean())


def test_looks_are_told_one_by_one_and_end_at_once(tmp_path: Any) -> None:
    class Stop(BaseException):
        pass

    told: list[int] = []

    def stop(done: int, total: int) -> None:
        told.append(done)
        assert total == 300
        if done == 3:
            raise Stop

    pictures = [np.full((8, 8, 3), row % 256, np.uint8) for row in range(300)]
    with pytest.raises(Stop):
        looks_of(pictures, stop)
    assert told == [1, 2, 3]
    assert all(isinstance(look, Look) for look in looks_of(pictures[:2]))


def test_photos_are_wanted_of_small_and_of_confused_classes() -> None:
    assert photos_wanted(("a", "b"), (2, 9)) == (MorePhotos("a", 3),)
    sure = np.array([[50, 0], [0, 50]])
    assert photos_wanted(("a", "b"), (50, 50), sure, 95.0, 100.0) == ()
    wide = np.array([[5, 0], [1, 4]])  # 10 asked, an interval of 40 points: four times as many
    assert photos_wanted(("a", "b"), (5, 5), wide, 55.0, 95.0) == (MorePhotos("b", 15), MorePhotos("a", 15))
    confused = np.array([[58, 2], [20, 40]])
    assert photos_wanted(("a", "b"), (60, 12), confused, 75.0, 88.0) == (MorePhotos("b", 15),)
    nothing = np.zeros((2, 2), int)
    assert photos_wanted(("a", "b"), (6, 6), nothing) == ()
