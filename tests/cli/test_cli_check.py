"""`promptlet check` in this process: what it prints and writes, and what it refuses before it works."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from benchmarks import check as planted


@pytest.fixture
def photos(pictures: Path, tmp_path: Path) -> Path:
    """The drawn classes, with a copy, a leak, and a file that is no picture."""
    root = tmp_path / "photos"
    shutil.copytree(pictures, root)
    shutil.copy(root / "train/cat/train0.png", root / "train/cat/again.png")
    shutil.copy(root / "test/dog/test1.png", root / "train/dog/leak.png")
    (root / "train/box/bad.jpg").write_bytes(b"no picture")
    return root


def test_quick_tells_what_files_tell(shell: Any, photos: Path) -> None:
    document = shell.json("check", photos, "--quick")
    text = shell.run("check", photos, "--quick").stdout
    assert document["schema"] == 1 and document["backbone"] is None and document["images"] == 21
    assert document["counts"]["unreadable"] == 1 and document["counts"]["leak"] >= 1
    leaks = [
        {(image["path"], image["part"]) for image in finding["images"]}
        for finding in document["findings"]
        if finding["kind"] == "leak"
    ]
    assert any({("train/dog/leak.png", "train"), ("test/dog/test1.png", "test")} <= leak for leak in leaks)
    assert "1 image that cannot be read" in text and "train/box/bad.jpg: " in text
    assert "labels were not compared" in text and str(photos) not in text.partition("with pictures:")[0]


def test_what_is_advised_names_what_was_given(shell: Any, photos: Path) -> None:
    quick = shell.run("check", photos, "--quick").stdout
    assert f"with pictures: promptlet check {photos} --quick --out NAME.html" in quick
    spaced = photos.rename(photos.with_name("my photos"))
    whole = shell.run("check", spaced, "--backbone", "mini", "--no-cache").stdout
    assert f"with pictures: promptlet check '{spaced}' --backbone mini --out NAME.html" in whole


def test_with_a_backbone_labels_are_compared(shell: Any, photos: Path, tmp_path: Path) -> None:
    given = ("check", photos, "--backbone", "mini", "--no-cache")
    page, table = tmp_path / "page.html", tmp_path / "clean.csv"
    document = shell.json(*given, "--out", page, "--write-clean", table)
    assert document["labels_compared"] == 20 and document["backbone"] == "mini"
    assert document["out"] == str(page) and document["clean"] == str(table)
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>") and "train/dog/leak.png" in html and "data:image/jpeg" in html
    assert "; backbone mini" in html
    assert "photos/train/dog/leak.png" not in table.read_text(encoding="utf-8")
    assert shell.json("check", table, "--quick")["counts"].get("unreadable") is None


def test_what_is_to_be_typed_next_names_the_backbone(shell: Any, photos: Path, tmp_path: Path) -> None:
    given = ("check", photos, "--no-cache", "--write-clean", tmp_path / "clean.csv", "--force")
    next_, quick = f"promptlet fit {tmp_path / 'clean.csv'}", shell.run(*given, "--quick").stdout
    assert f"{next_} --backbone mini --out NAME.prompt" in shell.run(*given, "--backbone", "mini").stdout
    assert f"{next_} --out NAME.prompt" in quick


def test_a_page_tells_no_folders_of_a_backbone(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    shell.run("check", pictures, "--backbone", clip_folder, "--no-cache", "--out", page)
    html = page.read_text(encoding="utf-8")
    assert f"; backbone {clip_folder.name}" in html and str(clip_folder) not in html


def test_strict_ends_with_1(shell: Any, photos: Path) -> None:
    assert "leak" in shell.run("check", photos, "--quick", "--strict", "--json", exit_code=1).stdout


def test_what_is_refused_before_anything_is_read(shell: Any, tmp_path: Path) -> None:
    table = tmp_path / "clean.csv"
    table.write_text("mine", encoding="utf-8")
    for words, said in (
        (("--out", tmp_path / "page.txt"), "ends in .html"),
        (("--write-clean", tmp_path / "clean.txt"), "ends in .csv"),
        (("--write-clean", table), "exists already"),
        (("--write-clean", tmp_path / "nowhere" / "clean.csv"), "does not exist"),
        (("--drop-doubtful",), "give --write-clean"),
    ):
        assert said in shell.refuses("check", "missing", *words)
    assert table.read_text(encoding="utf-8") == "mine"


def test_features_are_checked_too(shell: Any, toy: Any) -> None:
    document = shell.json("check", toy(), "--quick")
    assert document["images"] == 28 and document["counts"].get("unreadable") is None
    assert (
        "features are none"
        in shell.run("check", toy(), "--quick", "--write-clean", toy().parent / "new.csv", exit_code=2).stderr
    )


@pytest.mark.slow
def test_planted_faults_are_found() -> None:
    _, rows = planted.run("cpu", True, lambda _: None)
    for row in rows:
        assert row["duplicates"] == "5 of 5" and row["near"] == "3 of 3" and row["leaks"] == "2 of 2"
        assert (
            int(row["mislabelled"].split()[0]) >= 4 and row["false_labels"] <= 5 and row["false_copies"] <= 1
        )
