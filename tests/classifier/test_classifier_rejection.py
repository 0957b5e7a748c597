"""None of these: the rule against loops and closed forms, and what the classifier makes of it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import NAMES, toy_arrays

from promptlet import PromptClassifier
from promptlet.classifier import rejection as rules
from promptlet.classifier.rejection import (
    _alike,
    learn_rejection,
    rows_of,
    scores,
    threshold_of,
    usual_share,
)
from promptlet.errors import OptionError, PromptFileError
from promptlet.features import encode_images
from promptlet.promptfile import SHARES, Rejection, load_prompt_file, save_prompt_file


def clouds(classes: int, images: int, dim: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Around class means that share a direction, as the features of a backbone do."""
    draw = np.random.default_rng(seed)
    places = 3 * np.eye(dim)[0] + draw.normal(size=(classes, dim))
    targets = np.repeat(np.arange(classes), images)
    return places[targets] + 0.5 * draw.normal(size=(len(targets), dim)), targets


def plain_scores(x: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> list[float]:
    """The rule of the docstring in loops, in double precision."""
    x, asked = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, asked))
    means = [x[targets == label].mean(axis=0) for label in sorted(set(targets))]
    g = sum(means) / len(means)
    found = []
    for one in asked:
        nearest = max(cosine(one - g, np.sign(mean - g)) for mean in means)
        found.append(nearest + cosine(one, g) / 2)
    return found


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def learned(x: np.ndarray, targets: np.ndarray, **given: Any) -> Rejection:
    found = learn_rejection(x, targets, len(set(targets.tolist())), **given)
    assert found is not None
    return found


def test_scores_are_those_of_the_rule() -> None:
    x, targets = clouds(4, 6)
    asked = np.random.default_rng(1).normal(size=(30, 24))
    np.testing.assert_allclose(scores(learned(x, targets), asked), plain_scores(x, targets, asked), atol=2e-3)


def test_thresholds_are_those_of_images_left_out_one_by_one() -> None:
    x, targets = clouds(3, 40)
    own = []
    for row in range(len(x)):
        rest = np.arange(len(x)) != row
        own += plain_scores(x[rest], targets[rest], x[row : row + 1])
    found = learned(x, targets).thresholds
    assert tuple(found) == SHARES  # 120 images are enough for all
    for share, threshold in found.items():
        rank = int((100 - share) * 121 / 100)
        assert threshold == pytest.approx(sorted(own)[rank - 1], abs=2e-3)


def test_new_images_are_accepted_as_often_as_promised() -> None:
    """The promise is one of the mean over draws: at least the share, and less than 1 / (n + 1) above it."""
    found = []
    for seed in range(40):
        x, targets = clouds(3, 40, seed=seed)
        teach = np.arange(len(x)) % 40 < 20
        rejection = learned(x[teach], targets[teach])
        asked = scores(rejection, x[~teach])
        found.append([np.mean(asked >= threshold_of(rejection, share)) for share in (75, 90, 95)])
    assert np.abs(np.mean(found, axis=0) - [0.75, 0.9, 0.95]).max() < 0.025


def test_what_is_none_of_the_classes_is_rejected() -> None:
    x, targets = clouds(5, 20)
    rejection = learned(x, targets)
    far = np.random.default_rng(3).normal(size=(200, 24))
    other = clouds(5, 40, seed=9)[0]  # other classes that share the direction
    assert np.mean(scores(rejection, far) >= threshold_of(rejection)) < 0.05
    assert np.mean(scores(rejection, other) >= threshold_of(rejection)) < 0.3


def test_copies_of_an_image_do_not_vouch_for_it() -> None:
    x, targets = clouds(4, 5)
    once = learned(x, targets).thresholds
    order = np.random.default_rng(0).permutation(2 * len(x))
    twice = learned(np.tile(x, (2, 1))[order], np.tile(targets, 2)[order]).thresholds
    shared = sorted(once.keys() & twice.keys())
    assert len(shared) > 4
    naive = learned(
        np.tile(x, (2, 1)), np.tile(targets, 2), groups=np.arange(2 * len(x))
    ).thresholds  # every copy on its own
    assert naive[50.0] > twice[50.0] + 0.05
    assert twice[50.0] == pytest.approx(once[50.0], abs=0.01)


def test_how_long_features_are_does_not_matter() -> None:
    x, targets = clouds(3, 20)
    rejection = learned(x, targets)
    for length in (1e25, 1e-25):
        np.testing.assert_allclose(scores(rejection, x * length), scores(rejection, x), atol=1e-5)
        again = learned(x * length, targets).thresholds
        assert again == pytest.approx(rejection.thresholds, abs=2e-5)


