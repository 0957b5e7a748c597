"""Where scikit-learn's contract applies, by its own checks and its own tools.

`NOT_APPLICABLE` says which checks do not, and why. The checks bring features of any width; those of Promptlet
are as wide as their backbone, so a backbone is made for each width (`any_width`).
"""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from any_width import LABEL_NAMES, AnyWidthClassifier
from learning_toys import toy_arrays
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from promptlet import PromptClassifier, load_backbone
from promptlet.data import FeatureCache
from promptlet.errors import OptionError
from promptlet.training import SCHEDULES, EpochReport

NOT_APPLICABLE = {
    "check_fit_score_takes_y": "the second argument of fit and score is called labels, not y",
    "check_n_features_in_after_fitting": "it calls score(X, y=y), and the argument is called labels; what "
    "predict and predict_proba say of another width is tested below",
    "check_estimators_dtypes": "as whole numbers its features hold rows of zeros alone, which have no "
    "direction and are refused",
    "check_dtype_object": "features that hold no numbers are refused by a DataError, a ValueError; it "
    "expects a TypeError",
}
"""Checks of scikit-learn that do not apply, by name, with the reason."""


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> tuple[np.ndarray, np.ndarray]:
    return toy_arrays(tiny_backbone)


OF_THE_LAST_RELEASE = (
    "backbone method rank n_ctx ctx_init shots views schedule epochs lr batch_size seed new_names "
    "method_options device cache checkpoint on_epoch on_encode label_names image_column label_column verbose "
    "start_from"
)


def test_parameters_that_were_given_by_place_mean_the_same() -> None:
    names = list(inspect.signature(PromptClassifier).parameters)
    assert " ".join(names).startswith(OF_THE_LAST_RELEASE + " ")


