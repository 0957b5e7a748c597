"""Packs that are damaged, hostile or of another version: a named error, or the same content."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pack_toys import write_runs

from promptlet.errors import DataError, PackError
from promptlet.protocols import RunStore
from promptlet.protocols.records import pack_lines, packs
from promptlet.protocols.records.packing import pack, unpack

HEAD = {"format": "promptlet-results", "schema": 1}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    write_runs(tmp_path / "runs")
    pack([tmp_path / "runs"], tmp_path / "runs.jsonl.gz")
    return tmp_path / "runs.jsonl.gz"


def write(path: Path, lines: list[Any], **head: Any) -> Path:
    """A pack of any lines, with the digest that belongs to them."""
    body = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
    digest = hashlib.blake2b(b"".join(body), digest_size=16).hexdigest()
    count = sum(isinstance(line, dict) and "key" in line for line in lines)
    header = {**HEAD, "records": count, "digest": digest, **head}
    path.write_bytes(gzip.compress(b"".join([json.dumps(header).encode() + b"\n", *body])))
    return path


def same_or_named(path: Path, content: Any) -> bool:
    """Whether the content is the same; else it is an error with a name, and with a next step."""
    store = RunStore(path)
    try:
        found = store.read_all()
    except PackError as error:
        assert str(error).startswith(f"{path}: ") and "; " in str(error)
        return False
    assert found == content
    return True


def test_a_flipped_byte_is_noticed(packed: Path, tmp_path: Path) -> None:
    intact, content = packed.read_bytes(), RunStore(packed).read_all()
    same = 0
    for place in [*range(20), *range(20, len(intact), 37), *range(len(intact) - 10, len(intact))]:
        for flip in (1, 128, 255):
            damaged = bytearray(intact)
            damaged[place] ^= flip
            packed.write_bytes(damaged)
            same += same_or_named(packed, content)
    assert same <= 3 * 7  # in gzip's own header: a flag of text, the time, the level and the system


def test_a_cut_pack_is_noticed(packed: Path) -> None:
    intact, content = packed.read_bytes(), RunStore(packed).read_all()
    for length in [*range(20), *range(20, len(intact) - 1, 53), len(intact) - 1]:
        packed.write_bytes(intact[:length])
        assert not same_or_named(packed, content)
    for tail in (b"x", intact, gzip.compress(b"{}\n")):
        packed.write_bytes(intact + tail)
        assert not same_or_named(packed, content)


def test_a_damaged_line_is_noticed(packed: Path) -> None:
    """As by somebody who unpacks, edits and packs again."""
    lines, content = (
        gzip.decompress(packed.read_bytes()).splitlines(keepends=True),
        RunStore(packed).read_all(),
    )
    for number in range(len(lines)):
        for changed in ([], [lines[number]] * 2, [lines[number][:-9]], [lines[number].replace(b"5", b"6")]):
            if changed != [lines[number]]:
                packed.write_bytes(gzip.compress(b"".join([*lines[:number], *changed, *lines[number + 1 :]])))
                assert not same_or_named(packed, content)


DRAWN = {"samples": {"list": "b"}}
RECORD = {"schema": 1, "key": "a", "status": "done", "protocol": "x"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([RECORD, RECORD], "a is there twice"),
        ([{**RECORD, "samples": {"list": "b"}}], "samples of a is not there"),
        ([{**RECORD, "samples": {"list": 5}}], "samples of a is not there"),
        ([{**RECORD, "history": {}}], "history of a is not there"),
        ([{**RECORD, "key": "../../a"}], "'../../a' is no key of a run"),
        ([{**RECORD, "key": 5}], "5 is no key of a run"),
        ([{**RECORD, "key": "a" * 300}], "is no key of a run"),
        ([{"list": "b", "values": []}, {"list": "b", "values": []}], "there twice"),
        ([{"list": ["b"], "values": []}], "has no name"),
        ([{"list": "b"}], "neither values nor columns"),
        ([{"list": "b", "values": {}}], "neither values nor columns"),
        ([{"list": "b", "values": [], "columns": {"a": []}}], "neither values nor columns"),
        ([{"list": "b", "columns": []}], "neither values nor columns"),
        ([{"list": "b", "columns": {"a": 5}}], "neither values nor columns"),
        ([{"list": "b", "columns": {}}], "not of one length"),
        ([{"list": "b", "columns": {"a": [1], "b": []}}], "not of one length"),
        ([{"planned": {"key": "A b"}}], "no record, no list and no planned run"),
        ([{"planned": 5}], "no record, no list and no planned run"),
        ([{"what": 5}], "no record, no list and no planned run"),
        ([b"[]\n"], "not a JSON object"),
        ([b'{"key": "a", "x": NaN}\n'], "not a JSON object"),
        ([b"\xff\xfe\n"], "not a JSON object"),
        ([b"[" * 100_000 + b"\n"], "not a JSON object"),
        ([b'{"x": 1' + b"0" * 5000 + b"}\n"], "line 2"),
        ([b'{"key": "a"}'], "its last line is not whole"),
    ],
)
def test_lines_that_are_no_pack(lines: list[Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.jsonl.gz", lines)
    with pytest.raises(PackError, match=rf"a damaged pack of results \(.*{message}.*; take an intact copy"):
        RunStore(path).read_all()
    with pytest.raises(PackError):
        unpack(path, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"schema": 2}, "a pack of schema 2, this version of Promptlet reads 1; update Promptlet"),
        ({"schema": None}, "a pack of schema None"),
        ({"format": "rows"}, "not a pack of results .*; give a file that `promptlet bench pack` wrote"),
        ({"digest": "0" * 32}, "its lines are not those that its digest is of"),
        ({"digest": None}, "its lines are not those"),
        ({"records": 2}, "it holds 1 records, not 2"),
    ],
)
def test_heads_of_other_packs(head: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.jsonl.gz", [RECORD], **head)
    with pytest.raises(PackError, match=message):
        RunStore(path).read_all()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_numbers_that_json_does_not_have(number: str, tmp_path: Path) -> None:
    line = json.dumps({**RECORD, "H": 0.125}).replace("0.125", number).encode() + b"\n"
    digest = hashlib.blake2b(line, digest_size=16).hexdigest()
    head = {"format": packs.FORMAT, "schema": packs.FORMAT_SCHEMA, "records": 1, "digest": digest}
    path = tmp_path / "bad.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(head).encode() + b"\n" + line))
    with pytest.raises(PackError, match="line 2: it is not a JSON object"):
        unpack(path, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_pack_in_a_folder_is_never_taken_for_something_else(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    whole = packed.read_bytes()
    content = RunStore(packed).read_all()
    for place in range(10, len(whole), max(1, len(whole) // 60)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x41
        (folder / "some.jsonl.gz").write_bytes(damaged)
        with contextlib.suppress(PackError):
            assert RunStore(folder).read_all() == content


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f", b"plain text", *(gzip.compress(text, mtime=0) for text in (b"", b"{}\n"))],
)
def test_files_that_are_no_packs(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(content)
    with pytest.raises(PackError, match=r"not a pack of results|damaged pack"):
        RunStore(tmp_path / "a.jsonl.gz").read_all()


def test_a_pack_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder of results"):
        RunStore(tmp_path / "a.jsonl.gz").read_all()
    with pytest.raises(PackError, match=r"no such pack of results; `promptlet bench pack RUNS -o` makes one"):
        RunStore(tmp_path / "a.jsonl.gz").read("key")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"and no pack \(\*\.jsonl\.gz\)"):
        RunStore(tmp_path / "file").read_all()


def test_a_small_file_that_unpacks_to_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "LINE_LIMIT", 1000)
    monkeypatch.setattr(packs, "TOTAL_LIMIT", 4000)
    long = write(tmp_path / "line.jsonl.gz", [{"list": "b", "values": ["x" * 1000]}])
    many = write(tmp_path / "many.jsonl.gz", [{**RECORD, "key": f"k{i}", "x": "x" * 500} for i in range(10)])
    table = {"list": "b", "columns": {"a": [1] * 300}}
    rows = write(tmp_path / "rows.jsonl.gz", [table, {**RECORD, "history": {"list": "b"}}])
    twice = [{"list": "b", "values": ["x" * 900]}, *({**RECORD, "key": f"k{i}", **DRAWN} for i in range(4))]
    named = write(tmp_path / "named.jsonl.gz", twice)
    for path in (long, many, rows, named):
        with pytest.raises(PackError, match=r"unpacks to more than .*, which no pack of results does"):
            RunStore(path).read_all()


def test_more_than_a_reader_takes_is_not_written(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_lines, "LINE_LIMIT", 100)
    with pytest.raises(PackError, match=r"10 records are more than a pack takes.*make several packs"):
        pack([packed], packed.with_name("new.jsonl.gz"))


def test_writer_and_reader_count_alike(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [found.content for found in RunStore(packed).places.contents()]
    planned = RunStore(packed).read_plans()
    for limit in range(30_000, 60_000, 500):  # where one refuses, so does the other
        outcomes = []
        for module, act in (
            (pack_lines, lambda: pack_lines.pack_lines(contents, planned)),
            (packs, lambda: packs.open_pack(packed)),
        ):
            monkeypatch.setattr(module, "TOTAL_LIMIT", limit)
            try:
                act()
                outcomes.append("taken")
            except PackError:
                outcomes.append("refused")
        assert len(set(outcomes)) == 1, limit


def test_a_damaged_pack_in_a_folder_stops_before_anything_is_run(packed: Path, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "go")
    store.check_writable()
    (tmp_path / "go" / "bad.jsonl.gz").write_bytes(packed.read_bytes()[:-20])
    for act in (store.check_writable, store.read_all, lambda: store.is_done("key"), store.read_plans):
        with pytest.raises(PackError, match="damaged"):
            act()
    (tmp_path / "go" / "bad.jsonl.gz").write_bytes(packed.read_bytes())  # an intact copy
    assert len(store.read_all()[0]) == 10


def test_a_record_of_another_schema_is_told_and_in_the_way(tmp_path: Path) -> None:
    path = write(tmp_path / "new.jsonl.gz", [{**RECORD, "schema": 2}])
    store = RunStore(path)
    records, [problem] = store.read_all()
    assert records == [] and problem.startswith(f"{path} (a): has schema 2") and "remove" not in problem
    assert "written by another version of Promptlet (schema 2" in store.in_the_way("a")
