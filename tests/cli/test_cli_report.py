"""bench report: formats, files, several folders, differences, and folders without runs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from promptlet.protocols import RunStore
from promptlet.protocols.records.runs import Run


def write(folder: Path, method: str, seed: int, accuracy: float, dataset: str = "dtd") -> None:
    settings = {} if method == "zero_shot" else {"name": "fast", "lr": 0.01}
    one = Run(
        protocol="few-shot",
        dataset=dataset,
        data=f"{dataset}-1",
        method=method,
        options={},
        shots=16,
        seed=seed,
        settings=settings,
        views=1,
        sampler="coop",
        fingerprint="a-b-c",
        dtype="float32",
    )
    numbers = {"accuracy": accuracy, "ece": 1.0, "macro_f1": 2.0, "trainable": 0 if not settings else 2048}
    record = {"status": "done", **one.describe(), **numbers, "file_bytes": 900, "seconds": 1.5}
    RunStore(folder).write(one.key, record)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for seed in (1, 2):
        write(folder, "zero_shot", seed, 50.0)
        write(folder, "coop", seed, 60.0 + seed)
    return folder


def test_markdown_has_differences(shell: Any, runs: Path) -> None:
    lines = shell.run("bench", "report", runs).stdout.splitlines()
    assert lines[0] == "### few-shot" and "## Differences" in lines
    assert "| dtd | coop | seeds 1,2 | +11.50 [+5.15, +17.85] |" in lines  # 12.706 / 2
    turned = shell.run("bench", "report", runs, "--against", "coop").stdout
    assert "| dtd | zero_shot | seeds 1,2 | -11.50 [-17.85, -5.15] |" in turned
    assert "Published" not in turned
    published = shell.run("bench", "report", runs, "--published").stdout
    assert "## Published (CLIP RN50): few-shot, not run here" in published


def test_json_has_what_it_had_and_differences(shell: Any, runs: Path) -> None:
    document = shell.json("bench", "report", runs)
    assert list(document) == [
        *("schema", "summary", "incomplete", "problems", "bibtex", "differences", "differences_missing")
    ]
    assert document["schema"] == 1
    [difference] = document["differences"]
    assert (difference["label"], difference["against"], difference["seeds"]) == ("coop", "zero_shot", [1, 2])
    assert difference["measures"]["accuracy"]["mean"] == 11.5
    assert len(document["summary"][0]["keys"]) == 2


@pytest.mark.parametrize(
    ("name", "start"),
    [
        *(("a.md", b"### few-shot"), ("a.html", b"<!doctype html>"), ("a.csv", b"protocol,")),
        ("a.tex", b"% Promptlet "),
    ],
)
def test_the_suffix_says_the_format(name: str, start: bytes, shell: Any, runs: Path, tmp_path: Path) -> None:
    out = tmp_path / name
    assert shell.run("bench", "report", runs, "--out", out).stdout == f"wrote {out}\n"
    assert out.read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "runs"])


def test_html_and_csv_go_to_a_pipe(shell: Any, runs: Path) -> None:
    page = shell.run("bench", "report", runs, "--format", "html").stdout
    assert page.startswith("<!doctype html>") and "<h1>Promptlet report: runs</h1>" in page
    rows = list(csv.DictReader(io.StringIO(shell.run("bench", "report", runs, "--format", "csv").stdout)))
    assert [(row["method"], row["accuracy"], row["state"]) for row in rows] == [
        ("zero_shot", "50.0", "done"), ("coop", "61.5", "done")
    ]  # fmt: skip
    single = list(csv.DictReader(io.StringIO(shell.run("bench", "report", runs, "--rows").stdout)))
    assert sorted((row["method"], row["seed"], row["accuracy"]) for row in single) == [
        *(("coop", "1", "61.0"), ("coop", "2", "62.0")),
        *(("zero_shot", "1", "50.0"), ("zero_shot", "2", "50.0")),
    ]


@pytest.mark.slow
def test_parquet(shell: Any, runs: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    shell.run("bench", "report", runs, "-o", tmp_path / "a.parquet")
    assert parquet.read_table(tmp_path / "a.parquet")["accuracy"].to_pylist() == [50.0, 61.5]
    shell.run("bench", "report", runs, "--rows", "-o", tmp_path / "rows.parquet")
    assert parquet.read_table(tmp_path / "rows.parquet").num_rows == 4
    document = shell.json("bench", "report", runs, "-o", tmp_path / "b.parquet")
    assert document["out"] == str(tmp_path / "b.parquet") and (tmp_path / "b.parquet").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "parquet"), "give --out FILE.parquet"),
        (("--format", "csv", "--out", "a.html"), "contradict each other: that suffix means html"),
        (("--rows", "--out", "a.html"), "write it as csv or parquet"),
        (
            ("--against", "coop", "--out", "a.csv"),
            "--against coop is of paired differences, which csv has no place for; write the report as "
            "markdown or html",
        ),
        (("--against", "coop", "--rows"), "which csv has no place for"),
        (
            ("--against", "coop", "--published", "--out", "a.parquet"),
            "paired differences, which parquet has no place for; write the report as markdown or html",
        ),
        (
            ("--published", "--out", "a.parquet"),
            "--published is of published numbers, which parquet has no place for; write the report as "
            "markdown or html, or leave --published out",
        ),
        (("--published", "--format", "csv", "--json"), "published numbers, which csv has no place for"),
        (("--rows", "--out", "a.tex"), "--rows is a table of single runs, which latex has no place for"),
        (("--against", "coop", "--out", "a.tex"), "of paired differences, which latex has no place for"),
        (("--published", "--format", "latex"), "published numbers, which latex has no place for"),
        (("--format", "latex", "--out", "a.md"), "contradict each other: that suffix means markdown"),
        (("--format", "xml"), "allowed: markdown, html, csv, parquet, latex"),
        (
            ("--against", "copo"),
            "is no method of this report; there are zero_shot, coop. Did you mean 'coop'?",
        ),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    words: tuple[str, ...], message: str, shell: Any, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    assert message in shell.refuses("bench", "report", runs, *words)
    assert [path.name for path in runs.parent.iterdir()] == ["runs"]


def test_a_report_that_cannot_be_written(shell: Any, runs: Path) -> None:
    out = runs.parent / "absent" / "a.md"
    told = shell.refuses("bench", "report", runs, "--out", out)
    assert f"--out {out}: the folder {out.parent} does not exist" in told


def test_with_json_the_reference_is_of_what_is_printed(shell: Any, runs: Path, tmp_path: Path) -> None:
    document = shell.json("bench", "report", runs, "--against", "coop", "-o", tmp_path / "a.csv")
    [difference] = document["differences"]
    assert (difference["label"], difference["against"]) == ("zero_shot", "coop")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"protocol,")
    shell.json("bench", "report", runs, "--against", "coop", "-o", tmp_path / "a.tex")
    assert "\\label{tab:few-shot}" in (tmp_path / "a.tex").read_text()
    page = tmp_path / "a.md"
    shell.json("bench", "report", runs, "--against", "coop", "-o", page)
    assert "16 shots, against coop**" in page.read_text()


def test_several_folders_are_one_report(shell: Any, runs: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    for method, accuracy in (("zero_shot", 70.0), ("coop", 71.0)):
        write(more, method, 1, accuracy, "eurosat")
        write(more, method, 2, accuracy, "eurosat")
    write(more, "coop", 1, 59.0)  # also in runs, with another number
    document = shell.json("bench", "report", runs, more)
    averages = {row["method"]: row["accuracy"] for row in document["summary"] if row["dataset"] == "average"}
    assert averages == {"zero_shot": 60.0, "coop": 66.25}
    [note] = document["problems"]
    assert "by up to 2.00 points" in note and f"those of {runs} were taken" in note
    twice = shell.json("bench", "report", runs, runs)
    assert twice["problems"] == [] and len(twice["summary"]) == 2


def test_a_folder_without_runs_is_an_error_that_says_what_is_there(shell: Any, tmp_path: Path) -> None:
    assert "the folder is empty" in shell.fails("bench", "report", tmp_path)
    (tmp_path / "old.json").write_text(json.dumps({"schema": 0}))
    words = shell.fails("bench", "report", tmp_path)
    assert "1 with schema 0; this version of Promptlet reads schema 1" in words
    assert "no such folder of results" in shell.fails("bench", "report", tmp_path / "absent")


@pytest.mark.slow
def test_files_of_another_schema_are_noted_beside_what_is_fine(shell: Any, runs: Path) -> None:
    (runs / "old.json").write_text(json.dumps({"schema": 0}))
    assert "- note: " in shell.run("bench", "report", runs).stdout
    result = shell.run("bench", "report", runs, "--format", "csv")
    assert "old.json: has schema 0" in result.stderr and "note" not in result.stdout
    latex = shell.run("bench", "report", runs, "--format", "latex")
    assert "old.json: has schema 0" in latex.stderr and "old.json" not in latex.stdout
    assert "old.json: has schema 0" in shell.run("bench", "report", runs, "--format", "html").stdout
