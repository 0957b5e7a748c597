"""What may be given to fit, predict and score, and what is answered to the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_arrays
from PIL import Image

from promptlet import PromptClassifier
from promptlet.data import FeatureCache
from promptlet.errors import DataError, ImageError, OptionError

COLOURS = {"red_box": (200, 20, 20), "blue_box": (20, 20, 200), "green_box": (20, 200, 20)}


class Series:
    """As much of a pandas Series as matters: iterates over its values, indexes by label."""

    def __init__(self, values: Any) -> None:
        self.values = list(values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, label: Any) -> Any:
        raise KeyError(label)


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> tuple[np.ndarray, np.ndarray]:
    return toy_arrays(tiny_backbone)


@pytest.fixture
def quick(tiny_backbone: Any) -> Callable[..., PromptClassifier]:
    def make(**options: Any) -> PromptClassifier:
        return PromptClassifier(**{"backbone": tiny_backbone, "epochs": 2, "cache": False, **options})

    return make


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """A folder per class, four noisy pictures of one colour each."""
    draw = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (tmp_path / "boxes" / name).mkdir(parents=True)
        for i in range(4):
            pixels = np.clip(np.array(colour) + draw.integers(-20, 20, (40, 36, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "boxes" / name / f"{i}.png")
    return tmp_path / "boxes"


def listed(boxes: Path) -> tuple[list[Path], list[str]]:
    paths = sorted(boxes.glob("*/*.png"))
    return paths, [path.parent.name for path in paths]


# -- pictures -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_paths_pictures_arrays_and_features_give_the_same(
    quick: Any, boxes: Path, tiny_backbone: Any
) -> None:
    from promptlet.features import encode_images

    paths, labels = listed(boxes)
    pictures = [Image.open(path).convert("RGB") for path in paths]
    arrays = [np.asarray(picture) for picture in pictures]
    mixed = [str(paths[0]), *paths[1:4], *pictures[4:8], *arrays[8:]]
    features = encode_images(tiny_backbone, paths)[0]
    kinds = [paths, [str(p) for p in paths], pictures, arrays, np.stack(arrays), mixed, features]
    kinds += [torch.from_numpy(features), features.tolist(), list(features), iter(paths), Series(paths)]
    kinds += [tuple(paths), np.array([str(p) for p in paths]), np.array(paths, dtype=object)]
    expected = quick().fit(paths, labels).predict_proba(paths)
    for kind in kinds:
        clf = quick().fit(kind, labels)
        np.testing.assert_allclose(clf.predict_proba(paths), expected, atol=1e-5)


def test_a_single_picture_is_answered_with_one_row(quick: Any, boxes: Path) -> None:
    paths, labels = listed(boxes)
    clf = quick().fit(paths, labels)
    picture = Image.open(paths[0]).convert("RGB")
    for single in (paths[0], str(paths[0]), picture, np.asarray(picture)):
        assert clf.predict(single).shape == (1,)
        assert clf.predict_proba(single).shape == (1, 3)


def test_no_pictures_are_answered_with_no_rows(quick: Any, problem: Any) -> None:
    clf = quick().fit(*problem)
    assert clf.predict([]).shape == (0,)
    assert clf.predict_proba([]).shape == (0, len(NAMES))
    assert clf.predict_proba(np.zeros((0, 16)), class_names=["a", "b"]).shape == (0, 2)


def test_a_folder_will_do_for_fit_and_score(quick: Any, boxes: Path) -> None:
    clf = quick().fit(boxes)
    assert clf.classes_.tolist() == ["blue box", "green box", "red box"]
    assert clf.class_names_ == ("blue box", "green box", "red box")
    paths, labels = listed(boxes)
    hits = [p == name.replace("_", " ") for p, name in zip(clf.predict(paths), labels, strict=True)]
    assert clf.score(str(boxes)) == pytest.approx(np.mean(hits))
    assert any(hits)


def test_labels_with_underscores_stay_as_given(quick: Any, boxes: Path) -> None:
    paths, labels = listed(boxes)
    clf = quick().fit(paths, labels)
    assert clf.classes_.tolist() == ["blue_box", "green_box", "red_box"]
    assert clf.class_names_ == ("blue box", "green box", "red box")
    predicted = clf.predict(paths)
    assert set(predicted) <= set(labels)
    assert clf.score(paths, predicted) == 1.0
    assert clf.score(paths, [name.replace("_", " ").upper() for name in predicted]) == 1.0
    assert clf.score(boxes) == clf.score(paths, labels) > 0  # a folder's classes have spaces


def test_views_shots_and_short_classes(quick: Any, boxes: Path) -> None:
    (boxes / "red_box" / "0.png").unlink()
    clf = quick(shots=4, views=2).fit(boxes)
    assert clf.short_classes_ == ("red box",)
    assert clf.training_["images"] == 11
    assert quick(shots=3).fit(boxes).short_classes_ == ()


def test_shots_draw_by_seed_and_independently_of_the_labels_order(quick: Any, problem: Any) -> None:
    features, labels = problem
    draws = {}
    for seed in (0, 1, 2):
        clf = quick(shots=2, seed=seed).fit(features, labels)
        assert clf.training_["images"] == 2 * len(NAMES)
        draws[seed] = clf.predict_proba(features).tobytes()
    assert len(set(draws.values())) == 3


def test_pictures_are_cached_where_asked(
    quick: Any, boxes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path / "one")
    quick(cache=cache).fit(boxes)
    assert cache.stats().entries == 12
    quick(cache=tmp_path / "two", views=2).fit(boxes)
    assert FeatureCache(tmp_path / "two").stats().entries == 24
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "three"))
    quick(cache=True).fit(boxes)
    assert FeatureCache(tmp_path / "three").stats().entries == 12


def test_progress_of_encoding_and_of_training_is_told(quick: Any, boxes: Path) -> None:
    encoded: list[tuple[int, int]] = []
    epochs: list[int] = []
    clf = quick(
        on_encode=lambda done, total: encoded.append((done, total)), on_epoch=lambda r: epochs.append(r.epoch)
    ).fit(boxes)
    assert encoded == [(0, 12), (12, 12)]
    assert epochs == [1, 2]
    assert [r.epoch for r in clf.history_] == [1, 2]
    assert clf.history_records()[0]["epoch"] == 1


def test_a_bad_picture_is_named(quick: Any, boxes: Path) -> None:
    (boxes / "red_box" / "1.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"red_box/1\.png: this is not an image"):
        quick().fit(boxes)


def test_an_interrupted_fit_goes_on(quick: Any, problem: Any, tmp_path: Path) -> None:
    def press(report: Any) -> None:
        if report.epoch == 3:
            raise KeyboardInterrupt

    whole = quick(epochs=6).fit(*problem)
    path = tmp_path / "fit.ckpt"
    clf = quick(epochs=6, checkpoint=str(path), on_epoch=press)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*problem)
    assert path.exists()
    clf.set_params(on_epoch=None).fit(*problem)
    assert np.array_equal(clf.predict_proba(problem[0]), whole.predict_proba(problem[0]))
    assert not path.exists()


# -- labels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        np.array,
        iter,
        Series,
        lambda y: [np.str_(name) for name in y],
        lambda y: np.array(y, dtype=object),
        lambda y: (name for name in y),
    ],
)
def test_labels_may_come_in_any_sequence(kind: Any, quick: Any, problem: Any) -> None:
    features, labels = problem
    expected = quick().fit(features, labels)
    clf = quick().fit(features, kind(labels.tolist()))
    assert clf.classes_.tolist() == expected.classes_.tolist()
    assert np.array_equal(clf.predict_proba(features), expected.predict_proba(features))
    assert clf.score(features, kind(labels.tolist())) == expected.score(features, labels)


def test_class_names_with_commas_quotes_and_accents(quick: Any, problem: Any) -> None:
    features, labels = problem
    odd = dict(zip(NAMES, ["a, b", "it's", "café", "{x}", "50% grey"], strict=True))
    clf = quick().fit(features, [odd[name] for name in labels])
    assert set(clf.predict(features)) <= set(odd.values())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["cat"], "20 images but 1 labels; give one label per image"),
        ("cat", "labels is the text 'cat'; give one class name per image"),
        (list(range(20)), "label 0 is a int; labels are class names in words.*Map numbers to names first"),
        (np.arange(20), "label .*0.* is a int64; labels are class names in words"),
        ([None] * 20, "a label has no value in row 0 .*20 of 20 rows, None"),
        ([b"cat"] * 20, "is a bytes"),
        (["cat"] * 20, "there is only one class, 'cat'"),
        (["cat"] * 19 + [""], "the class name '' is empty"),
        (["red_box"] * 10 + ["red box"] * 10, "differ only by '_', case or spaces"),
        (["Cat"] * 10 + ["cat"] * 10, "differ only by '_', case or spaces"),
        (None, "labels are missing: give one class name per image, or a folder"),
    ],
)
def test_labels_that_are_refused(labels: Any, message: str, quick: Any, problem: Any) -> None:
    with pytest.raises(DataError, match=message):
        quick().fit(problem[0], labels)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images given"),
        (np.zeros((0, 16)), "no images given"),
    ],
)
def test_nothing_to_fit_is_refused(images: Any, message: str, quick: Any) -> None:
    with pytest.raises(DataError, match=message):
        quick().fit(images, [])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (5, "images is a int; give paths"),
        (None, "images is a NoneType"),
        (np.ones((2, 7)), "features of 7 numbers do not fit this backbone, which has 16"),
        ([np.ones(16), np.ones(15)], "the features differ in length"),
        ([np.ones(16), "a.jpg"], "hold no numbers"),
        (np.full((2, 16), np.nan), r"features\[0\] holds a number that is NaN or infinite"),
        (np.full((2, 16), 1e300), "NaN or infinite"),
        (["missing.jpg"], "missing.jpg: there is no such file"),
        ([{}], "dict is no image"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_images_that_are_refused(images: Any, message: str, quick: Any, problem: Any) -> None:
    with pytest.raises(DataError, match=message):
        quick().fit(*problem).predict(images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "coopp"}, "method='coopp' is not known.*Did you mean 'coop'"),
        ({"schedule": "fsat"}, "schedule='fsat' is not known.*Did you mean 'fast'"),
        ({"rank": "1"}, "rank='1' is not allowed; give a whole number"),
        ({"rank": 9}, r"rank=9 is outside 1\.\.4"),
        ({"n_ctx": 2.5}, "n_ctx=2.5 is not allowed; give a whole number"),
        ({"n_ctx": 0}, "n_ctx=0 is outside"),
        ({"epochs": 1.5}, "epochs=1.5 is not allowed"),
        ({"shots": 0}, "shots=0 is outside 1 and more"),
        ({"seed": "x"}, "seed='x' is not allowed"),
        ({"method": "coop", "rank": 2}, "method 'coop' has no option 'rank'"),
        ({"method": "zero_shot", "ctx_init": "a dog"}, "method 'zero_shot' has no option 'ctx_init'"),
        ({"method_options": {"dropuot": 0.1}}, "no option 'dropuot'.*Did you mean 'dropout'"),
        ({"method_options": {"rank": 2}}, "method_options holds 'rank'; give it as rank=... itself"),
        ({"lr": -1}, "lr=-1 must be a number above 0"),
        ({"method": None}, "method='None' is not known"),
        ({"ctx_init": 5}, "ctx_init=5 is not allowed; give words"),
        ({"seed": -1, "ctx_init": "random"}, "seed=-1 is outside 0 and more"),
        ({"method_options": ["dropout"]}, "give a dict such as"),
        ({"method_options": {"dropout": "0.1"}}, "dropout='0.1' is no number"),
        ({"method_options": {"init_std": float("nan")}}, "init_std=nan is not a number from"),
        ({"batch_size": 0}, "batch_size=0 is outside"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str, quick: Any, problem: Any) -> None:
    with pytest.raises(OptionError, match=message):
        quick(**options).fit(*problem)


def test_views_below_one_are_refused_for_pictures(quick: Any, boxes: Path) -> None:
    with pytest.raises(OptionError, match="views=0 is outside"):
        quick(views=0).fit(boxes)


# -- answers --------------------------------------------------------------------------------------------


def test_probabilities_sum_to_one_and_predict_is_their_largest(quick: Any, problem: Any) -> None:
    clf = quick().fit(*problem)
    probabilities = clf.predict_proba(problem[0])
    assert probabilities.shape == (20, 5)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert np.array_equal(clf.predict(problem[0]), clf.classes_[probabilities.argmax(1)])


@pytest.mark.parametrize("kind", [list, tuple, np.array, iter, Series])
def test_other_names_may_be_asked_for(kind: Any, quick: Any, problem: Any) -> None:
    names = ["red_box", "a, b", "cat"]
    clf = quick().fit(*problem)
    probabilities = clf.predict_proba(problem[0], class_names=kind(names))
    assert probabilities.shape == (20, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    predicted = clf.predict(problem[0], class_names=kind(names))
    assert predicted.tolist() == [names[i] for i in probabilities.argmax(1)]
    assert clf.class_features(kind(names)).shape == (3, 16)


def test_asking_for_other_names_leaves_the_own_ones(quick: Any, problem: Any) -> None:
    clf = quick().fit(*problem)
    before = clf.predict_proba(problem[0])
    clf.predict(problem[0], class_names=["x", "y"])
    assert clf.method_.class_names == clf.class_names_
    assert np.array_equal(clf.predict_proba(problem[0]), before)
    own = clf.predict_proba(problem[0], class_names=clf.classes_)
    assert np.array_equal(own, before)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a,b", "class_names is the text 'a,b'; give a list of names"),
        ([1, 2], "class_names holds 1; names are words"),
        ([None, "a"], "class_names holds None"),
        ([], "class_names: there is no class"),
        (["a"], "class_names: there is only one class, 'a'"),
        (["a", "a"], "class_names: the class name 'a' is there twice"),
        (["a", " "], "class_names: the class name ' ' is empty"),
        (["a", "long " * 90], "Shorten the name or lower n_ctx"),
    ],
)
def test_names_that_are_refused(names: Any, message: str, quick: Any, problem: Any) -> None:
    clf = quick().fit(*problem)
    with pytest.raises(DataError, match=message):
        clf.predict(problem[0], class_names=names)
    assert len(clf.predict(problem[0])) == 20  # goes on working


def test_class_features_are_encoded_once(quick: Any, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clf = quick().fit(*problem)
    encoded: list[tuple[str, ...]] = []
    own = clf.method_.learned_features
    monkeypatch.setattr(
        clf.method_, "learned_features", lambda: (encoded.append(clf.method_.class_names), own())[1]
    )
    for _ in range(3):
        clf.predict(problem[0])
        clf.predict(problem[0], class_names=["x", "y"])
    assert encoded == [clf.class_names_, ("x", "y")]
    clf.fit(*problem)
    clf.predict(problem[0])
    assert len(encoded) == 2  # of the former method


def test_score_is_the_share_of_hits(quick: Any, problem: Any) -> None:
    features, labels = problem
    clf = quick().fit(features, labels)
    hits = clf.predict(features) == labels
    assert clf.score(features, labels) == hits.mean()
    weights = np.arange(20)
    assert clf.score(features, labels, weights) == pytest.approx((hits * weights).sum() / weights.sum())


def test_score_with_labels_it_does_not_know(quick: Any, problem: Any) -> None:
    features, labels = problem
    clf = quick().fit(features, labels)
    some = np.where(np.arange(20) < 10, labels, "aeroplane")
    expected = (clf.predict(features)[:10] == labels[:10]).sum() / 20
    assert clf.score(features, some) == pytest.approx(expected)
    with pytest.raises(
        DataError, match=r"no label is one of the 5 classes.*'bxo' is not.*Did you mean 'box'"
    ):
        clf.score(features, ["bxo"] * 20)
    with pytest.raises(DataError, match="20 images but 2 labels"):
        clf.score(features, ["cat", "dog"])
