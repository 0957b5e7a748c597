"""CSV and Parquet of a summary and of its runs, read back by other readers."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from promptlet.errors import MissingExtraError, OptionError
from promptlet.report import render, summarise, write_report
from promptlet.report.formats.documents import format_of

parquet = pytest.importorskip("pyarrow.parquet")
import pyarrow as arrow  # noqa: E402


def filled(book: Any) -> Any:
    """Two finished rows of two protocols, a failed seed, a missing one."""
    for seed in (1, 2):
        book.write("coop", seed, 70.0 + seed, 60.0)
    book.write("rlp", 1, 88.5, dataset="cars", more={"peak_memory": None})
    broken = book.fail("coop", 3, "the loss became nan\nsee above")
    planned = book.run("coop", 4, "base-to-new", "pets")
    book.store.write_plan([broken.describe(), planned.describe()])
    return summarise(book.store)


def read(path: Path) -> list[dict[str, Any]]:
    return list(parquet.read_table(path).to_pylist())


def test_parquet_has_types_and_nulls(book: Any, tmp_path: Path) -> None:
    write_report(tmp_path / "a.parquet", filled(book))
    schema = parquet.read_schema(tmp_path / "a.parquet")
    kinds = {name: schema.field(name).type for name in schema.names}
    assert kinds["seeds"] == arrow.list_(arrow.int64()) and kinds["keys"] == arrow.list_(arrow.string())
    assert kinds["shots"] == kinds["trainable"] == kinds["peak_memory"] == arrow.int64()
    assert kinds["base"] == kinds["H"] == kinds["accuracy"] == kinds["seconds"] == arrow.float64()
    assert kinds["method"] == kinds["options"] == kinds["state"] == arrow.string()
    done, few, missing, failed = read(tmp_path / "a.parquet")
    assert done["H_std"] == pytest.approx((2 * 72 * 60 / 132 - 2 * 71 * 60 / 131) / 2)
    assert few["H_std"] is None
    assert (done["base"], done["seeds"], done["state"], done["accuracy"]) == (71.5, [1, 2], "done", None)
    assert json.loads(done["options"]) == {"n_ctx": 4} and json.loads(done["settings"])["lr"] == 0.01
    assert [key.rpartition("-")[0] for key in done["keys"]] == [
        f"base-to-new-pets-coop-n-ctx4-16shot-fast-seed{seed}" for seed in (1, 2)
    ]
    assert (few["accuracy"], few["base"], few["peak_memory"], few["trainable"]) == (88.5, None, None, 516)
    assert (missing["state"], missing["seeds"], missing["base"], missing["reason"]) == (
        *("missing", [4], None, "not run yet"),
    )
    assert (failed["state"], failed["seeds"], failed["trainable"]) == ("failed", [3], None)
    assert failed["reason"].startswith("the loss became nan") and "seed3" in failed["keys"][0]


def test_csv_says_the_same(book: Any, tmp_path: Path) -> None:
    summary = filled(book)
    write_report(tmp_path / "a.parquet", summary)
    rows = list(csv.DictReader(io.StringIO(render(summary, "csv"))))
    assert list(rows[0]) == parquet.read_schema(tmp_path / "a.parquet").names
    for told, typed in zip(rows, read(tmp_path / "a.parquet"), strict=True):
        for name, value in typed.items():
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            assert told[name] == ("" if text is None else str(text).replace("\n", r"\n"))


def test_rows_are_the_records(book: Any, tmp_path: Path) -> None:
    summary = filled(book)
    write_report(tmp_path / "rows.parquet", summary, rows=True)
    rows = {row["key"]: row for row in read(tmp_path / "rows.parquet")}
    files = {path.stem: json.loads(path.read_text()) for path in book.store.folder.glob("*.json")}
    assert set(rows) == set(files) and len(rows) == 4
    for key, record in files.items():
        for name in (
            "status",
            "seed",
            "base",
            "accuracy",
            "trainable",
            "reason",
            "date",
            "peak_memory",
            "rank",
        ):
            assert rows[key][name] == record.get(name), name
        assert json.loads(rows[key]["settings"]) == record["settings"]
        assert rows[key]["versions.torch"] == record.get("versions", {}).get("torch")
    schema = parquet.read_schema(tmp_path / "rows.parquet")
    assert schema.field("seed").type == arrow.int64() and schema.field("base").type == arrow.float64()
    told = list(csv.DictReader(io.StringIO(render(summary, "csv", rows=True))))
    assert [row["key"] for row in told] == list(rows) and list(told[0]) == schema.names


def test_lists_are_left_out_and_odd_values_become_texts(book: Any, tmp_path: Path) -> None:
    more = {"history": [{"epoch": 1}], "odd": "text", "huge": 10**30, "yes": True, "half": "\ud800"}
    book.write("coop", 1, 70.0, more=more)
    book.write("coop", 2, 70.0, more={"odd": 3, "huge": 1, "yes": False})
    write_report(tmp_path / "rows.parquet", summarise(book.store), rows=True)
    first, second = read(tmp_path / "rows.parquet")
    assert "history" not in first and (first["odd"], second["odd"]) == ("text", "3")
    assert (first["huge"], second["huge"], first["yes"], second["yes"]) == (1e30, 1.0, True, False)
    assert first["half"] == "?" and second["half"] is None
    render(summarise(book.store), "csv", rows=True).encode()


def test_nothing_to_tell_is_a_table_without_rows(book: Any, tmp_path: Path) -> None:
    book.store.folder.mkdir()
    summary = summarise(book.store)
    for rows in (False, True):
        write_report(tmp_path / "a.parquet", summary, rows=rows)
        assert read(tmp_path / "a.parquet") == []
        assert len(render(summary, "csv", rows=rows).splitlines()) == 1


def test_without_pyarrow_it_is_said_what_to_install(
    book: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = filled(book)
    (tmp_path / "a.parquet").write_bytes(b"before")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[parquet\]'"):
        write_report(tmp_path / "a.parquet", summary)
    assert (tmp_path / "a.parquet").read_bytes() == b"before"


def test_a_suffix_that_means_nothing_is_refused_unless_the_format_is_given() -> None:
    with pytest.raises(OptionError, match=r"the suffix '\.pdf' means no format; give one of \.md"):
        format_of(None, Path("a.pdf"))
    assert format_of("html", Path("a.pdf")) == "html" and format_of(None, Path("a")) == "markdown"


def test_the_format_follows_the_suffix_unless_it_is_given() -> None:
    assert (
        format_of(None, None) == format_of(None, Path("a.txt")) == format_of(None, Path("a.MD")) == "markdown"
    )
    assert format_of(None, Path("a.html")) == "html" and format_of(None, Path("a.parquet")) == "parquet"
    assert format_of("csv", Path("a.txt")) == format_of(None, None, rows=True) == "csv"
    for given, words in (
        (("csv", Path("a.html")), "contradict each other: that suffix means html"),
        (("parquet", None), "give --out FILE.parquet"),
        (("xml", None), "format='xml' is not known; allowed: markdown, html, csv, parquet, latex"),
        ((None, Path("a.md"), True), "write it as csv or parquet"),
    ):
        with pytest.raises(OptionError, match=words):
            format_of(*given)  # type: ignore[arg-type]


def test_what_a_format_has_no_place_for_is_refused(book: Any, tmp_path: Path) -> None:
    summary = filled(book)
    for name, choices, words in (
        ("a.csv", {"against": "coop"}, "--against coop is of paired differences, which csv has no place for"),
        ("a.parquet", {"against": "coop"}, "differences, which parquet has no place for"),
        ("a.parquet", {"published": True}, "--published is of published numbers, which parquet has no"),
        ("a.html", {"rows": True}, "--rows is a table of single runs, which html has no place for"),
    ):
        with pytest.raises(OptionError, match=words):
            write_report(tmp_path / name, summary, **choices)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    with pytest.raises(OptionError, match="which csv has no place for; write the report as markdown or html"):
        render(summary, "csv", published=True)
    with pytest.raises(OptionError, match="which markdown has no place for; write it as csv or parquet"):
        render(summary, rows=True)


def test_parquet_is_no_text(book: Any) -> None:
    with pytest.raises(OptionError, match="is no text; write it with write_report"):
        render(filled(book), "parquet")


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(book: Any, tmp_path: Path) -> None:
    summary = filled(book)
    with pytest.raises(OptionError, match="cannot be written"):
        write_report(tmp_path / "absent" / "a.csv", summary)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OptionError, match="cannot be written"):
        write_report(tmp_path / "folder.csv", summary)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "runs"]


def test_what_was_there_stays_when_writing_fails(
    book: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space left")

    summary = filled(book)
    (tmp_path / "a.csv").write_text("before")
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OptionError, match="no space left"):
        write_report(tmp_path / "a.csv", summary)
    assert (tmp_path / "a.csv").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "runs"]


HOSTILE = "=cmd|' /C calc'!A0\x1b[2J\u202e\nforged,line\udcff"


@pytest.mark.parametrize("format", ["csv", "markdown", "latex", "html"])
def test_names_neither_act_nor_forge_lines(format: str, book: Any) -> None:
    book.write("coop", 1, 70.0, 60.0, dataset=HOSTILE)
    book.fail("coop", 2, HOSTILE)
    text = render(summarise(book.store), format)
    assert not set("\x1b\u202e\udcff\r") & set(text) and r"x1b[2J" in text.replace("{[}", "[")
    if format != "html":  # where a line feed is a space
        assert not any(line.startswith("forged") for line in text.splitlines())
    if format == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert any(cell.startswith("'=cmd") for cell in cells)
        assert not any(cell.startswith(("=", "+", "@")) for cell in cells)
