"""Pickles of fitted classifiers that were made before the methods had rooms of their own."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from promptlet.methods import METHODS
from promptlet.methods.catalog import OURS
from promptlet.moved import MOVED

SINCE = {"dekg", "gda", "zs_lp", "clap", "lp_pp", "prolip", "clip_svd", "two_sfs"}
"""Methods that never had another name."""
GOLDEN = Path(__file__).parent / "golden"
ANSWERS = {  # printed when the pickles were made
    "rlp": [[0.904813289642334, 0.0951867550611496], [0.000882419990375638, 0.9991175532341003]],
    "linear_probe": [[0.15511617064476013, 0.8448837995529175], [0.8384556770324707, 0.1615443080663681]],
}


@pytest.mark.parametrize("method", ANSWERS)
def test_older_pickles_answer_as_they_did(method: str) -> None:
    old = pickle.loads((GOLDEN / f"{method}-before-rooms.pickle").read_bytes())
    images = np.random.default_rng(0).normal(size=(8, old.backbone_.feature_dim)).astype("float32")[:2]
    assert old.predict_proba(images) == pytest.approx(np.array(ANSWERS[method]), abs=1e-4)
    assert pickle.loads(pickle.dumps(old)).predict_proba(images) == pytest.approx(old.predict_proba(images))


def test_every_method_that_moved_is_found_under_its_old_name() -> None:
    found = {
        value
        for name in [*MOVED, "methods.zero_shot"]
        for value in vars(import_module(f"promptlet.{name}")).values()
        if isinstance(value, type) and value in METHODS.values()
    }
    assert found == {METHODS[name] for name in OURS if name not in SINCE}


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("data.feature_cache", "FeatureCache", "promptlet.data"),
        ("data.feature_file", "FeatureFile", "promptlet.data"),
        ("protocols.runs", "Run", "promptlet.protocols"),
        ("protocols.store", "RunStore", "promptlet.protocols"),
        ("report.summary", "Summary", "promptlet.report"),
        ("report.differences", "Differences", "promptlet.report"),
    ],
)
def test_other_classes_are_found_too(module: str, name: str, home: str) -> None:
    protocol0 = f"cpromptlet.{module}\n{name}\n.".encode()  # a pickle of the class by its name
    assert pickle.loads(protocol0) is getattr(import_module(home), name)


def test_what_own_methods_extend_is_found_by_its_documented_name() -> None:
    old, new = (import_module(f"promptlet.methods.{name}deep_prompt") for name in ("", "both_towers."))
    assert old.TwoTowerPrompt is new.TwoTowerPrompt


def test_a_name_that_no_method_had_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("promptlet.methods.nothing")
