from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlet.data import read_coop_split
from promptlet.errors import DataError

TRAIN = [["b/1.jpg", 1, "wild_cat"], ["a/9.jpg", 0, "ant"], ["a/1.jpg", 0, "ant"]]


def write(folder: Path, content: Any, name: str = "split_zhou_Toy.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_order_labels_and_paths_are_the_files(tmp_path: Path) -> None:
    split = read_coop_split(write(tmp_path, {"train": TRAIN, "val": [], "test": TRAIN[:1]}))
    assert (split.name, split.class_names) == ("toy", ("ant", "wild cat"))
    assert [item.path for item in split.train] == [tmp_path / row[0] for row in TRAIN]
    assert [(item.label, item.class_name) for item in split.train] == [
        (1, "wild cat"),
        (0, "ant"),
        (0, "ant"),
    ]
    assert (len(split.val), len(split.test)) == (0, 1)


def test_where_the_images_are(tmp_path: Path) -> None:
    content = {"train": TRAIN, "val": [], "test": []}
    known = write(tmp_path, content, "split_zhou_Caltech101.json")
    split = read_coop_split(known)
    assert split.name == "caltech101"
    assert split.train[0].path == tmp_path / "101_ObjectCategories" / "b" / "1.jpg"
    assert read_coop_split(known, tmp_path / "x").train[0].path == tmp_path / "x" / "b" / "1.jpg"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ([], "holds a list; expected {"),
        ({"train": TRAIN, "test": []}, "has no list 'val' but 'train', 'test'"),
        (
            {"train": [["a.jpg", 0]], "val": [], "test": []},
            "train[0]: is ['a.jpg', 0]; expected [path, label",
        ),
        (
            {"train": [["a.jpg", "0", "a"]], "val": [], "test": []},
            "expected a text, a whole number and a text",
        ),
        ({"train": [], "val": [["a.jpg", True, "a"]], "test": []}, "val[0]: is"),
        (
            {"train": [["../a.jpg", 0, "a"]], "val": [], "test": []},
            "'../a.jpg' is not inside the image folder",
        ),
        ({"train": [["/a.jpg", 0, "a"]], "val": [], "test": []}, "'/a.jpg' is not inside the image folder"),
        ({"train": TRAIN, "val": [], "test": [["c", 0, "bee"]]}, "label 0 is called 'ant' and 'bee'"),
        (
            {"train": TRAIN, "val": [], "test": [["c", 3, "bee"]]},
            "3 labels, but no image has label 2 and one has 3",
        ),
        ({"train": TRAIN, "val": [], "test": [["c", 2, "Ant"]]}, "'ant' and 'Ant' differ only by"),
        ({"train": [], "val": [], "test": []}, "there is no class"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_coop_split(write(tmp_path, content))
    assert message in str(caught.value)
    assert "split_zhou_Toy.json" in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: cannot be read"):
        read_coop_split(tmp_path / "gone.json")


@pytest.mark.realbed
def test_caltech101(realbed: Path) -> None:
    split = read_coop_split(realbed / "data" / "caltech-101" / "split_zhou_Caltech101.json")
    assert [len(part) for part in (split.train, split.val, split.test)] == [4128, 1649, 2465]
    assert len(split.class_names) == 100
    assert all(item.path.is_file() for item in split.every_item)


def test_paths_written_on_windows(tmp_path: Path) -> None:
    rows = [["a\\b\\1.jpg", 0, "ant"], ["c/2.jpg", 1, "bee"]]
    split = read_coop_split(write(tmp_path, {"train": rows, "val": [], "test": []}))
    assert [item.path for item in split.train] == [tmp_path / "a/b/1.jpg", tmp_path / "c/2.jpg"]


@pytest.mark.parametrize("path", ["..\\a.jpg", "C:\\a.jpg", "\\\\host\\share\\a.jpg", "b\\..\\..\\a.jpg"])
def test_paths_that_leave_the_folder_with_backslashes(tmp_path: Path, path: str) -> None:
    file = write(tmp_path, {"train": [[path, 0, "a"]], "val": [], "test": []})
    with pytest.raises(DataError, match=r"train\[0\]: the path .* is not inside the image folder"):
        read_coop_split(file)


@pytest.mark.parametrize("text", ["a\0", "\ud800", "\udcff", "x\udfffy"])
@pytest.mark.parametrize("what", ["path", "class name"])
def test_text_that_is_none(tmp_path: Path, text: str, what: str) -> None:
    bad = [f"{text}.jpg", 1, "bee"] if what == "path" else ["1.jpg", 1, text]
    file = write(tmp_path, {"train": [["0.jpg", 0, "ant"]], "val": [], "test": [["2.jpg", 0, "ant"], bad]})
    with pytest.raises(
        DataError, match=rf"Toy\.json: test\[1\]: the {what} '.*' (holds a NUL|is no text in UTF-8)"
    ):
        read_coop_split(file)
