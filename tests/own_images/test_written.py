"""A file of answers is whole at any moment, is gone on with, and takes no answer that was made otherwise."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.errors import OptionError
from promptlet.own_images.written import parquet as written_parquet
from promptlet.own_images.written.answers import AnswerFile, form_of
from promptlet.own_images.written.growing import GrowingFile, note_of
from promptlet.own_images.written.tables import Shape

NAMES = ("cat", "=dog", "path")
MADE = {"prompt file": "ab", "--threshold": 0.5}
FORMS = ("csv", "jsonl", "parquet")


def answers(paths: Sequence[str], rule: Rule | None = None) -> list[Answer]:
    """The first is a cat with 0.5, the second a dog with 0.7, the third nothing much; and again."""
    rows = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], np.float32)
    rule = rule or Rule(2, 0.5)
    return [decide(path, rows[i % 3], NAMES, rule) for i, path in enumerate(paths)]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read by others: the standard library, and pandas."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(path)
    return [
        {name: None if value != value else value for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def paths_in(path: Path) -> list[str]:
    return [row["path"] for row in rows_of(path)]


def test_deciding_is_at_the_threshold_too() -> None:
    cat, dog, none = answers(["a", "b", "c"])
    assert (cat.class_name, dog.class_name, none.class_name) == ("cat", "=dog", None)
    assert cat.top == (("cat", 0.5), ("=dog", pytest.approx(0.3)))
    assert none.top[0] == ("path", pytest.approx(0.4)) and none.facts()["class_name"] is None
    assert decide("c", none.probabilities, NAMES, Rule(9)).class_name == "path"
    tied = decide("d", np.array([0.3, 0.35, 0.35]), NAMES, Rule(3))
    assert [name for name, _ in tied.top] == ["=dog", "path", "cat"]  # the first of two that are even


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("wide", [False, True], ids=["likeliest", "wide"])
def test_what_stands_in_the_file(suffix: str, wide: bool, tmp_path: Path) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"r.{suffix}"
    file = AnswerFile(path, Shape(NAMES, 2, wide), MADE)
    file.add(answers(["a.png", "b,\n.png", "c.png"]))
    file.finish()
    rows = rows_of(path)
    if suffix == "jsonl":
        assert [row["class_name"] for row in rows] == ["cat", "=dog", None]
        assert rows[1]["path"] == "b,\n.png"
        told = rows[2]["probabilities" if wide else "top"]
        assert told == (
            {name: pytest.approx(p) for name, p in zip(NAMES, (0.3, 0.3, 0.4), strict=True)}
            if wide
            else [
                {"class_name": "path", "probability": pytest.approx(0.4)},
                {"class_name": "cat", "probability": pytest.approx(0.3)},
            ]
        )
        return
    is_csv = suffix == "csv"
    dog = "'=dog" if is_csv else "=dog"
    further = ["cat", "'=dog" if is_csv else "=dog", "path_"] if wide else ["class_name_2", "probability_2"]
    assert list(rows[0]) == ["path", "class_name", "probability", *further]
    assert [row["class_name"] for row in rows] == ["cat", dog, "" if is_csv else None]
    assert [float(row["probability"]) for row in rows] == pytest.approx([0.5, 0.7, 0.4])
    assert rows[1]["path"] == ("b,\\n.png" if is_csv else "b,\n.png")
    if wide:
        assert [float(rows[1][name]) for name in further] == pytest.approx([0.2, 0.7, 0.1])
    else:
        assert rows[0]["class_name_2"] == dog and float(rows[0]["probability_2"]) == pytest.approx(0.3)


@pytest.mark.parametrize("suffix", FORMS)
def test_going_on(suffix: str, tmp_path: Path) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    path, shape = tmp_path / f"r.{suffix}", Shape(NAMES, 2)
    hostile = ["a.png", "=b.png", "c\u202e.png", "d\udcff.png", "e\n.png", 'f",.png']
    cut = AnswerFile(path, shape, MADE)
    cut.add(answers(hostile[:2]))
    cut.add(answers(hostile[2:]))
    cut.close()  # as a stop does
    assert cut.kept_in == [cut.growing]
    with cut.growing.open("ab") as file:
        file.write(b'{"path": "half a li')  # as a kill may leave it
    again = AnswerFile(path, shape, MADE)
    again.check()
    assert again.go_on() == {again.key(path) for path in hostile}
    again.add(answers(["g.png"]))
    again.finish()
    shown = [*map(again.key, hostile), "g.png"]
    assert paths_in(path) == (hostile if suffix == "jsonl" else shown[:-1]) + ["g.png"]
    more = AnswerFile(path, shape, MADE)  # a file that is finished is gone on with as well
    assert more.go_on() == set(shown) and more.kept_in == [path]
    more.add(answers(["h.png"]))
    more.finish()
    assert paths_in(path)[-2:] == ["g.png", "h.png"] and len(rows_of(path)) == 8
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, f"{path.name}.resume"]
    nothing = AnswerFile(path, shape, MADE)
    before = path.read_bytes()
    nothing.go_on()
    nothing.finish()
    assert path.read_bytes() == before


def test_parquet_that_was_made_and_not_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(written_parquet, "GROUP", 2)
    path, shape = tmp_path / "r.parquet", Shape(NAMES)
    file = AnswerFile(path, shape, MADE)
    file.add(answers([f"{i}.png" for i in range(5)]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            file.finish()
    file.close()
    assert path.exists() and file.growing.exists()
    again = AnswerFile(path, shape, MADE)
    assert again.go_on() == {f"{i}.png" for i in range(5)}
    again.add(answers(["5.png"]))
    again.finish()
    assert paths_in(path) == [f"{i}.png" for i in range(6)] and not again.growing.exists()


def stop(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def full(*_: object, **__: object) -> Any:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("raises", [stop, full])
@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace"])
def test_a_batch_is_there_or_not(
    where: str, raises: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.csv"
    file = AnswerFile(path, Shape(NAMES), MADE)
    file.add(answers(["a.png"]))
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(where, raises)
        with pytest.raises((KeyboardInterrupt, OSError)):
            file.add(answers(["b.png", "c.png"]))
    assert path.read_bytes() == before
    file.add(answers(["d.png"]))  # and it goes on
    file.close()
    again = AnswerFile(path, Shape(NAMES), MADE)
    assert again.go_on() == {"a.png", "d.png"} and paths_in(path) == ["a.png", "d.png"]
    again.close()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_a_disk_that_is_full_before_the_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, shape = tmp_path / "r.csv", Shape(NAMES)
    file, fsync, calls = AnswerFile(path, shape, MADE), os.fsync, [full, os.fsync]
    monkeypatch.setattr(os, "fsync", lambda number: calls.pop(0)(number) if calls else fsync(number))
    with pytest.raises(OSError, match="No space left"):
        file.add(answers(["a.png"]))
    file.close()
    assert path.read_bytes() == b"" and file.kept_in == []
    again = AnswerFile(path, shape, MADE)
    assert again.go_on() == set()
    again.add(answers(["a.png", "b.png"]))
    again.finish()
    assert paths_in(path) == ["a.png", "b.png"] and again.kept_in == [path]


def test_who_is_refused_leaves_the_file_to_its_writer(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for suffix in FORMS:
        path, shape = tmp_path / f"r.{suffix}", Shape(NAMES)
        first = AnswerFile(path, shape, MADE)
        first.add(answers(["a.png"]))
        first.finish()
        first.go_on()
        before = path.read_bytes()
        for _ in range(2):  # the second one is not let in by the end of the first
            other = AnswerFile(path, shape, MADE)
            with pytest.raises(OptionError, match="being written by another process"):
                other.add(answers(["b.png"]))
            other.close()
        assert path.read_bytes() == before
        first.add(answers(["c.png"]))
        first.finish()
        assert paths_in(path) == ["a.png", "c.png"] and not list(tmp_path.glob("*.lock"))


def test_a_parquet_file_of_other_columns_is_not_gone_on_with(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "r.parquet"
    file = AnswerFile(path, Shape(NAMES), MADE)
    file.add(answers(["a.png"]))
    file.finish()
    pandas.read_parquet(path).drop(columns="probability").to_parquet(path, index=False)
    with pytest.raises(OptionError, match=r"its columns were changed\); give --force"):
        AnswerFile(path, Shape(NAMES), MADE).go_on()


def test_what_is_refused(tmp_path: Path) -> None:
    path, shape = tmp_path / "r.csv", Shape(NAMES)
    file = AnswerFile(path, shape, MADE)
    file.add(answers(["a.png"]))
    with pytest.raises(OptionError, match="being written by another process"):
        AnswerFile(path, shape, MADE).go_on()
    file.close()
    for other, told in (
        ({**MADE, "--threshold": 0.6}, r"another --threshold \(0.5, now 0.6\)"),
        ({**MADE, "--wide": True}, r"another --wide \(None, now True\)"),
        ({"prompt file": "ab"}, r"another --threshold \(0.5, now None\)"),
    ):
        with pytest.raises(OptionError, match=told):
            AnswerFile(path, shape, other).check()
    good = path.read_bytes()
    for changed in (good.replace(b"cat", b"dog"), good[:-1]):
        path.write_bytes(changed)
        with pytest.raises(OptionError, match="was changed since it was written"):
            AnswerFile(path, shape, MADE).go_on()
        assert path.read_bytes() == changed
    path.write_bytes(good)
    note = note_of(path)
    for content, told in (("{", "cannot be read"), ("[]", "damaged"), ('{"schema": 2}', "damaged")):
        note.write_text(content)
        with pytest.raises(OptionError, match=told):
            AnswerFile(path, shape, MADE).check()
    note.unlink()
    with pytest.raises(OptionError, match=r"without r\.csv\.resume"):
        AnswerFile(path, shape, MADE).check()
    for name in ("r", "r.xlsx", "r.csv.gz"):
        with pytest.raises(OptionError, match=r"ending in .csv, .jsonl, .parquet"):
            form_of(tmp_path / name)
    assert form_of(tmp_path / "R.CSV") == ".csv"


def test_nothing_is_replaced_before_there_is_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("old")
    file = AnswerFile(path, Shape(NAMES), MADE)
    file.finish()
    assert path.read_text() == "old"
    file.add(answers(["a.png"]))
    file.finish()
    assert paths_in(path) == ["a.png"]


def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = GrowingFile(tmp_path / "r", tmp_path / "r.resume", {})
    file.begin()
    inner = file._file

    class Short:
        def write(self, data: Any) -> int:
            assert inner is not None
            return inner.write(data[:3]) or 0

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    monkeypatch.setattr(file, "_file", Short())
    file.add("abcdefgh\n")
    file.close()
    assert (tmp_path / "r").read_text() == "abcdefgh\n"
