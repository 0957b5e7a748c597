"""Records with a field of another kind: they cost themselves, are told, and change nothing of the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import GONE, KINDS, damages, lay, record_of, run_of

from promptlet.errors import PackError
from promptlet.protocols import RunStore
from promptlet.protocols.plan.studies import STUDIES
from promptlet.protocols.records.measures import MEASURES
from promptlet.protocols.records.packing import pack
from promptlet.report import paired_differences, render, summarise
from promptlet.report.figures.study import study_figure
from promptlet.report.formats.documents import CSV, HTML, LATEX, MARKDOWN
from promptlet.report.formats.flat.table import flat_runs
from promptlet.report.formats.markdown.study import study_markdown
from promptlet.report.statistics.studies import study_json, study_results, summarise_study
from promptlet.report.statistics.summary import Summary

SOUND = [("zero_shot", 1), ("zero_shot", 2), ("rlp", 1), ("rlp", 2)]
REFUSED = {
    "short_classes": ("five", "object", "list of all", "giant"),
    "dataset": ("five", "list", "object", "nothing", GONE),
    "seed": ("number as text", "part", "truth", "less", "giant", "list"),
    "base": ("NaN", "infinite", "giant", "beyond reading", "number as text", "truth", "most", "less", GONE),
    "settings": ("nothing", "five", "list", "object of text", "deep object"),
    "options": ("text", "deep", "deep object", "half a character"),
    "notes": ("text", "list of all"),
    "peak_memory": ("part", "text"),
    "versions": ("object of text", "list"),
    "unknown": ("deep", "NaN", "infinite"),
    "status": ("half a character", "list", "nothing", GONE),
}
"""Of a finished base-to-new run; the other kinds of these fields may stand in a record, or not."""


def lay_sound(folder: Path, protocols: Sequence[str]) -> None:
    runs = [run_of(protocol, seed, method) for protocol in protocols for method, seed in SOUND]
    for run in runs:
        lay(folder, json.dumps(record_of(run)), run)
    failed = run_of(protocols[0], 3)
    lay(folder, json.dumps(record_of(failed, "failed")), failed)
    RunStore(folder).write_plan([run.describe() for run in (*runs, run_of(protocols[0], 4))])


def reported(store: RunStore) -> dict[str, Any]:
    """Everything that is told of a folder, but its notes."""
    summary = summarise(store)
    bare = Summary(summary.rows, summary.incomplete, [], summary.runs)
    study = STUDIES["rank"]
    own = summarise_study(store, study)
    quiet = Summary(own.rows, own.incomplete, [], own.runs)
    return {
        "summary": json.dumps({**bare.to_json(), "runs": list(bare.runs.values())}, allow_nan=False),
        "differences": [row.to_json() for row in paired_differences(bare).rows],
        "flat": flat_runs(bare),
        "study": (study_markdown(quiet, study), json.dumps(study_json(quiet, study), allow_nan=False)),
        **{name: render(bare, name) for name in (MARKDOWN, LATEX, CSV)},
    }


def check(folder: Path, beside: Path, protocols: Sequence[str], every: int) -> None:
    """``folder``: with all damaged records; ``beside``: with those alone that can be read."""
    for place in (folder, beside):
        lay_sound(place, protocols)
    laid = {
        run.key: (what, text, run)
        for protocol in protocols
        for status in ("done", "failed")
        for what, text, run in damages(run_of(protocol, 1), status, every)
    }
    for _, text, run in laid.values():
        lay(folder, text, run)
    records, problems = RunStore(folder).read_all()
    told = {Path(problem.partition(".json: ")[0]).name: problem for problem in problems}
    assert told.keys() | {record["key"] for record in records} >= laid.keys()
    assert len(told) == len(problems) == len(laid.keys() - {record["key"] for record in records})
    assert len(problems) > len(laid) / 3 and max(len(problem) for problem in problems) < 700
    for record in records:
        if record["key"] in laid:
            lay(beside, *laid[record["key"]][1:])
    found, expected = reported(RunStore(folder)), reported(RunStore(beside))
    assert [name for name in found if found[name] != expected[name]] == []
    assert set(problems) <= set(summarise(RunStore(folder)).problems)
    with pytest.raises(PackError, match=r"nothing was packed: .*; and \d+ more"):
        pack([folder], folder.parent / "all.jsonl.gz")


def test_a_field_of_another_kind_costs_its_record_alone(tmp_path: Path) -> None:
    check(tmp_path / "all", tmp_path / "readable", ["base-to-new"], every=13)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:constrained_layout", "ignore:Glyph")
@pytest.mark.parametrize("protocol", MEASURES)
def test_every_field_in_a_third_of_the_kinds(protocol: str, tmp_path: Path) -> None:
    check(tmp_path / "all", tmp_path / "readable", [protocol], every=3)
    assert "</html>" in render(summarise(RunStore(tmp_path / "readable")), HTML)
    study = STUDIES["rank"]
    for result in study_results(summarise_study(RunStore(tmp_path / "readable"), study), study)[:20]:
        assert study_figure(result).startswith(b"\x89PNG")


def test_what_is_never_read(tmp_path: Path) -> None:
    laid = {what: (text, run) for what, text, run in damages(run_of("base-to-new", 1), "done")}
    refused = [f"{name}: {kind}" for name, kinds in REFUSED.items() for kind in kinds]
    for what in refused:
        lay(tmp_path, *laid[what])
    records, problems = RunStore(tmp_path).read_all()
    assert records == [] and len(problems) == len(refused)
    for what in ("short_classes: five", "dataset: list", "seed: giant", "base: number as text"):
        name, kind = what.split(": ")
        [told] = [problem for problem in problems if laid[what][1].key in problem]
        shown = repr(json.loads(KINDS[kind]))[:10]
        assert f"not a record of a run ({name} is {shown}" in told and ", expected a" in told


def test_runs_of_a_plan_cost_themselves_alone(tmp_path: Path) -> None:
    lay_sound(tmp_path, ["base-to-new"])
    sound = reported(RunStore(tmp_path))
    planned = run_of("base-to-new", 9).describe()
    odd = [
        5,
        None,
        {},
        [],
        {**planned, "seed": "9"},
        {**planned, "settings": 4},
        {**planned, "dataset": ["x"]},
    ]
    plan = {"schema": 1, "plan": [*odd, {"key": "x", "protocol": "of a later version"}]}
    (tmp_path / "plans" / "odd.json").write_text(json.dumps(plan))
    (tmp_path / "plans" / "other.json").write_text('{"schema": 1, "plan": {}}')
    assert reported(RunStore(tmp_path)) == sound
    problems = summarise(RunStore(tmp_path)).problems
    for told in (
        "seed is '9', expected a whole number",
        "dataset is ['x'], expected a text",
        "key is missing",
    ):
        assert any(
            "odd.json: a run that was asked for cannot be read" in one and told in one for one in problems
        )
    assert any(
        "other.json: not a plan of this version (plan is {}, expected a list)" in one for one in problems
    )


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    import os

    lay_sound(tmp_path, ["base-to-new"])
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "zeros.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 34)
    problems = RunStore(tmp_path).read_all()[1]
    assert [problem.partition(": ")[2].partition(" (")[0] for problem in problems] == [
        "cannot be read",
        "more than 16 MiB, which no record of ours has; remove it",
        "cannot be read",
        "cannot be read",
    ]