def quick(backbone: Any, **options: Any) -> PromptClassifier:
    return PromptClassifier(**{"backbone": backbone, "epochs": 2, "cache": False, **options})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@estimator_checks.parametrize_with_checks(
    [AnyWidthClassifier(method="linear_probe", cache=False, label_names=LABEL_NAMES)],
    expected_failed_checks=lambda _: NOT_APPLICABLE,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("call", ["predict", "predict_proba"])
def test_features_of_another_width_are_told_in_scikit_learns_words(
    call: str, tiny_backbone: Any, problem: Any
) -> None:
    clf = quick(tiny_backbone).fit(*problem)
    with pytest.raises(ValueError, match="X has 3 features, but PromptClassifier is expecting 16 features"):
        getattr(clf, call)(problem[0][:, :3])
    assert clf.n_features_in_ == 16


def test_it_is_a_classifier(tiny_backbone: Any) -> None:
    assert is_classifier(PromptClassifier())


def test_parameters_are_stored_as_given_and_fit_leaves_them(tiny_backbone: Any, problem: Any) -> None:
    def report(epoch: EpochReport) -> None: ...

    given: dict[str, Any] = {
        "backbone": tiny_backbone,
        "n_ctx": np.int64(3),
        "rank": 2,
        "schedule": SCHEDULES["coop"],
        "method_options": {"dropout": 0.2},
        "cache": False,
        "epochs": 1,
        "on_epoch": report,
        "seed": 0,
        "shots": 3,
    }
    clf = PromptClassifier(**given)
    clf.fit(*problem)
    assert all(getattr(clf, name) is value for name, value in given.items())
    assert set(clf.get_params()) == set(inspect.signature(PromptClassifier).parameters)


def test_clone_shares_the_backbone_and_forgets_what_was_learned(tiny_backbone: Any, problem: Any) -> None:
    clf = quick(tiny_backbone).fit(*problem)
    copied = clone(clf)
    assert copied.backbone is tiny_backbone
    assert not hasattr(copied, "method_")
    assert clone(quick(tiny_backbone, cache=FeatureCache("x"))).cache.path == FeatureCache("x").path


def test_fit_returns_self_and_learned_values_end_in_an_underscore(tiny_backbone: Any, problem: Any) -> None:
    clf = quick(tiny_backbone)
    before = set(vars(clf))
    assert clf.fit(*problem) is clf
    assert all(name.endswith("_") or name.startswith("_") for name in set(vars(clf)) - before)
    assert clf.classes_.tolist() == sorted(set(problem[1]))


def test_repr_names_what_differs_from_the_defaults(tiny_backbone: Any) -> None:
    text = repr(quick(tiny_backbone, rank=2))
    assert "rank=2" in text
    assert "n_ctx" not in text
    quick(tiny_backbone)._repr_html_()


@pytest.mark.parametrize(
    "call", ["predict", "predict_proba", "score", "save", "class_features", "prompt_file"]
)
def test_unfitted_says_so(call: str, tiny_backbone: Any, problem: Any, tmp_path: Path) -> None:
    arguments = {
        "score": problem,
        "save": (tmp_path / "x.prompt",),
        "class_features": (),
        "prompt_file": (),
    }
    with pytest.raises(NotFittedError, match=r"not fitted yet\. Call 'fit'"):
        getattr(quick(tiny_backbone), call)(*arguments.get(call, (problem[0],)))


def test_a_fit_that_fails_leaves_no_mixture(tiny_backbone: Any, problem: Any) -> None:
    clf = quick(tiny_backbone).fit(*problem)
    with pytest.raises(OptionError):
        clf.set_params(rank=99).fit(*problem)
    with pytest.raises(NotFittedError):
        clf.predict(problem[0])


def test_refused_labels_leave_the_old_fit(tiny_backbone: Any, problem: Any) -> None:
    clf = quick(tiny_backbone).fit(*problem)
    with pytest.raises(ValueError, match="labels"):
        clf.fit(problem[0], problem[1][:3])
    assert len(clf.predict(problem[0])) == len(problem[0])


def test_set_params_after_fit_changes_nothing_learned(
    tiny_backbone: Any, problem: Any, tmp_path: Path
) -> None:
    clf = quick(tiny_backbone).fit(*problem)
    expected = clf.predict_proba(problem[0])
    size = clf.save(tmp_path / "before.prompt")
    clf.set_params(n_ctx=7, rank=3, method="coop")
    assert np.array_equal(clf.predict_proba(problem[0]), expected)
    assert clf.save(tmp_path / "after.prompt") == size
    assert (tmp_path / "before.prompt").read_bytes() == (tmp_path / "after.prompt").read_bytes()


def test_fitting_twice_gives_the_same_bits(tiny_backbone: Any, problem: Any) -> None:
    clf = quick(tiny_backbone, shots=2)
    first = clf.fit(*problem).predict_proba(problem[0])
    assert np.array_equal(clf.fit(*problem).predict_proba(problem[0]), first)


@pytest.mark.parametrize("fitted", [False, True])
def test_deepcopy_shares_the_backbone(fitted: bool, tiny_backbone: Any, problem: Any) -> None:
    clf = quick(tiny_backbone)
    if fitted:
        clf.fit(*problem)
    copied = copy.deepcopy(clf)
    assert copied.backbone is tiny_backbone
    if fitted:
        assert np.array_equal(copied.predict_proba(problem[0]), clf.predict_proba(problem[0]))


def test_pickle_and_joblib_carry_the_prompt_and_the_backbones_name(
    tiny_backbone: Any, problem: Any, tmp_path: Path
) -> None:
    clf = quick(tiny_backbone).fit(*problem)
    expected = clf.predict_proba(problem[0])
    data = pickle.dumps(clf)
    assert len(data) < 20_000
    assert np.array_equal(pickle.loads(data).predict_proba(problem[0]), expected)
    assert pickle.loads(data).backbone is tiny_backbone
    joblib.dump(clf, tmp_path / "clf.joblib")
    assert np.array_equal(joblib.load(tmp_path / "clf.joblib").predict_proba(problem[0]), expected)


def test_a_pickle_loads_the_backbone_where_there_is_none(
    tiny_backbone: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.backbones import pickling

    clf = quick(tiny_backbone).fit(*problem)
    data = pickle.dumps(clf)
    monkeypatch.setattr(pickling, "_loaded", type(pickling._loaded)())
    other = pickle.loads(data)
    assert other.backbone is not tiny_backbone
    assert other.backbone is other.backbone_
    assert other.backbone is other.method_.backbone
    np.testing.assert_allclose(other.predict_proba(problem[0]), clf.predict_proba(problem[0]), atol=1e-6)


def test_cross_validation_grid_search_and_pipelines(tiny_backbone: Any, problem: Any, tmp_path: Path) -> None:
    scores = cross_val_score(quick(tiny_backbone), *problem, cv=2)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(quick(tiny_backbone), {"n_ctx": np.arange(3, 5), "seed": [0, 1]}, cv=2)
    search.fit(*problem)
    assert search.best_estimator_.save(tmp_path / "best.prompt", rejection=False) < 1000
    pipeline = make_pipeline(FunctionTransformer(), quick(tiny_backbone)).fit(*problem)
    assert 0 <= pipeline.score(*problem) <= 1


def test_a_backbone_of_a_class_of_ones_own_travels_too() -> None:
    backbone = load_backbone("mini")

    class Mine(type(backbone)):  # type: ignore[misc]
        pass

    own = Mine.__new__(Mine)
    vars(own).update(vars(backbone))
    assert pickle.loads(pickle.dumps(own)) is own
