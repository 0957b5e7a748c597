"""`promptlet compare` and `fit --method auto`, as typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

METHODS = ("--methods", "zero_shot,tip_adapter,linear_probe")


def test_the_table_and_the_recommendation(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    words = ("compare", pictures, "--backbone", clip_folder, *METHODS, "--folds", 2)
    told = shell.json(*words)
    assert [row["accuracy"] for row in told["rows"]] == sorted(
        (row["accuracy"] for row in told["rows"]), reverse=True
    )
    assert {row["method"] for row in told["rows"]} == {"zero_shot", "tip_adapter", "linear_probe"}
    assert told["images"] == 12 and told["folds"] == 2 and told["left_out"] == []
    page = tmp_path / "page.html"
    printed = shell.run(*words, "--out", page).stdout
    assert f"wrote {page}" in printed and told["data"] == str(pictures)
    assert f"recommended: {told['recommendation']}" in printed
    text = page.read_text(encoding="utf-8")
    assert told["recommendation"] in text and text.count("<img") == 1
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text), "the page must load nothing"


def test_a_page_bears_the_name_of_its_folder(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(pictures)
    out = tmp_path / "page.html"
    words = ("compare", ".", "--backbone", clip_folder, "--methods", "zero_shot,zero_shot", "--folds", 2)
    told = shell.json(*words, "--out", out)
    assert told["out"] == str(out) and len(told["rows"]) == 1
    assert f"Methods compared on {pictures.name}" in out.read_text(encoding="utf-8")


def test_what_is_refused(shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> None:
    assert "no method" in shell.refuses("compare", pictures, "--backbone", clip_folder, "--methods", ",")
    assert "rlp" in shell.refuses("compare", pictures, "--backbone", clip_folder, "--methods", "rpl")
    assert "folds" in shell.refuses("compare", pictures, "--backbone", clip_folder, "--folds", 1)
    assert "ends in .html" in shell.refuses("compare", pictures, "--out", tmp_path / "a.txt")


def test_auto_takes_what_is_recommended(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("promptlet.own_images.comparing.run.USUAL", [("zero_shot", {}), ("linear_probe", {})])
    words = ("fit", pictures, "--backbone", clip_folder, "--method", "auto", "--estimate", "none")
    told = shell.json(*words, "--out", tmp_path / "a.prompt")
    assert told["method"] == told["compare"]["open"] == "zero_shot"
    closed = shell.json(*words, "--closed", "--out", tmp_path / "b.prompt")
    assert closed["method"] == closed["compare"]["closed"]
    again = ("fit", pictures, "--backbone", clip_folder, "--out", tmp_path / "c.prompt")
    assert "--method auto" in shell.refuses(*again, "--closed")
    assert "--rank" in shell.refuses(*again, "--method", "auto", "--rank", 2)


def test_auto_tells_what_was_left_out(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("promptlet.own_images.comparing.run.USUAL", [("coop", {}), ("linear_probe", {})])
    words = ("fit", pictures, "--backbone", clip_folder, "--method", "auto", "--estimate", "none")
    sampled = (*words, "--epochs", 1, "--sampled-classes", 2)
    told = shell.run(*sampled, "--out", tmp_path / "a.prompt").stderr
    assert "note: linear_probe was left out: sampled_classes=2 is not possible with 'linear_probe'" in told
    facts = shell.json(*sampled, "--out", tmp_path / "b.prompt")
    assert facts["method"] == "coop" and list(facts["compare"]["failed"]) == ["linear_probe"]
    refused = shell.refuses(*words, "--capture", "--device", "cpu", "--out", tmp_path / "c.prompt")
    assert "capture is not possible here: the backbone is on cpu" in refused