def test_few_images_promise_less() -> None:
    for images, most in ((1, None), (2, 80.0), (5, 90.0), (10, 95.0), (20, 97.5), (50, 99.0)):
        x, targets = clouds(2, images)
        found = learn_rejection(x, targets, 2)
        assert (None if found is None else max(found.thresholds)) == most, images
    x, targets = clouds(2, 5)
    rejection = learned(x, targets)
    assert usual_share(rejection) == 90.0
    assert threshold_of(rejection) == rejection.thresholds[90.0]
    with pytest.raises(OptionError, match=r"give a number from 50 to 90; more images of each class would"):
        threshold_of(rejection, 95)


def test_an_only_image_of_its_class_teaches_a_place_and_no_threshold() -> None:
    x, targets = clouds(3, 8)
    kept = (targets != 2) | (np.arange(len(x)) == 16)
    rejection = learned(x[kept], targets[kept])
    assert len(rejection.signs) == 3
    assert len(rules.own_scores(rules._unit(x[kept]), targets[kept], 3)) == 16


@pytest.mark.parametrize(("classes", "count"), [(1, 1), (2, 3)])
def test_nothing_is_learned_of_one_class_or_a_class_without_images(classes: int, count: int) -> None:
    assert learn_rejection(*clouds(classes, 8), count) is None


def test_many_images_are_drawn_from_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    x, targets = clouds(4, 50)
    monkeypatch.setattr(rules, "LARGEST", 60)
    some = rules.own_scores(rules._unit(x), targets, 4)
    monkeypatch.undo()
    every = rules.own_scores(rules._unit(x), targets, 4)
    assert len(some) == 60 and set(some.tolist()) <= set(every.tolist())
    assert abs(np.median(some) - np.median(every)) < 0.1


def test_identical_images_everywhere_do_not_break_it() -> None:
    assert learn_rejection(np.ones((8, 4)), np.arange(8) % 2, 2) is None  # none without its copies
    zeros = learn_rejection(np.zeros((8, 4)), np.arange(8) % 2, 2, groups=np.arange(8))
    assert zeros is not None and np.isfinite(list(zeros.thresholds.values())).all()


def test_between_two_percentages_it_is_interpolated() -> None:
    x, targets = clouds(3, 40)
    rejection = learned(x, targets)
    low, high = rejection.thresholds[95.0], rejection.thresholds[90.0]
    assert threshold_of(rejection, 92) == pytest.approx(high + 0.4 * (low - high))
    assert threshold_of(rejection, np.float32(90)) == threshold_of(rejection, np.int64(90)) == high


@pytest.mark.parametrize("share", [0.95, 100, 49.9, -1, float("nan"), "95", None, [95], False])
def test_what_is_no_percentage_is_refused(share: Any) -> None:
    with pytest.raises(OptionError, match=r"no percentage of own images .* give a number from 50 to 99"):
        threshold_of(learned(*clouds(3, 40)), share)


def test_part_of_the_taught_names_is_looked_for_alone() -> None:
    x, targets = clouds(4, 30)
    rejection = learned(x, targets)
    some = scores(rejection, x, rows_of(NAMES[:4], [NAMES[2].upper(), NAMES[0]]))
    every = scores(rejection, x)
    assert (some <= every).all()
    accepted = some >= threshold_of(rejection)
    asked = np.isin(targets, [0, 2])
    assert accepted[asked].mean() > 0.9 > 0.4 > accepted[~asked].mean()
    with pytest.raises(OptionError, match=r"'lynx' was not taught; ask for taught names, or do not reject"):
        rows_of(NAMES[:4], [NAMES[0], "lynx"])


# -- the classifier ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> tuple[np.ndarray, np.ndarray]:
    return toy_arrays(tiny_backbone)


@pytest.fixture
def classifier(tiny_backbone: Any, problem: Any) -> PromptClassifier:
    return PromptClassifier(tiny_backbone, epochs=2, cache=False).fit(*problem)


@pytest.fixture(scope="module")
def pictures() -> tuple[list[np.ndarray], list[str]]:
    """Three classes of noise over a pattern, 12 images of each."""
    draw = np.random.default_rng(0)
    patterns = draw.integers(0, 256, (3, 32, 32, 3))
    labels = np.arange(36) % 3
    noisy = patterns[labels] + draw.normal(0, 60, (36, 32, 32, 3))
    return list(noisy.clip(0, 255).astype(np.uint8)), [NAMES[label] for label in labels]


