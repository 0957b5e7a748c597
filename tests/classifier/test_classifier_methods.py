"""Methods of every kind behind the one classifier: reading images, tuned on validation, image by image."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import NAMES, toy_arrays, toy_pictures
from sklearn.base import clone

from promptlet import PromptClassifier
from promptlet.errors import DataError, OptionError, PromptFileError, PromptletError
from promptlet.methods import METHODS, build_method
from promptlet.methods.method import FEATURES
from promptlet.promptfile import save_prompt_file

OWN = {"cocoop": {"batch_size": 5}, "clip_lora": {}, "clip_svd": {}, "two_sfs": {}, "promptsrc": {}}


def data(backbone: Any, method: str) -> tuple[Any, np.ndarray]:
    """Features or pictures, as the method reads them, and names."""
    if METHODS[method].info.reads == FEATURES:
        return toy_arrays(backbone)
    inputs, labels = toy_pictures(backbone)
    return inputs.sources, np.array(NAMES)[labels.numpy()]


def quick(backbone: Any, method: str, **options: Any) -> PromptClassifier:
    given = {"epochs": 2, "cache": False, **OWN.get(method, {}), **options}
    return PromptClassifier(backbone, method=method, **given)


@pytest.mark.parametrize("method", METHODS)
def test_fit_predict_save_load(method: str, tiny_backbone: Any, tmp_path: Path) -> None:
    images, labels = data(tiny_backbone, method)
    clf = quick(tiny_backbone, method).fit(images, labels)
    assert clf.predict(images).shape == labels.shape
    probabilities = clf.predict_proba(images)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    clf.save(tmp_path / "it.prompt")
    loaded = PromptClassifier.load(tmp_path / "it.prompt", backbone=tiny_backbone)
    assert np.array_equal(loaded.predict_proba(images), probabilities)
    assert loaded.method == method
    refit = clone(loaded).set_params(cache=False, epochs=2).fit(images, labels)
    assert sum(a.size for a in refit.method_.state().values()) == sum(
        a.size for a in clf.method_.state().values()
    )


@pytest.mark.parametrize("method", METHODS)
def test_other_names_are_answered_or_refused(method: str, tiny_backbone: Any) -> None:
    images, labels = data(tiny_backbone, method)
    clf = quick(tiny_backbone, method).fit(images, labels)
    if METHODS[method].info.unseen_classes:
        assert clf.predict_proba(images[:3], class_names=["a boat", "a tree"]).shape == (3, 2)
    else:
        with pytest.raises(OptionError, match="knows only its 5 classes"):
            clf.predict(images, class_names=["a boat", "a tree"])
    assert clf.predict(images[:1]).shape == (1,)  # goes on working


COARSE = ["int4", "kmeans1"]
FINER = [pytest.param(p, marks=pytest.mark.slow) for p in ("fp16", "int8", "kmeans4", "kmeans2")]


@pytest.mark.parametrize("precision", [*COARSE, *FINER])
@pytest.mark.parametrize("method", METHODS)
def test_any_precision_can_be_read_again(
    method: str, precision: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    images, labels = data(tiny_backbone, method)
    clf = quick(tiny_backbone, method, epochs=1).fit(images, labels)
    clf.save(tmp_path / "it.prompt", precision)
    loaded = PromptClassifier.load(tmp_path / "it.prompt", backbone=tiny_backbone)
    answers = loaded.predict_proba(images)
    assert np.isfinite(answers).all()
    assert np.array_equal(clf.round_to(precision).predict_proba(images), answers)


@pytest.mark.parametrize("method", [m for m, kind in METHODS.items() if kind.info.reads != FEATURES])
def test_features_are_no_images(method: str, tiny_backbone: Any) -> None:
    features, labels = toy_arrays(tiny_backbone)
    with pytest.raises(DataError, match="needs images, not features; give images, or a method"):
        quick(tiny_backbone, method).fit(features, labels)


def test_validation_images_choose_tips_alpha(tiny_backbone: Any) -> None:
    features, labels = toy_arrays(tiny_backbone)
    plain = quick(tiny_backbone, "tip_adapter").fit(features, labels)
    tuned = quick(tiny_backbone, "tip_adapter").fit(features, labels, features, labels)
    assert plain.method_.alpha == METHODS["tip_adapter"].info.options["alpha"]
    assert tuned.method_.alpha != plain.method_.alpha
    assert tuned.score(features, labels) >= plain.score(features, labels)


def test_validation_images_of_other_classes_are_left_out_and_odd_ones_refused(tiny_backbone: Any) -> None:
    features, labels = toy_arrays(tiny_backbone)
    more = np.concatenate([labels, ["a boat"]])
    clf = quick(tiny_backbone, "tip_adapter")
    clf.fit(features, labels, np.concatenate([features, features[:1]]), more)
    assert clf.classes_.tolist() == sorted(NAMES)
    with pytest.raises(DataError, match="no validation label is one of the 5 classes"):
        clf.fit(features, labels, features[:2], ["a boat", "a tree"])
    with pytest.raises(DataError, match="val_images and val_labels go together"):
        clf.fit(features, labels, features)


def test_cocoop_has_no_class_features(tiny_backbone: Any) -> None:
    clf = quick(tiny_backbone, "cocoop").fit(*toy_arrays(tiny_backbone))
    with pytest.raises(OptionError, match="depend on the image"):
        clf.class_features()


def test_n_ctx_is_the_methods_own_unless_given(tiny_backbone: Any) -> None:
    images, labels = data(tiny_backbone, "maple")
    assert quick(tiny_backbone, "maple", epochs=1).fit(images, labels).method_.n_ctx == 2
    assert quick(tiny_backbone, "maple", epochs=1, n_ctx=4).fit(images, labels).method_.n_ctx == 4


def test_a_compact_file_is_answered_from_with_names_and_backbone(tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_arrays(tiny_backbone)
    clf = quick(tiny_backbone, "qcoop", rank=1).fit(features, labels)
    size = clf.save(tmp_path / "it.prompt", compact=True)
    assert size == (tmp_path / "it.prompt").stat().st_size < 300
    with pytest.raises(PromptFileError, match=r"does not name its backbone; give it: load\(path, backbone="):
        PromptClassifier.load(tmp_path / "it.prompt")
    loaded = PromptClassifier.load(tmp_path / "it.prompt", backbone=tiny_backbone)
    with pytest.raises(DataError, match="saved without class names"):
        loaded.predict(features)
    names = sorted(NAMES)
    assert np.array_equal(loaded.predict_proba(features, names), clf.predict_proba(features))


@pytest.mark.parametrize("method", ["linear_probe", "tip_adapter", "tip_adapter_f"])
def test_what_belongs_to_class_names_is_not_saved_without_them(
    method: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = quick(tiny_backbone, method).fit(*toy_arrays(tiny_backbone))
    with pytest.raises(OptionError, match="belongs to its class names"):
        clf.save(tmp_path / "it.prompt", compact=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", [m for m, kind in METHODS.items() if not kind.info.by_class])
def test_every_other_method_can_be_saved_compact(method: str, tiny_backbone: Any, tmp_path: Path) -> None:
    images, labels = data(tiny_backbone, method)
    clf = quick(tiny_backbone, method, epochs=1).fit(images, labels)
    clf.save(tmp_path / "it.prompt", compact=True)
    loaded = PromptClassifier.load(tmp_path / "it.prompt", backbone=tiny_backbone)
    answers = loaded.predict_proba(images, class_names=sorted(NAMES))
    np.testing.assert_allclose(answers, clf.predict_proba(images), atol=1e-6)


HOSTILE = [1e5, 10**6, 10**9, 2**53 - 1, -(10**9), 0, 1.5, 1e300, "x" * 1000, "{}" * 300, None, True]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("cocoop", {"hidden": 10**6}, "hidden=1000000 is larger than anything a method learns; up to 16,384"),
        ("vpt", {"n_ctx": 16384}, "n_ctx=16384 is outside 1 to 1,024"),
        ("clip_lora", {"towers": 3}, "towers=3 is not known; allowed: both"),
        ("coop", {"per_class": 1}, "per_class=1 is neither true nor false"),
        (
            "cocoop",
            {"n_ctx": 5e5, "ctx_init": "random"},
            "n_ctx=500000.0 is not allowed; give a",
        ),
        ("linear_probe", {"C": "much"}, "C='much' is no number"),
        ("rlp", {"init_std": 1e300}, "init_std=1e+300 is not a number from -1e+12 to 1e+12"),
        ("kgcoop", {"weight": float("nan")}, "weight=nan is not a number from"),
    ],
)
def test_sizes_and_kinds_that_no_method_has(
    method: str, options: Any, message: str, tiny_backbone: Any
) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        build_method(method, tiny_backbone, ["cat", "dog"], **options)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_options_that_a_file_asks_for_are_taken_or_refused_in_little_memory(
    method: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    """A small file may say any size: nothing is built of it that would fill the memory."""
    images, labels = data(tiny_backbone, method)
    file = quick(tiny_backbone, method, epochs=1).fit(images, labels).prompt_file()
    before = peak_mebibytes()
    for name in {*file.options, *METHODS[method].info.options}:
        for value in HOSTILE:
            try:
                changed = replace(file, options={**file.options, name: value})
                save_prompt_file(tmp_path / "it.prompt", changed)
                PromptClassifier.load(tmp_path / "it.prompt", backbone=tiny_backbone)
            except PromptletError as error:
                assert len(str(error)) < 2000
    assert peak_mebibytes() - before < 300


def peak_mebibytes() -> float:
    resource = pytest.importorskip("resource", reason="POSIX")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
