"""`promptlet evaluate` in this process: what it prints, what it writes, what it refuses before it works."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def given(prompt: Path, clip_folder: Path) -> tuple[object, ...]:
    return ("evaluate", prompt, "--backbone", clip_folder, "--no-cache")


def test_it_says_how_good_the_prompt_is(shell: Any, given: tuple[object, ...], pictures: Path) -> None:
    document = shell.json(*given, pictures)
    text = shell.run(*given, pictures).stdout
    assert document["part"] == "test" and document["images"] == 6 and document["schema"] == 1
    assert f"(its test images): {document['accuracy']:.1f} % right: {document['right']} of 6 images" in text
    assert f"{document['low']:.1f} to {document['high']:.1f} %" in text
    for one in document["confused"][:5]:
        assert f"{one['count']} of {one['of']} {one['true']} taken for {one['said']}" in text
    for one in document["wrong"][:5]:
        assert f"{one['path']}: said {one['said']}" in text


def test_csv_has_every_image(shell: Any, given: tuple[object, ...], pictures: Path) -> None:
    document = shell.json(*given, pictures)
    rows = list(csv.DictReader(io.StringIO(shell.run(*given, pictures, "--csv").stdout)))
    assert len(rows) == 6 and list(rows[0]) == ["path", "label", "predicted", "probability", "right"]
    wrong = {row["path"] for row in rows if row["right"] == "no"}
    assert wrong == {one["path"] for one in document["wrong"]}
    assert all((row["label"] == row["predicted"]) is (row["right"] == "yes") for row in rows)


@pytest.mark.slow
def test_it_writes_a_page_over_an_older_one(
    shell: Any, given: tuple[object, ...], pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    out.write_text("old", encoding="utf-8")
    text = shell.run(*given, pictures, "--out", out).stdout
    page = out.read_text(encoding="utf-8")
    assert f"wrote {out}" in text and page.startswith("<!doctype html>")
    assert "shapes.prompt on" in page and "taught with 12 images" in page
    assert f"backbone {given[3].name}" in page and str(given[3]) not in page  # type: ignore[attr-defined]
    assert shell.json(*given, pictures, "--out", out)["out"] == str(out)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("out", "said"),
    [("shapes.prompt", "ends in .html"), ("nowhere/page.html", "does not exist"), (".html", "ends in .html")],
)
def test_a_page_that_cannot_be_written_is_told_before_anything_is_read(
    shell: Any, tmp_path: Path, out: str, said: str
) -> None:
    assert said in shell.refuses("evaluate", "missing.prompt", "missing", "--out", tmp_path / out)
    (tmp_path / "folder.html").mkdir()
    assert "is a folder" in shell.refuses(
        "evaluate", "missing.prompt", "missing", "--out", tmp_path / "folder.html"
    )


@pytest.mark.slow
def test_other_names_are_answered_and_strangers_told(
    shell: Any, given: tuple[object, ...], pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures / "test", tmp_path / "photos")
    (tmp_path / "photos" / "cat").rename(tmp_path / "photos" / "lynx")
    result = shell.run(*given, tmp_path / "photos")
    assert "2 images of classes that were not asked are left out: lynx (2)" in result.stderr
    assert "no image here is of cat" in result.stderr and "too good" in result.stderr
    rows = list(csv.DictReader(io.StringIO(shell.run(*given, tmp_path / "photos", "--csv").stdout)))
    assert sum(row["right"] == "" for row in rows) == 2 and len(rows) == 6
    own = shell.json(*given, tmp_path / "photos", "--names", "data")
    assert own["images"] == 6 and [one["name"] for one in own["classes"]] == ["box", "dog", "lynx"]
    some = shell.json(*given, tmp_path / "photos", "--classes", "lynx, dog")
    assert some["images"] == 4 and some["unknown_classes"] == {"box": 2}
    (tmp_path / "names.txt").write_text("lynx\ndog\n", encoding="utf-8")
    assert shell.json(*given, tmp_path / "photos", "--classes-file", tmp_path / "names.txt") == some
    assert "did you mean --classes-file names.txt" in shell.refuses(
        *given, "nowhere", "--classes", "names.txt"
    )
    assert "is not known; allowed: prompt, data" in shell.refuses(*given, "nowhere", "--names", "dta")


@pytest.mark.slow
def test_an_unreadable_image_is_told_and_the_others_are_judged(
    shell: Any, given: tuple[object, ...], pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "photos")
    bad = next((tmp_path / "photos" / "test" / "dog").iterdir())
    bad.write_bytes(b"no image")
    result = shell.run(*given, tmp_path / "photos", exit_code=1)
    assert "of 5 images" in result.stdout and f"error: {bad}" in result.stderr
    document = shell.json(*given, tmp_path / "photos", exit_code=1)
    assert document["unreadable"][0]["path"] == str(bad)
    assert f"note: {bad}" in shell.run(*given, tmp_path / "photos", "--skip-bad").stderr
    table = tmp_path / "photos" / "table.csv"
    rows = [f"test/{name}/test{i}.png,{name}" for name in ("box", "cat", "dog") for i in (0, 1)]
    table.write_text("\n".join(["path,label", *rows, "test/dog/gone.png,dog"]), encoding="utf-8")
    assert "gone.png" in shell.fails(*given, table)
    document = shell.json(*given, table, "--skip-bad")
    assert document["images"] == 5 and len(document["unreadable"]) == 2


def test_data_without_a_known_class_and_two_formats_are_refused(
    shell: Any, given: tuple[object, ...], pictures: Path
) -> None:
    message = shell.fails(*given, pictures, "--classes", "plane,train")
    assert "no image is of a class that is asked" in message and "--names data" in message
    assert "not both" in shell.refuses(*given, pictures, "--json", "--csv")
    assert "two answers" in shell.refuses(*given, "nowhere", "--classes", "a,b", "--names", "data")
    assert "new_names='leraned'" in shell.refuses(*given, "nowhere", "--new-names", "leraned")
    assert "missing.prompt" in shell.fails("evaluate", "missing.prompt", "nowhere")
