"""`promptlet demo` from end to end, on the smallest of its data sets with few test pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from promptlet.mini import datasets


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "PARTS", {"train": 16, "val": 1, "test": 4})


@pytest.mark.slow
def test_demo(shell: Any, tmp_path: Path) -> None:
    out = tmp_path / "made"
    words = ("demo", "--datasets", "mini-land", "--seeds", "1", "--out", out)
    first = shell.json(*words)
    rows = {row["method"]: row for row in first["summary"]}
    assert set(rows) == {"zero_shot", "coop", "rlp"}
    assert (rows["coop"]["trainable"], rows["rlp"]["trainable"]) == (4 * 128, 2 * (4 + 128))
    assert rows["coop"]["base"] > 20  # chance

    prompt = Path(first["prompt"]["file"])
    assert prompt.stat().st_size == first["prompt"]["bytes"] < 4096
    assert shell.json("inspect", prompt)["method"] == "rlp"
    with Image.open(first["contact_sheet"]) as sheet:
        assert sheet.width > 500 and sheet.height > 500
    page = Path(first["report"]).read_text(encoding="utf-8")
    assert page.count("<img") == 4 * 12 + 1  # galleries of twelve, and a figure
    told = first["prompt"]
    assert told["trainable"] == 2 * (4 + 128) and told["estimate"]["folds"] == 5
    for value in (told["zero_shot"], told["base"], told["new"], 100 - told["others_accepted"]):
        assert f"{value:.1f} %" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page), "the page must load nothing"
    for row in rows.values():
        assert f"{row['H']:.1f}" in page

    printed = shell.run(*words).stdout  # nothing is trained again
    assert "promptlet fit MY_FOLDER" in printed and "report.html" in printed
    again = shell.json(*words)
    assert [row["H"] for row in again["summary"]] == [row["H"] for row in first["summary"]]
    assert len(list((out / "runs").rglob("*seed1*.json"))) == 3


def test_bad_input(shell: Any, tmp_path: Path) -> None:
    assert "mini-flowers" in shell.refuses("demo", "--datasets", "mini-flower", "--out", tmp_path)
    assert "no pictures to train on" in shell.refuses(
        "demo", "--datasets", "mini-general-v2", "--out", tmp_path
    )
    assert "names no data set" in shell.refuses("demo", "--datasets", ",", "--out", tmp_path)
    (tmp_path / "file").write_text("")
    assert "--out" in shell.refuses("demo", "--out", tmp_path / "file" / "below")
