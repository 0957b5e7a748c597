"""Unpacked data sets: whole or not at all, by one process at a time, found again, listed and removed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hf_toys import encoded, image_set

from promptlet.data.hugging_face.unpacked import (
    Content,
    clear_unpacked,
    datasets_folder,
    list_unpacked,
    unpack_once,
)
from promptlet.data.items import SPLIT_NAMES
from promptlet.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/datasets"


class Filler:
    """Writes two images of five bytes, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> Content:
        self.times += 1
        rows = []
        for label, name in enumerate(("a", "b")):
            path = folder / "images" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"bytes")
            rows.append((f"images/{name}.png", label, 5))
        return Content("hf:x", "x", ("A", "B"), "a rule", {"train": rows, "val": [], "test": rows[:1]})


def files(cache: Path) -> list[str]:
    found = (path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(".lock"))


def test_filled_once_and_found_again(cache: Path) -> None:
    fill = Filler()
    first = unpack_once("d1", fill)
    assert unpack_once("d1", fill) == first and fill.times == 1
    assert unpack_once("d2", fill) != first and fill.times == 2
    assert (first.name, first.class_names, first.rule) == ("x", ("A", "B"), "a rule")
    assert [(item.path, item.label, item.class_name) for item in first.train] == [
        (cache / "d1/images/a.png", 0, "A"),
        (cache / "d1/images/b.png", 1, "B"),
    ]
    assert [len(getattr(first, part)) for part in SPLIT_NAMES] == [2, 0, 1]
    assert files(cache)[:3] == ["d1/images/a.png", "d1/images/b.png", "d1/index.json"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), DataError("no such column"), OSError(28, "No space left")]
)
def test_whole_or_not_at_all(error: BaseException, cache: Path) -> None:
    def stops(folder: Path) -> Content:
        Filler()(folder)
        raise error

    kind = DataError if isinstance(error, OSError) else type(error)
    with pytest.raises(kind) as caught:
        unpack_once("d1", stops)
    if isinstance(error, OSError):
        message = f"{cache / 'd1'}: images cannot be unpacked here (No space left); free some space, or set"
        assert str(caught.value).startswith(message)
    assert files(cache) == []
    assert len(unpack_once("d1", Filler()).train) == 2


def test_what_a_killed_process_left_is_removed(cache: Path) -> None:
    (cache / ".d1-1234/images").mkdir(parents=True)
    (cache / ".d1-1234/images/half.png").touch()
    (cache / ".d2-1234").mkdir()
    unpack_once("d1", Filler())
    assert sorted(path.name for path in cache.glob(".*")) == [".d2-1234"]  # another one's may be alive


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 2}', '{"schema": 1, "parts": 3}'])
def test_a_damaged_index_is_made_anew(text: str, cache: Path) -> None:
    fill = Filler()
    first = unpack_once("d1", fill)
    (cache / "d1/index.json").write_text(text)
    assert unpack_once("d1", fill) == first and fill.times == 2


def test_labels_without_a_class_are_damage_too(cache: Path) -> None:
    fill = Filler()
    first = unpack_once("d1", fill)
    index = json.loads((cache / "d1/index.json").read_text())
    index["parts"]["train"][1][1] = 2
    (cache / "d1/index.json").write_text(json.dumps(index))
    assert unpack_once("d1", fill) == first and fill.times == 2


def test_files_that_are_gone_or_changed(cache: Path) -> None:
    fill = Filler()
    unpack_once("d1", fill)
    (cache / "d1/images/b.png").write_bytes(b"four")
    unpack_once("d1", fill)
    (cache / "d1/images/a.png").unlink()
    unpack_once("d1", fill)
    assert fill.times == 3 and (cache / "d1/images/b.png").read_bytes() == b"bytes"


def test_listed_and_removed(cache: Path, tmp_path: Path) -> None:
    assert list_unpacked() == [] == clear_unpacked()
    unpack_once("d2", Filler())
    unpack_once("d1", Filler())
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"mine")

    def elsewhere(folder: Path) -> Content:
        return Content("hf:y", "y", ("A", "B"), "", {"train": [(str(outside), 0, 4)], "val": [], "test": []})

    assert unpack_once("d3", elsewhere).train[0].path == outside
    facts = [(one.path, one.source, one.images, one.bytes) for one in list_unpacked()]
    assert facts == [
        (cache / "d1", "hf:x", 2, 10),
        (cache / "d2", "hf:x", 2, 10),
        (cache / "d3", "hf:y", 0, 0),
    ]
    assert [one.path.name for one in clear_unpacked()] == ["d1", "d2", "d3"]
    assert not datasets_folder().exists() and outside.read_bytes() == b"mine"


def test_no_place_to_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match=r"images cannot be unpacked here .* or set PROMPTLET_CACHE to another"
    ):
        unpack_once("d1", Filler())


TWO = """
import sys
from promptlet.data import load_dataset
from promptlet.data.hugging_face import reader as hugging_face
original = hugging_face.open_local
hugging_face.open_local = lambda source: print("opened") or original(source)
print(len(load_dataset(sys.argv[1]).train))
"""


@pytest.mark.slow
def test_processes_at_once_unpack_it_once(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("datasets")
    labels = [i % 3 for i in range(2000)]
    image_set(labels).to_parquet(str(tmp_path / "t.parquet"))
    command = [sys.executable, "-c", TWO, str(tmp_path / "t.parquet")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert sorted(out.decode().split() for out, _ in said) == [["2000"], ["2000"], ["opened", "2000"]]
    assert all(err == b"" for _, err in said)
    assert [path.suffix for path in cache.iterdir()].count("") == 1
    written = sorted((cache / next(cache.glob("*/index.json")).parent.name).rglob("*.png"))
    assert [path.read_bytes() for path in written] == [encoded(i) for i in range(2000)]
