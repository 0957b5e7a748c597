"""All names at once, on feature files made by hand; zero-shot against numbers computed here in NumPy."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from protocol_toys import NAMES, write_toy
from sklearn.metrics import f1_score

from promptlet.backbones import Backbone
from promptlet.errors import DataError, OptionError
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES
from promptlet.protocols import RunStore, all_names, base_to_new
from promptlet.protocols.all_names import log_odds
from promptlet.protocols.bench import open_bench
from promptlet.protocols.planning import Settings, parse_methods
from promptlet.protocols.run.datasets import FeatureSource, open_dataset
from promptlet.protocols.run.execution import Workbench

BASE = 3
"""Of the five classes: ceil(5 / 2)."""
TIMES = ("seconds", "seconds_total", "peak_memory", "date", "history", "key", "protocol")
OWN = ("all", "all_base", "all_new", "openworld_auc", "detection_auc")
OWN_EXTRAS = ("all_macro_f1", "all_ece", "all_images", "all_classes")


def run_toy(backbone: Backbone, path: Path, methods: str, protocol: Any = all_names) -> list[dict[str, Any]]:
    dataset = open_dataset(str(path))
    settings = Settings(epochs=3)
    runs = protocol.plan([dataset], parse_methods(methods), [2], [1], backbone.fingerprint, settings=settings)
    return [protocol.execute(run, dataset, FeatureSource(backbone)) for run in runs]


def similarities(backbone: Backbone, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 5) of zero-shot for the test images of the toy, and their labels (N,)."""
    arrays = np.load(path)
    images, labels = (arrays[name][arrays["split"] == 2] for name in ("features", "labels"))
    words = backbone.text.encode_texts([f"a photo of a {name}." for name in NAMES]).detach().numpy()
    images, words = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, words))
    return float(backbone.logit_scale) * (images @ words.T).astype(float), labels


