"""From arguments and lists to images: each once, and what is wrong with one of them costs itself alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptlet.own_images.finding import Finder, paths_of


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder one is in, with a few images."""
    for name in ("a.png", "b.jpg", "in/c.png", "in/d.png", "odd[1].png", "@e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lists(place: Path) -> None:
    (place / "list.txt").write_bytes(
        b"\xef\xbb\xbfa.png\r\n\r\nin\nodd[1].png\n  \nnot there.png\n*.jpg\n@e.png"
    )
    found = Finder().find(["@list.txt"])
    assert found.paths == ["a.png", "in/c.png", "in/d.png", "odd[1].png", "@e.png"]
    assert set(found.errors) == {"not there.png", "*.jpg"} and found.repeated == 0
    assert "there is no such file" in found.errors["not there.png"]
    read = Finder(lambda: b"b.jpg\0in/c.png\0a\nb.png\0").find(["-", "a.png"])
    assert read.paths == ["b.jpg", "in/c.png", "a.png"] and list(read.errors) == ["a\nb.png"]


def test_lists_that_name_nothing(place: Path) -> None:
    (place / "empty.txt").write_text("\n \n")
    os.mkfifo(place / "pipe")
    found = Finder(lambda: b"").find(["-", "@empty.txt", "@absent.txt", "@pipe", "@in", "@", "a.png"])
    assert found.paths == ["a.png"]
    assert "standard input names no image" in found.errors["-"]
    assert "the list is empty" in found.errors["@empty.txt"]
    for name in ("@absent.txt", "@pipe", "@in"):
        assert "cannot be read" in found.errors[name], name
    assert "there is no such file" in found.errors["@"]


def test_each_once(place: Path) -> None:
    found = Finder().find(["a.png", "./a.png", str(place / "a.png"), "in", "in/c.png", "*.png", "@e.png"])
    assert [Path(path).name for path in found.paths] == ["a.png", "c.png", "d.png", "@e.png", "odd[1].png"]
    assert found.paths[0] == "a.png" and found.repeated == 5 and found.errors == {}


def test_addresses(place: Path) -> None:
    given = ["https://example.com/a.png", "HTTP://example.com/b.png", "file:///etc/passwd", "s3://a/b.png"]
    closed, opened = Finder().find(given), Finder(with_addresses=True).find([*given, given[0]])
    assert closed.paths == [] and opened.paths == given[:2] and opened.repeated == 1
    assert "give --allow-urls" in closed.errors[given[0]]
    for found in (closed, opened):
        assert all("only http:// and https://" in found.errors[name] for name in given[2:])
    (place / "list").write_text("\n".join([*given, "a.png"]))
    assert Finder(with_addresses=True).find(["@list"]).paths == [*given[:2], "a.png"]


def test_names_that_no_file_can_have(place: Path) -> None:
    wrong = ["x" * 5000, "a\0b.png", "\udcff.png"]
    found = Finder(lambda: os.fsencode("\n".join([wrong[0], wrong[2], "a.png"]))).find([*wrong, "-"])
    assert found.paths == ["a.png"] and set(found.errors) == set(wrong)
    assert paths_of(b"\xff.png\n") == ["\udcff.png"]
