"""Figures, contact sheets and the page that holds them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from promptlet.report.contact_sheet import RIGHT, TILE, WRONG, Tile, contact_sheet
from promptlet.report.figures import bars_by_dataset, base_against_new, learning_curves
from promptlet.report.page import Page

ROWS = [
    {"label": method, "dataset": dataset, "base": 60.0 + 5 * i, "new": 50.0 + i, "H": 55.0 + i}
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


def test_page_says_what_it_was_given_and_nothing_else() -> None:
    page = Page("Title <b>")
    page.heading("Part & more")
    page.paragraph("x < y", note=True)
    page.table(("a", "b"), [("1", "<script>")])
    page.commands(["promptlet fit 'a b'"])
    page.figure(base_against_new(ROWS), "a figure")
    text = page.render()
    assert "<title>Title &lt;b&gt;</title>" in text and "Part &amp; more" in text and "x &lt; y" in text
    assert "<script" not in text and "&lt;script&gt;" in text
    assert 'src="data:image/png;base64,' in text
    assert text.startswith("<!doctype html>")
