"""Benchmarks over a backbone of ready text features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from protocol_toys import NAMES, write_toy

from promptlet.backbones import write_text_features
from promptlet.data import base_new, read_feature_file
from promptlet.protocols.bench import Bench, open_bench
from promptlet.protocols.engines import Engine
from promptlet.protocols.planning import Settings

QUICK: dict[str, Any] = {"shots": 2, "seeds": (1, 2), "settings": Settings(epochs=2), "device": "cpu"}
ON_FEATURES = "zero_shot,zero_shot_ensemble,clip_adapter,tip_adapter,tip_adapter_f"
VECTORS = np.random.default_rng(5).normal(size=(len(NAMES), 16))


@pytest.fixture
def texts(tmp_path: Path) -> str:
    """Vectors for the class names of the toy, and no logit scale."""
    write_text_features(tmp_path / "texts.npz", NAMES, VECTORS)
    return f"features:{tmp_path / 'texts.npz'}"


def opened(backbone: str, datasets: Path, methods: str, tmp_path: Path, **more: Any) -> Bench:
    return open_bench(datasets, methods, backbone=backbone, out=tmp_path / "runs", **{**QUICK, **more})


def test_runs_and_refusals(texts: str, tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy.npz")
    bench = opened(texts, toy, f"{ON_FEATURES},coop,vpt,clip_lora,clip_svd,two_sfs", tmp_path)
    reasons = {group.runs[0].method: (len(group.runs), group.reason) for group in bench.refused}
    assert (
        set(reasons) == {"coop", "vpt", "clip_lora", "clip_svd", "two_sfs"}
        and not (tmp_path / "runs").exists()
    )
    assert reasons["coop"][0] == 2 and "'coop' learns inside the text tower" in reasons["coop"][1]
    assert "'vpt' learns inside the image tower" in reasons["vpt"][1]
    for name in ("clip_lora", "clip_svd", "two_sfs"):
        assert f"{name!r} learns inside both towers" in reasons[name][1]
    outcome = bench.run()
    assert len(outcome.done) == 10 and not outcome.failed and outcome.refused == bench.refused


def test_zero_shot_is_that_of_the_vectors(texts: str, tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy.npz")
    [record] = opened(texts, toy, "zero_shot", tmp_path, seeds=1).run().records
    file = read_feature_file(toy)
    for half, split in zip(("base", "new"), base_new(file.split), strict=True):
        rows = [NAMES.index(name) for name in split.class_names]
        unit = VECTORS[rows] / np.linalg.norm(VECTORS[rows], axis=1, keepdims=True)
        found = (file.features[[item.row for item in split.test]] @ unit.T).argmax(1)
        assert record[half] == pytest.approx(100 * np.mean(found == [item.label for item in split.test]))


@pytest.mark.slow
def test_a_record_tells_what_the_file_holds_and_what_stands_for_templates(texts: str, tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy.npz")
    bench = opened(texts, toy, "zero_shot,zero_shot_ensemble,linear_probe", tmp_path, protocol="few-shot")
    one, _, several, _, probe, _ = bench.run().records
    told = {name: one["backbone"][name] for name in ("name", "class_names", "sentences", "logit_scale_of")}
    assert told == {
        "name": texts, "class_names": 5, "sentences": 0, "logit_scale_of": "CLIP: the file has none"
    }  # fmt: skip
    assert len(one["notes"]) == 1 and "no logit_scale: 100 is taken" in one["notes"][0]
    assert several["notes"][0] == one["notes"][0] and "none of their sentences" in several["notes"][1]
    assert "notes" not in probe
    assert several["accuracy"] == one["accuracy"]


def test_names_that_the_file_lacks_fail_their_runs_and_are_all_told(tmp_path: Path) -> None:
    write_text_features(tmp_path / "few.npz", NAMES[:3], VECTORS[:3])
    bench = opened(
        f"features:{tmp_path / 'few.npz'}", write_toy(tmp_path / "toy.npz"), "clip_adapter", tmp_path
    )
    reasons = set(bench.run().failed.values())
    assert len(reasons) == 1 and "no vector of 2 class names: 'photo', 'the cat'" in reasons.pop()


def test_pictures_and_other_features_are_refused(texts: str, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / "0.png")
    bench = opened(texts, tmp_path / "photos", "zero_shot", tmp_path)
    assert bench.runs == [] and "no image tower, so it cannot encode images" in bench.refused[0].reason
    bench = opened(texts, write_toy(tmp_path / "wide.npz", dim=8), "zero_shot", tmp_path)
    assert bench.runs == [] and "its features have 8 numbers, those of 'features:" in bench.refused[0].reason


@pytest.mark.slow
def test_in_processes(texts: str, tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy.npz")
    here = opened(texts, toy, ON_FEATURES, tmp_path).run()
    there = opened(texts, toy, ON_FEATURES, tmp_path / "processes").run(Engine("processes", 2))
    assert there.is_whole and len(there.done) == 10
    assert [r["H"] for r in there.records] == pytest.approx([r["H"] for r in here.records])
