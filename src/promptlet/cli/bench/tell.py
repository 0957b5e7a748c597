"""What `promptlet bench run` says before and after the runs: the plan, the tables, what failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptlet.cli.bench.run import end, keys_of, labels_of, refusals
from promptlet.cli.given.skipping import facts_of
from promptlet.cli.shell import emit_json, say, table, warn

if TYPE_CHECKING:
    from promptlet.protocols.bench import Bench, Outcome
    from promptlet.protocols.records.runs import Run
    from promptlet.report import Summary


def tell_plan(bench: Bench, json: bool) -> None:
    """What would be run, how long it may take, and what cannot be run."""
    from promptlet.protocols.plan.estimate import estimate
    from promptlet.protocols.records.store import BESIDE
    from promptlet.protocols.run.official import notes_of_runs

    runs, store = bench.runs, bench.store
    records = store.read_all()[0] if store.exists() else []
    done = {record["key"] for record in records if record["status"] == "done"}
    states = [(run, _state(run, done, bench.unreadable)) for run in runs]
    guesses = {run.key: estimate(run, records) for run, state in states if state == "to run"}
    known = [seconds for seconds in guesses.values() if seconds is not None]
    unknown = len(guesses) - len(known)
    if json:
        rows = [{**run.describe(), "state": state, "seconds": guesses.get(run.key)} for run, state in states]
        guessed = {"seconds": sum(known), "unknown": unknown}
        facts = {"runs": rows, "refused": refusals(bench), "unreadable": bench.unreadable, **guessed}
        emit_json({**facts, "left_out": _left_out(bench), "notes": notes_of_runs(runs)})
        return
    labels = labels_of(runs)
    lines = [(labels[run.key], state, _guess(run, guesses), run.key) for run, state in states]
    table(("run", "state", "seconds", "key"), lines, right=("seconds",))
    every = len(runs) + sum(len(refused.runs) for refused in bench.refused)
    say(f"{len(guesses)} of {every} would be run, into {store.folder}")
    if guesses and store.is_pack:
        say(f"which is a pack and never changes; {BESIDE}")
    if known:
        say(f"about {sum(known):.0f} s for {len(known)} of them, as long as runs like them took, in a row")
    if unknown:
        say(f"unknown for {unknown} of them: no run like them is finished there")
    for note in notes_of_runs(runs):
        warn(f"note: {note}")
    for refused in bench.refused:
        say(refused.words)
    for name, problem in bench.unreadable.items():
        say(f"the runs of {name} would fail: {problem}")


def _left_out(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    return {name: facts_of(bad) for name, bad in bench.left_out.items()}


def _state(run: Run, done: Collection[str], unreadable: Mapping[str, str]) -> str:
    if run.key in done:
        return "done"
    return "would fail" if {run.dataset, run.source} & unreadable.keys() else "to run"


def _guess(run: Run, guesses: dict[str, float | None]) -> str:
    if run.key not in guesses:
        return ""
    seconds = guesses[run.key]
    return "unknown" if seconds is None else f"{seconds:.1f}"


def tell_results(bench: Bench, outcome: Outcome, study: str | None, json: bool) -> None:
    """The tables of what was run, what failed and what was refused. Exits with 1 when something was."""
    from promptlet.protocols.records.runs import cell_of
    from promptlet.report import summarise

    folder = bench.store.folder
    summary = summarise(bench.store, {cell_of(run.describe()) for run in bench.runs})
    if json:
        facts = {**summary.to_json(), **keys_of(outcome), "folder": str(folder)}
        emit_json({**facts, "left_out": _left_out(bench)})
    else:
        _tables(summary, study)
        say(f"{len(outcome.done)} run, {len(outcome.kept)} there before, in {folder}")
    for note in _thin(bench, outcome):
        warn(f"note: {note}")
    end(bench, outcome)


def _thin(bench: Bench, outcome: Outcome) -> list[str]:
    """What is little in the data that results are of."""
    short: dict[str, list[str]] = {}
    for record in outcome.records:
        if record.get("short_classes"):
            name = record["source"] if record.get("source_data") else record["dataset"]
            names = short.setdefault(f"{name}: fewer than {record['shots']} training images of", [])
            names += [one for one in record["short_classes"] if one not in names]
    for dataset in {record["dataset"]: 0 for record in outcome.records}:
        split = bench.workbench.datasets[dataset].split
        tested = {item.label for item in split.test}
        untested = [name for label, name in enumerate(split.class_names) if label not in tested]
        if untested:
            short[f"{dataset}: no test images of"] = untested
    return [f"{what} {_some(names)}" for what, names in short.items()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more classes" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more


def _tables(summary: Summary, study: str | None) -> None:
    from promptlet.protocols.plan.studies import find_study
    from promptlet.report.formats.marks import legend, study_rows
    from promptlet.report.formats.tables import NUMBER_COLUMNS, head_of, tables
    from promptlet.report.statistics.studies import study_results

    if study is None:
        for protocol, rows in tables(summary).items():
            head = head_of(protocol)
            table(head, rows, right=head[NUMBER_COLUMNS:])
    for result in study_results(summary, find_study(study)) if study is not None else ():
        say(result.title)
        table(*study_rows(result))
    for told in legend((row["label"], row["chosen"]) for row in summary.rows):
        say(told)
    for problem in summary.problems:
        warn(f"note: {problem}")
