"""`promptlet search`: a folder is indexed and asked; tables, JSON, CSV, a page; what is refused, and when."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import COLOURS, draw

import promptlet
from promptlet.promptfile import load_prompt_file, save_prompt_file
from promptlet.search import taking

ASKED = ("--backbone", "mini")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number, (name, colour) in enumerate(COLOURS.items()):
        for i in range(4):
            draw(root / name / f"{i}.png", colour, 10 * number + i)
    return root


@pytest.fixture
def prompt(photos: Path, tmp_path: Path) -> Path:
    file = tmp_path / "colours.prompt"
    promptlet.PromptClassifier("mini", epochs=3, cache=False).fit(photos).save(file)
    return file


def test_a_folder_is_indexed_once_and_asked_often(
    shell: Any, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = shell.run("search", photos, *ASKED)
    assert f"{photos}: 12 images in " in told.stdout
    assert "indexed 12 images: 12 new" in told.stderr
    monkeypatch.setattr(taking, "hash_and_encode", None)
    image = photos / "green" / "2.png"
    found = shell.json("search", photos, "--like", image, "--top", 4, *ASKED)
    assert {Path(one["path"]).parent.name for one in found["results"]} == {"green"}
    assert [one["rank"] for one in found["results"]] == [1, 2, 3, 4]
    assert (found["images"], found["known"], found["added"], found["unread"]) == (12, 12, 0, [])
    assert found["query"] == "like 2.png"


def test_a_class_of_a_prompt_brings_its_backbone(shell: Any, photos: Path, prompt: Path) -> None:
    found = shell.json("search", photos, "--prompt", f"{prompt}:Red", "--top", 4)
    assert found["backbone"] == "mini"
    assert {Path(one["path"]).parent.name for one in found["results"]} == {"red"}
    told = shell.run("search", photos, "--prompt", f"{prompt}:redd", "--top", 1)
    assert "was not taught 'redd'; it is looked for as a new name. Did you mean 'red'?" in told.stderr


def test_what_is_asked_wrongly_is_told_before_anything_is_indexed(
    shell: Any, photos: Path, prompt: Path, tmp_path: Path
) -> None:
    index, right = tmp_path / "new.index", f"{prompt}:red"
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for asked, message in (
        (("--like", tmp_path / "none.jpg", *ASKED), "none.jpg: there is no such file"),
        (("--query", "x", "--not-like", broken, *ASKED), "broken.png"),
        (("--prompt", right, "--precision", 0.9, "--taught", tmp_path / "none"), "does not exist"),
        (("--prompt", right, "--precision", 0.9, "--taught", photos), "cannot be told: all images of"),
    ):
        assert message in shell.fails("search", photos, "--index", index, *asked)
        assert not index.exists()
    assert "there is no such folder" in shell.fails("search", tmp_path / "no", "--prompt", right)


@pytest.mark.slow
def test_as_a_table_and_as_csv(shell: Any, photos: Path) -> None:
    draw(photos / "=1+1.png", COLOURS["red"], 3)
    asked = ("search", photos, "-q", "a red circle", "--not", "a blue circle", "--top", 13, *ASKED)
    text = shell.run(*asked).stdout
    assert "a red circle, not a blue circle: 13 of 13 images" in text
    rows = list(csv.reader(io.StringIO(shell.run(*asked, "--csv").stdout)))
    assert rows[0] == ["rank", "score", "path"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(1, 14)]
    scores = [float(row[1]) for row in rows[1:]]
    assert scores == sorted(scores, reverse=True)


def test_the_page_holds_its_pictures_and_escapes_names(shell: Any, photos: Path, tmp_path: Path) -> None:
    draw(photos / "<b>&x.png", COLOURS["red"], 3)
    page = tmp_path / "found.html"
    told = shell.run("search", photos, "-q", "<i>red</i>", "--page", page, *ASKED)
    assert f"wrote {page}" in told.stdout
    text = page.read_text(encoding="utf-8")
    tree = ElementTree.fromstring(text.replace("<!doctype html>", ""))
    pictures = tree.findall(".//ul[@class='gallery']/li/img")
    assert len(pictures) == 13
    assert all(one.get("src", "").startswith("data:image/jpeg;base64,") for one in pictures)
    alts = [one.get("alt") for one in pictures]
    assert any(alt and alt.endswith(": <b>&x.png") for alt in alts)
    assert "<b>" not in text and "<i>" not in text
    assert "http:" not in text and "https:" not in text


def test_what_is_gone_is_told(shell: Any, photos: Path) -> None:
    shell.run("search", photos, *ASKED)
    (photos / "red" / "0.png").unlink()
    told = shell.run("search", photos, "-q", "red", "--no-update", *ASKED)
    assert "1 image is gone since the folder was indexed and left out" in told.stderr
    assert "11 of 12 images" in told.stdout
    again = shell.run("search", photos, "-q", "red", *ASKED)
    assert "indexed 11 images: 1 gone" in again.stderr


def test_broken_images_are_told_and_cost_themselves_alone(shell: Any, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"nothing")
    told = shell.run("search", photos, "-q", "red", *ASKED)
    assert "note: left out: " in told.stderr and "broken.jpg: this is not an image" in told.stderr
    found = shell.json("search", photos, "-q", "red", *ASKED)
    assert [Path(one["path"]).name for one in found["unread"]] == ["broken.jpg"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--not", "x"), "--not says what images shall not show"),
        (("--no-update",), "nothing is looked for"),
        (("--top", "3"), "give also what to look for"),
        (("-q", "x", "--json", "--csv"), "not both"),
        (("-q", "x", "--top", "0"), "outside 1 and more"),
        (
            (
                "-q",
                " ",
            ),
            "words to look for are empty",
        ),
        (("-q", "x", "--template", "no place"), "exactly once"),
        (("-q", "x", "--page", "found.txt"), "--page found.txt: the page is HTML"),
        (("-q", "x", "--index", "absent/x.index"), "the folder absent does not exist"),
        (("--prompt", "pets.prompt"), "names no class of a prompt"),
        (("--out", "x"), "give --export KIND"),
        (("--export", "faiss"), "--export faiss needs --out"),
        (("--export", "milvus", "--out", "x"), "export='milvus' is not known"),
        (("-q", "x", "--export", "npz", "--out", "x.npz"), "looks for nothing"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    words: tuple[str, ...], reason: str, shell: Any, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.backbones.load_backbone", None)
    word = ["--json"] if "--json" in words else []
    result = shell.run("search", photos, *words, exit_code=2)
    assert reason in " ".join(result.stderr.split()), word


def test_two_prompts_of_different_backbones(shell: Any, photos: Path, prompt: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.prompt"
    strange = replace(load_prompt_file(prompt), backbone="some/model", fingerprint="aaaa-bbbb-cccc")
    save_prompt_file(other, strange)
    told = shell.refuses("search", photos, "--prompt", f"{prompt}:red", "--prompt", f"{other}:red")
    assert "by one backbone at a time" in told


@pytest.mark.slow
def test_failures_are_in_words(shell: Any, photos: Path, tmp_path: Path) -> None:
    assert "there is no such folder" in shell.fails("search", tmp_path / "absent", "-q", "x", *ASKED)
    (tmp_path / "empty").mkdir()
    assert "no image matches" in shell.fails("search", tmp_path / "empty", "-q", "x", *ASKED)
    assert "absent.jpg" in shell.fails("search", photos, "--like", "absent.jpg", *ASKED)
    assert "no such file" in shell.fails("search", photos, "--prompt", "absent.prompt:cat")
    file = tmp_path / "x.index"
    file.write_text("something else")
    assert "no index of images" in shell.fails("search", photos, "-q", "x", "--index", file, *ASKED)
    assert file.read_text() == "something else"


@pytest.mark.slow
def test_vectors_for_another_program(shell: Any, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos.npz"
    told = shell.run("search", photos, "--export", "npz", "--out", out, *ASKED)
    assert f"wrote {out}" in told.stdout
    with np.load(out) as held:
        assert held["features"].shape == (12, 128)
        assert held["paths"][0] == "blue/0.png"
    assert "exists already" in shell.refuses("search", photos, "--export", "npz", "--out", out, *ASKED)
    found = shell.json("search", photos, "--export", "npz", "--out", out, "--force", *ASKED)
    assert (found["out"], found["images"]) == (str(out), 12)
    shell.run("search", photos, "--export", "npz", "--out", out, "--force", "--no-update", *ASKED)


@pytest.mark.slow
def test_indexes_are_shown_and_removed(shell: Any, photos: Path) -> None:
    shell.run("search", photos, *ASKED)
    [one] = shell.json("cache", "show")["indexes"]
    half = Path(one["path"]).with_name(f".{Path(one['path']).name}.0123.tmp")
    half.write_bytes(b"left by a kill")
    assert (one["folder"], one["backbone"], one["images"]) == (str(photos.resolve()), "mini", 12)
    assert f"12 images of {photos.resolve()} by mini" in " ".join(shell.run("cache", "show").stdout.split())
    assert shell.json("cache", "clear", "--indexes")["removed"] == 1
    assert shell.json("cache", "show")["indexes"] == []
    assert not half.exists()
    assert shell.json("cache", "show")["entries"] == 12
    assert "one at a time" in shell.refuses("cache", "clear", "--indexes", "--datasets")


@pytest.mark.slow
def test_how_many_are_right_is_told_by_what_taught_the_prompt(shell: Any, photos: Path, prompt: Path) -> None:
    asked = ("search", photos, "--prompt", f"{prompt}:red", "--precision", "0.3", "--taught", photos)
    assert "the folder may hold other things" in " ".join(shell.fails(*asked).split())
    asked = (*asked, "--nothing-else")
    found = shell.json(*asked)
    are_red = [Path(one["path"]).parent.name == "red" for one in found["results"]]
    assert (sum(are_red), sum(are_red) / len(are_red) >= 0.3) == (4, True)
    assert (found["precision"]["asked"], found["precision"]["others"]) == (0.3, 8)
    assert "about 30 % of them right, or more" in shell.run(*asked).stdout
    refused = shell.refuses("search", photos, "--prompt", f"{prompt}:red", "--precision", "0.5")
    assert "--taught DATA" in refused
    assert "about the precision of a class" in shell.refuses("search", photos, "-q", "x", "--taught", photos)
    assert "nothing of words" in " ".join(
        shell.refuses("search", photos, "-q", "x", "--precision", "0.5", "--taught", photos).split()
    )
