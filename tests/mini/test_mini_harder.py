"""The harder six: chosen by the rule from what was measured, drawn as they were when it was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.mini_candidates.__main__ import candidates
from benchmarks.mini_candidates.choice import choose, eligible
from PIL import Image

from promptlet.mini.datasets import EVERY_DATASET, PARTS
from promptlet.mini.harder import HARDER, night, pixels
from promptlet.mini.names import HARDER_NAMES
from promptlet.mini.pen import SIZE

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "benchmarks" / "results" / "mini_candidates.json").read_text())
ROWS = {row["dataset"]: row for row in MEASURED["rows"]}


def candidate(name: str, right: float, **changes: Any) -> dict[str, Any]:
    family, change = name.split("-")
    row = {"dataset": name, "kind": "look", "family": family, "change": change, "classes": 10}
    return {**row, "all": right, "base": right, "new": right, **changes}


def test_the_six_are_those_that_the_rule_chose() -> None:
    assert list(HARDER) == list(HARDER_NAMES)
    assert set(choose(MEASURED["rows"])) == set(MEASURED["chosen"]) == set(HARDER_NAMES)


@pytest.mark.parametrize("name", HARDER_NAMES)
def test_each_leaves_room(name: str) -> None:
    row = ROWS[name]
    assert row["classes"] == len(EVERY_DATASET[name].class_names) >= 16
    assert 50 <= row["all"] <= 75
    assert all(40 <= row[half] <= 85 for half in ("base", "new"))
    assert row["template"] == EVERY_DATASET[name].template


def test_they_are_of_different_families() -> None:
    assert len({ROWS[name]["family"] for name in HARDER_NAMES}) == 6
    assert [ROWS[name]["kind"] for name in MEASURED["chosen"]] == ["classes"] * 3 + ["look"] * 3


def test_the_rule_takes_the_nearest_of_each_family_and_look() -> None:
    rows = [
        candidate("cups-night", 62.0),
        candidate("cups-fog", 63.2),  # a family that is taken
        candidate("hats-night", 63.4),  # a look that is taken
        candidate("hats-snow", 70.0),
        candidate("bags-rain", 62.4, new=86.0),  # too easy in one half
        candidate("bags-hail", 74.0),
        candidate("maps-dust", 50.0),  # the fourth of its kind
        candidate("pens-fine", 55.0, kind="classes"),
        candidate("keys-wind", 75.1),
        candidate("jars-dew", 62.5, classes=9),
    ]
    assert choose(rows) == ["pens-fine", "cups-night", "hats-snow", "bags-hail"]
    assert choose(rows[::-1]) == choose(rows)
    assert [row["dataset"] for row in rows if not eligible(row)] == ["bags-rain", "keys-wind", "jars-dew"]


def test_every_candidate_was_measured_and_is_still_drawn_alike() -> None:
    tried = {dataset.name: dataset for _, dataset in candidates()}
    assert list(tried) == list(ROWS)
    for name in HARDER_NAMES:
        ours, theirs = EVERY_DATASET[name], tried[name]
        assert ours.class_names == theirs.class_names
        assert ours.picture(ours.class_names[2], "test", 1) == theirs.picture(ours.class_names[2], "test", 1)
        assert ROWS[name]["images"] == PARTS["test"] * len(ours.class_names)


def test_looks_leave_the_other_pictures_alone() -> None:
    """The same class and number, by day: only what a look changes is different."""
    by_night, by_day = EVERY_DATASET["mini-scenes-night"], EVERY_DATASET["mini-scenes"]
    dark, light = (
        np.mean([np.asarray(d.picture(name, "test", 0)).mean() for name in d.class_names])
        for d in (by_night, by_day)
    )
    assert dark < 0.6 * light


def test_night_is_dark_but_for_one_lamp() -> None:
    white = Image.new("RGB", (SIZE, SIZE), (255, 255, 255))
    lit = np.asarray(night(white, np.random.default_rng(1))).astype(float) / 255
    assert lit.min((0, 1)) == pytest.approx([0.18, 0.23, 0.42], abs=0.06)
    y, x = np.unravel_index(lit[..., 0].argmax(), (SIZE, SIZE))
    assert lit[y, x] == pytest.approx([0.78, 0.71, 0.62], abs=0.02)
    assert np.abs(np.array([x, y]) / (SIZE / 2) - 1).max() <= 0.65


def test_pixels_are_few_and_even() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
    for seed in range(4):
        image = np.asarray(pixels(noise, np.random.default_rng(seed))).astype(int)
        across = 1 + int((np.abs(np.diff(image, axis=1)).sum((0, 2)) > 0).sum())
        down = 1 + int((np.abs(np.diff(image, axis=0)).sum((1, 2)) > 0).sum())
        assert 14 <= across == down <= 18
