"""Real CLIP ViT-B/16 features with vectors of class names and no tower: accuracies known by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet import load_backbone, open_bench

pytestmark = pytest.mark.realclip


@pytest.fixture
def file(realclip: Path) -> Path:
    return realclip / "caltech101_vitb16_with_text.npz"


def records(file: Path, out: Path, protocol: str, methods: str) -> dict[str, dict[str, Any]]:
    backbone = load_backbone(f"features:{file}", device="cpu")
    words: dict[str, Any] = {"backbone": backbone, "protocol": protocol, "seeds": 1, "out": out}
    outcome = open_bench(file, methods, **words).run()
    assert outcome.is_whole
    return {record["method"]: record for record in outcome.records}


@pytest.mark.slow
def test_zero_shot_is_what_numpy_says(file: Path, tmp_path: Path) -> None:
    with np.load(file) as arrays:
        texts, labels = arrays["text_features"], arrays["labels"]
        images, is_test = arrays["features"].astype(np.float32), arrays["split"] == 2

    def by_hand(low: int, high: int) -> float:
        rows = is_test & (labels >= low) & (labels < high)
        found = (images[rows] @ texts[low:high].T).argmax(1) + low
        return float(100 * np.mean(found == labels[rows]))

    halves = records(file, tmp_path, "base-to-new", "zero_shot")["zero_shot"]
    every = records(file, tmp_path, "few-shot", "zero_shot")["zero_shot"]
    found = [halves["base"], halves["new"], every["accuracy"]]
    assert found == pytest.approx([by_hand(0, 50), by_hand(50, 100), by_hand(0, 100)], abs=0.05)
    assert [round(value, 1) for value in found] == pytest.approx([97.0, 95.1, 93.5], abs=0.11)


@pytest.mark.slow
def test_what_learns_on_features_gains_over_zero_shot(file: Path, tmp_path: Path) -> None:
    names = ("tip_adapter", "linear_probe", "gda", "zs_lp", "clap", "lp_pp", "prolip")
    found = records(file, tmp_path, "few-shot", ",".join(("zero_shot", *names)))
    for name in names:
        assert found[name]["accuracy"] > found["zero_shot"]["accuracy"] + 0.5, name