def test_zero_shot_equals_a_computation_by_hand(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz", seed=11)  # no number is 0
    [result] = run_toy(tiny_backbone, path, "zero_shot")
    logits, labels = similarities(tiny_backbone, path)
    best, is_base = logits.argmax(1), labels < BASE
    hits = best == labels
    assert result["all"] == pytest.approx(100 * hits.mean())
    assert result["all_base"] == pytest.approx(100 * hits[is_base].mean())
    assert result["all_new"] == pytest.approx(100 * hits[~is_base].mean())
    macro = f1_score(labels, best, labels=range(5), average="macro", zero_division=0)
    assert result["all_macro_f1"] == pytest.approx(100 * macro)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    base = chances[:, :BASE].sum(1)
    score = base / (1 - base)  # odds rank as log-odds do
    right = np.where(
        is_base, logits[:, :BASE].argmax(1) == labels, BASE + logits[:, BASE:].argmax(1) == labels
    )
    pairs = [(i, j) for i in np.flatnonzero(is_base) for j in np.flatnonzero(~is_base)]
    above = np.array([score[i] > score[j] for i, j in pairs])
    assert result["detection_auc"] == pytest.approx(100 * above.mean())
    both = np.array([right[i] and right[j] for i, j in pairs])
    assert result["openworld_auc"] == pytest.approx(100 * (above & both).mean())
    assert 0 < result["openworld_auc"] < result["detection_auc"]
    assert result["base"] == pytest.approx(100 * right[is_base].mean())
    assert result["new"] == pytest.approx(100 * right[~is_base].mean())
    assert (result["all_images"], result["all_classes"]) == (35, 5)
    json.dumps(result, allow_nan=False)


def test_the_calibration_is_that_of_the_answer_among_all_names(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    path = write_toy(tmp_path / "toy.npz")
    [result] = run_toy(tiny_backbone, path, "zero_shot")
    logits, labels = similarities(tiny_backbone, path)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    sure, hits = chances.max(1), logits.argmax(1) == labels
    edges = np.linspace(0, 1, 16)
    gaps = [
        abs(sure[inside].sum() - hits[inside].sum())
        for low, high in pairwise(edges)
        if (inside := (sure > low) & (sure <= high)).any()
    ]
    assert result["all_ece"] == pytest.approx(100 * sum(gaps) / len(labels), abs=1e-3)


@pytest.mark.parametrize(
    "method", [m for m, kind in METHODS.items() if kind.info.reads == FEATURES and kind.info.unseen_classes]
)
def test_the_rest_of_the_record_is_that_of_base_to_new(
    method: str, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    path = write_toy(tmp_path / "toy.npz")
    [mine], [plain] = (run_toy(tiny_backbone, path, method, p) for p in (all_names, base_to_new))
    assert set(mine) - set(plain) == {*OWN, *OWN_EXTRAS} and set(plain) < set(mine)
    assert mine["key"].startswith("all-names-toy-") and mine["key"] != plain["key"]
    for name in plain.keys() - set(TIMES):
        assert mine[name] == plain[name], name
    assert [report["loss"] for report in mine["history"]] == [report["loss"] for report in plain["history"]]
    images = (mine["base_images"], mine["new_images"])
    assert mine["all"] == pytest.approx(np.average([mine["all_base"], mine["all_new"]], weights=images))
    assert mine["all_base"] <= mine["base"] and mine["all_new"] <= mine["new"]  # more names to err among


def test_the_log_odds_of_base_do_not_saturate() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(6, 5)).astype(np.float32)
    chances = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    base = chances[:, :3].sum(1)
    assert log_odds(torch.from_numpy(logits), 3) == pytest.approx(np.log(base / (1 - base)))
    sure = log_odds(torch.tensor([[200.0, 0.0, 0.0], [201.0, 0.0, 0.0]]), 1)
    assert sure == pytest.approx([200 - np.log(2), 201 - np.log(2)])  # probabilities are both 1


def test_images_of_classes_that_are_not_trained_are_not_asked(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    """As base-to-new: a class without a training image is in neither half."""
    arrays = dict(np.load(write_toy(tmp_path / "toy.npz")))
    keep = ~((arrays["labels"] == 4) & (arrays["split"] == 0))
    for name in ("features", "labels", "split", "paths"):
        if name in arrays:
            arrays[name] = arrays[name][keep]
    np.savez(tmp_path / "four.npz", **arrays)
    [result] = run_toy(tiny_backbone, tmp_path / "four.npz", "zero_shot")
    assert (result["all_images"], result["all_classes"]) == (28, 4)
    assert (result["base_classes"], result["new_classes"]) == (2, 2)


def test_what_cannot_be_run_says_why(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    with pytest.raises(OptionError, match="'linear_probe' knows only the classes it was trained on, so all-"):
        run_toy(tiny_backbone, path, "linear_probe")
    with pytest.raises(OptionError, match="know only the classes they were made for"):
        run_toy(tiny_backbone, path, "coop:per_class=true")
    with pytest.raises(
        DataError, match=r"no test images of the base classes \('cat', ...\); all-names needs"
    ):
        run_toy(tiny_backbone, write_toy(tmp_path / "untested.npz", test=False), "zero_shot")


def test_a_benchmark_refuses_before_it_trains_and_reads_the_same_images(
    tiny_backbone: Backbone, tmp_path: Path, trainings: list[str]
) -> None:
    path = write_toy(tmp_path / "toy.npz")
    given: dict[str, Any] = {"backbone": tiny_backbone, "shots": 2, "seeds": 1, "out": tmp_path / "runs"}
    methods = "zero_shot,coop,linear_probe,coop:per_class=true"
    bench = open_bench(path, methods, protocol="all-names", settings=Settings(epochs=2), **given)
    reasons = [group.reason for group in bench.refused]
    assert "'linear_probe' knows only" in reasons[0] and "class-specific contexts" in reasons[1]
    assert len(reasons) == 2 and trainings == []
    outcome = bench.run()
    assert [record["method"] for record in outcome.records] == ["zero_shot", "coop"]
    assert not (tmp_path / "runs" / "trained").exists()  # trained on half: it serves no other run
    again = bench.run()
    assert again.kept == outcome.done and trainings == ["coop"]


def test_the_images_to_encode_are_those_of_base_to_new(tiny_backbone: Backbone, tmp_path: Path) -> None:
    from PIL import Image

    for part in ("train", "test"):
        for label, name in enumerate(NAMES[:4]):
            (tmp_path / "shapes" / part / name).mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (8, 8), (60 * label, 40 * i, 9)).save(
                    tmp_path / "shapes" / part / name / f"{i}.png"
                )
    dataset = open_dataset(str(tmp_path / "shapes"))
    bench = Workbench({dataset.name: dataset}, FeatureSource(tiny_backbone), RunStore(tmp_path / "runs"))
    [run] = all_names.plan([dataset], parse_methods("coop"), [2], [1], tiny_backbone.fingerprint)
    wanted = bench.wanted([run])
    assert wanted == bench.wanted([replace(run, protocol="base-to-new")])
    encoded: list[int] = []
    bench.features.on_progress = lambda done, total: encoded.append(total)
    bench.features.of(dataset, list(wanted["shapes", 1]))
    before = len(encoded)
    record = bench.execute(run)
    assert record["all_images"] == 12 and len(encoded) == before  # nothing but what was said to be wanted
