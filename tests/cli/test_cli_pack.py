"""bench pack and unpack, and the commands that read packs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_cli_report import write

from promptlet.protocols import RunStore
from promptlet.protocols.records.runs import Run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for seed in (1, 2):
        write(folder, "zero_shot", seed, 50.0)
        write(folder, "coop", seed, 60.0 + seed)
    return folder


def fail(folder: Path) -> str:
    described = json.loads(next(folder.glob("*coop*.json")).read_text())
    run = Run(**{name: described.get(name) for name in Run.__dataclass_fields__} | {"seed": 9})
    RunStore(folder).write(run.key, {"status": "failed", **run.describe(), "reason": "no images"})
    return run.key


@pytest.mark.slow
def test_reports_of_a_pack_are_those_of_the_folder(shell: Any, runs: Path, tmp_path: Path) -> None:
    packed = tmp_path / "runs.jsonl.gz"
    said = shell.run("bench", "pack", runs, "-o", packed).stdout
    assert said == f"wrote {packed}: 4 records, {packed.stat().st_size:,} bytes\n"
    for words in (
        (),
        ("--format", "html"),
        ("--format", "csv"),
        ("--rows",),
        ("--json",),
        ("--against", "coop"),
    ):
        reports = [shell.run("bench", "report", place, *words).stdout for place in (runs, packed)]
        assert reports[0] == reports[1]
    for words in ((), ("--json",)):
        assert (
            shell.run("bench", "list", runs, *words).stdout
            == shell.run("bench", "list", packed, *words).stdout
        )
    shell.run("bench", "study", "rank", packed)
    (tmp_path / "both").mkdir()
    shutil.copy(packed, tmp_path / "both")
    write(tmp_path / "both", "coop", 3, 70.0)
    [_, row] = shell.json("bench", "report", tmp_path / "both")["summary"]
    assert row["seeds"] == [1, 2, 3]
    assert shell.json("bench", "report", packed, tmp_path / "both")["problems"] == []


def test_pack_and_unpack_as_json(shell: Any, runs: Path, tmp_path: Path) -> None:
    packed = tmp_path / "all.jsonl.gz"
    document = shell.json("bench", "pack", runs, "-o", packed)
    counts = {"records": 4, "failed": 0, "missing": 0, "bytes": packed.stat().st_size}
    assert document == {"schema": 1, "out": str(packed), **counts}
    document = shell.json("bench", "unpack", packed, "-o", tmp_path / "again")
    assert document == {"schema": 1, "folder": str(tmp_path / "again"), "records": 4}
    assert shell.run("bench", "unpack", packed, "-o", tmp_path / "again").stdout.startswith(
        "wrote 4 records to "
    )
    for path in runs.glob("*.json"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_what_is_refused(shell: Any, runs: Path, tmp_path: Path) -> None:
    packed = tmp_path / "runs.jsonl.gz"
    shell.run("bench", "pack", runs, "-o", packed)
    assert "is there already, and a pack never changes" in shell.fails("bench", "pack", runs, "-o", packed)
    assert "ends in .jsonl.gz" in shell.refuses("bench", "pack", runs, "-o", tmp_path / "runs.zip")
    key = fail(runs)
    error = shell.fails("bench", "pack", runs, "-o", tmp_path / "more.jsonl.gz")
    assert f"1 runs failed ({key}: no images); run them, or give --allow-incomplete" in error
    said = shell.run("bench", "pack", runs, "-o", tmp_path / "more.jsonl.gz", "--allow-incomplete").stdout
    assert "5 records" in said and "1 of them failed; 0 more were asked for and not run" in said
    assert "failed: seed 9" in shell.run("bench", "report", tmp_path / "more.jsonl.gz").stdout
    packed.write_bytes(packed.read_bytes()[:-9])
    for words in (("report", packed), ("list", packed), ("unpack", packed, "-o", tmp_path / "again")):
        assert "a damaged pack of results" in shell.fails("bench", *words)
    assert "a damaged pack" in shell.fails("bench", "pack", packed, "-o", tmp_path / "new.jsonl.gz")
    assert not (tmp_path / "again").exists() and not (tmp_path / "new.jsonl.gz").exists()


def test_a_pack_without_a_run_to_report_says_so(shell: Any, tmp_path: Path) -> None:
    other = {"schema": 1, "status": "done", "protocol": "density", "key": "one"}
    RunStore(tmp_path / "runs").write("one", other)
    shell.run("bench", "pack", tmp_path / "runs", "-o", tmp_path / "runs.jsonl.gz")
    error = shell.fails("bench", "report", tmp_path / "runs.jsonl.gz")
    assert "no run that can be read was found among 1 records" in error and "promptlet analyze" in error


def test_bench_run_on_a_pack(shell: Any, toy: Any, runs: Path, tmp_path: Path, clip_folder: Path) -> None:
    packed, words = (
        tmp_path / "toys.jsonl.gz",
        ("--datasets", toy(), "--backbone", clip_folder, "--shots", "2"),
    )
    words = ("bench", "run", *words, "--methods", "zero_shot")
    shell.run(*words, "--seeds", "1,2", "--out", tmp_path / "toys")
    shell.run("bench", "pack", tmp_path / "toys", "-o", packed)
    shutil.rmtree(tmp_path / "toys")
    assert (
        f"0 run, 2 there before, in {packed}" in shell.run(*words, "--seeds", "1,2", "--out", packed).stdout
    )
    result = shell.run(*words, "--seeds", "1-3", "--out", packed, exit_code=1)
    assert "1 of 3 runs are not in this pack, and a pack never changes" in result.stderr
    said = shell.run(*words, "--seeds", "1-3", "--out", packed, "--dry-run").stdout
    assert "1 of 3 would be run" in said and "which is a pack and never changes; make a folder" in said
