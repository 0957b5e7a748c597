"""Figures and contact sheets."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from promptlet.report.figures.charts import (
    COLOURS,
    accuracy_by_shots,
    bars_by_dataset,
    base_against_new,
    learning_curves,
)
from promptlet.report.figures.contact_sheet import RIGHT, TILE, WRONG, Tile, contact_sheet

ROWS = [
    {"label": method, "dataset": dataset, "base": 60.0 + 5 * i, "new": 50.0 + i, "H": 55.0 + i, "seeds": [1]}
    for dataset in ("a", "b")
    for i, method in enumerate(("zero_shot", "coop", "rlp"))
]
FIGURES = {
    "scatter": lambda rows: base_against_new(rows),
    "bars": lambda rows: bars_by_dataset(rows),
    "curves": lambda rows: learning_curves(
        {r["label"]: [(0, r["H"]), (9, r["new"])] for r in rows}, "x", "y"
    ),
}


def coloured(png: bytes) -> int:
    """Pixels that are neither grey nor white."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    return int((np.ptp(pixels, axis=-1) > 60).sum())


@pytest.mark.parametrize("name", FIGURES)
def test_figures_show_what_is_given(name: str) -> None:
    draw = FIGURES[name]
    few, many = draw(ROWS[:2]), draw(ROWS)
    assert coloured(many) > coloured(few) > 0
    assert draw(ROWS) == many


def test_contact_sheet_tells_right_from_wrong() -> None:
    picture = Image.new("RGB", (64, 64), (10, 20, 200))
    tiles = [Tile(picture, "a cat", True), Tile(picture, "a dog with very long words indeed", False)]
    sheet = np.asarray(contact_sheet([*tiles, Tile(picture, "plain")], columns=2))
    assert sheet.shape[0] > 2 * TILE and 2 * TILE < sheet.shape[1] < 3 * TILE
    left, right = (
        sheet[:, : sheet.shape[1] // 2].reshape(-1, 3),
        sheet[:, sheet.shape[1] // 2 :].reshape(-1, 3),
    )
    assert (left == RIGHT).all(1).any() and not (left == WRONG).all(1).any()
    assert (right == WRONG).all(1).any() and not (right == RIGHT).all(1).any()
    assert ((sheet.reshape(-1, 3) == (10, 20, 200)).all(1)).sum() >= 3 * (TILE - 2) ** 2


def few_shot_rows(methods: dict[str, float], shots: tuple[int, ...] = (1, 2, 4)) -> list[dict[str, object]]:
    return [
        {"label": label, "dataset": dataset, "shots": count, "accuracy": start + 10 * count + 5 * i}
        for label, start in methods.items()
        for count in shots
        for i, dataset in enumerate(("a", "b"))
    ]


@pytest.mark.slow
def test_accuracy_against_shots_is_the_mean_over_data_sets() -> None:
    rows = few_shot_rows({"coop": 40.0})
    means = [
        {"label": "coop", "dataset": "both", "shots": count, "accuracy": 42.5 + 10 * count}
        for count in (1, 2, 4)
    ]
    assert accuracy_by_shots(rows) == accuracy_by_shots(means)
    average = {"label": "coop", "dataset": "average", "shots": 1, "accuracy": 0.0}
    assert accuracy_by_shots([*rows, average]) == accuracy_by_shots(rows)
    grey, blue = few_shot_rows({"zero_shot": 40.0}), few_shot_rows({"zero_shot": 40.0, "rlp": 20.0})
    assert coloured(accuracy_by_shots(blue)) > 0 == coloured(accuracy_by_shots(grey))


def test_a_point_that_lacks_a_data_set_is_left_out() -> None:
    rows = few_shot_rows({"zero_shot": 30.0, "rlp": 20.0})
    lacking = [row for row in rows if (row["label"], row["dataset"], row["shots"]) != ("rlp", "b", 2)]
    without = [row for row in rows if (row["label"], row["shots"]) != ("rlp", 2)]
    assert accuracy_by_shots(lacking) == accuracy_by_shots(without) != accuracy_by_shots(rows)


def test_more_methods_than_colours_are_all_shown() -> None:
    methods = {f"method{i}": 10.0 + 5 * i for i in range(len(COLOURS) + 1)}
    all_but_last = dict(list(methods.items())[:-1])
    assert accuracy_by_shots(few_shot_rows(methods)) != accuracy_by_shots(few_shot_rows(all_but_last))
