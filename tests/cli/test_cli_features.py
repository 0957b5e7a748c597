"""The command line over a backbone of ready text features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet import PromptClassifier
from promptlet.backbones import write_text_features
from promptlet.data import read_feature_file

NAMES = ("cat", "dog", "box", "photo")


@pytest.fixture
def texts(tmp_path: Path) -> str:
    write_text_features(tmp_path / "texts.npz", NAMES, np.random.default_rng(3).normal(size=(4, 16)))
    return f"features:{tmp_path / 'texts.npz'}"


def test_what_it_is(shell: Any, texts: str) -> None:
    told = shell.json("backbones", texts)
    assert (told["framework"], told["class_names"], told["feature_dim"]) == ("features", 4, 16)
    assert "CLIP: the file has none" in shell.run("backbones", texts).stdout
    assert "cannot be read" in shell.fails("backbones", "features:absent.npz")


@pytest.mark.slow
def test_fit_features_and_predict(
    shell: Any, texts: str, toy: Callable[..., Path], pictures: Path, tmp_path: Path
) -> None:
    out, features = tmp_path / "a.prompt", toy()
    words = ("fit", features, "--out", out, "--backbone", texts, "--method", "clip_adapter", "--epochs", 2)
    document = shell.json(*words)
    assert document["test_images"] == 12 and document["notes"] == [
        f"{texts} has no logit_scale: 100 is taken, CLIP's"
    ]
    assert "note: features:" in shell.run(*words, "--force").stderr
    clf, file = PromptClassifier.load(out, texts), read_feature_file(features)
    test = file.split.test
    score = clf.score(file.features[[item.row for item in test]], [item.class_name for item in test])
    assert 100 * score == pytest.approx(document["test_accuracy"])
    assert "no image tower" in shell.fails("predict", out, pictures / "test", "--backbone", texts)
    assert "clip_adapter" in shell.run("inspect", out).stdout
    Path(texts.removeprefix("features:")).unlink()
    assert "texts.npz: cannot be read (No such file" in shell.fails(
        "predict", out, pictures / "test", "--backbone", texts
    )


def test_what_is_refused_leaves_no_file(
    shell: Any, texts: str, toy: Callable[..., Path], pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.prompt"
    told = shell.fails("fit", toy(), "--out", out, "--backbone", texts, "--method", "rlp")
    assert "method 'rlp' learns inside the text tower" in told and "use zero_shot" in told
    assert "no image tower" in shell.fails(
        "fit", pictures, "--out", out, "--backbone", texts, "--method", "tip_adapter"
    )
    assert not out.exists()


def test_bench(shell: Any, texts: str, toy: Callable[..., Path], tmp_path: Path) -> None:
    words = ("bench", "run", "--datasets", toy(), "--backbone", texts, "--shots", 2, "--seeds", 1)
    words = (*words, "--out", tmp_path / "runs", "--methods", "coop,zero_shot,zero_shot_ensemble")
    plan = shell.json(*words, "--dry-run")
    assert len(plan["runs"]) == 2 and "'coop' learns inside the text tower" in plan["refused"][0]["reason"]
    result = shell.run(*words, exit_code=1)
    assert "note: zero_shot_ensemble: 8 templates are asked for" in result.stderr
    assert "note: zero_shot, zero_shot_ensemble: features:" in result.stderr
    page = shell.run("bench", "report", tmp_path / "runs").stdout
    assert "- note: zero_shot_ensemble: 8 templates are asked for" in page


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("coop", "the text tower"),
        ("vpt", "the image tower"),
        ("maple", "both towers"),
        ("tip_adapter", "no tower"),
    ],
)
def test_methods_tell_what_they_need(name: str, needs: str, shell: Any) -> None:
    assert f"needs     {needs}" in shell.run("methods", name).stdout
    [document] = shell.json("methods", name)["methods"]
    assert document["in_text_tower"] == (needs in ("the text tower", "both towers"))