@pytest.mark.parametrize("method", ["rlp", "zero_shot", "linear_probe", "vpt"])
def test_it_is_learned_whatever_the_method(
    method: str, tiny_backbone: Any, pictures: Any, tmp_path: Path
) -> None:
    images, labels = pictures
    clf = PromptClassifier(tiny_backbone, method, epochs=1, cache=False).fit(images, labels)
    features = encode_images(tiny_backbone, images)[0]
    alone = learned(features, np.array([NAMES[:3].index(name) for name in labels]))
    order = [sorted(NAMES[:3]).index(name) for name in NAMES[:3]]
    assert np.array_equal(clf.rejection_.signs[order], alone.signs)
    assert clf.rejection_.thresholds == pytest.approx(alone.thresholds, abs=1e-4)
    found = clf.predict(images, reject=50)
    passed = clf.accepts(images, accepted=50)
    assert [name is not None for name in found] == passed.tolist() and 0 < passed.sum() < len(passed)
    assert (found[passed] == clf.predict(images)[passed]).all()
    clf.save(tmp_path / "a.prompt")
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert np.array_equal(loaded.predict(images, reject=50), found)
    assert np.array_equal(pickle.loads(pickle.dumps(clf)).accepts(images, accepted=50), passed)


def test_without_it_answers_and_files_are_what_they_were(
    classifier: PromptClassifier, problem: Any, tmp_path: Path
) -> None:
    assert classifier.predict(problem[0]).dtype.kind == "U"
    size = classifier.save(tmp_path / "with.prompt")
    assert load_prompt_file(tmp_path / "with.prompt").format_version == 4
    less = classifier.save(tmp_path / "without.prompt", rejection=False)
    assert load_prompt_file(tmp_path / "without.prompt").format_version == 3 and less < size
    classifier.rejection_ = None
    classifier.save(tmp_path / "never.prompt")
    assert (tmp_path / "never.prompt").read_bytes() == (tmp_path / "without.prompt").read_bytes()


def test_a_prompt_that_does_not_know_it_says_so(
    classifier: PromptClassifier, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    classifier.save(tmp_path / "without.prompt", rejection=False)
    classifier.save(tmp_path / "compact.prompt", compact=True)
    for name in ("without", "compact"):
        loaded = PromptClassifier.load(tmp_path / f"{name}.prompt", backbone=tiny_backbone)
        with pytest.raises(OptionError, match=r"does not know 'none of these'.*Fit it anew"):
            loaded.predict(["missing.jpg"], NAMES, reject=True)  # told before any image is read
        assert len(loaded.predict(problem[0], NAMES, reject=False)) == len(problem[0])


def test_names_never_taught_are_refused_and_images_none_are_fine(
    classifier: PromptClassifier, problem: Any
) -> None:
    with pytest.raises(OptionError, match="'lynx' was not taught"):
        classifier.predict(["missing.jpg"], [NAMES[0], "lynx"], reject=True)
    assert classifier.predict([], reject=True).tolist() == []
    found = classifier.predict(problem[0], iter([NAMES[1], NAMES[0]]), reject=True)
    assert {*found.tolist()} <= {NAMES[0], NAMES[1], None}


def test_it_must_be_of_the_backbone(classifier: PromptClassifier, tiny_backbone: Any, tmp_path: Path) -> None:
    file = classifier.prompt_file()
    wrong = Rejection(np.zeros(3), np.ones((len(file.class_names), 3)), {50: 0})
    object.__setattr__(file, "rejection", wrong)
    save_prompt_file(tmp_path / "a.prompt", file)
    with pytest.raises(PromptFileError, match="its rejection is of 3 features, and the backbone has"):
        PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)


def test_images_are_encoded_once_where_the_method_reads_features(
    classifier: PromptClassifier, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    encode = type(classifier.backbone_.images).encode

    def counted(self: Any, pixels: Any, *rest: Any) -> Any:
        calls.append(len(pixels))
        return encode(self, pixels, *rest)

    monkeypatch.setattr(type(classifier.backbone_.images), "encode", counted)
    classifier.predict(pictures[0][:3], reject=True)
    assert sum(calls) == 3


def test_rows_that_are_equal_are_one_group() -> None:
    x = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
    x[4], x[8], x[2, 1] = x[1], x[1], 0.0
    x[6] = x[2]
    x[6, 1] = -0.0  # the same number
    wanted = np.unique(x, axis=0, return_inverse=True)[1].ravel()
    found = _alike(x)
    assert found.tolist() == [0, 1, 2, 3, 1, 5, 2, 7, 1]
    assert np.array_equal(found[:, None] == found, wanted[:, None] == wanted)
