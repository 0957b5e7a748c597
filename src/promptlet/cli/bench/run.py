"""Runs on the shell: a line for each that ends, bars for what is under way, and what did not come about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from promptlet.cli.shell import Bars, end_with_failures, warn
from promptlet.cli.stopping import Interrupted

if TYPE_CHECKING:
    from promptlet.protocols.bench import Bench, Outcome
    from promptlet.protocols.engines import Engine
    from promptlet.protocols.records.runs import Run

LONG = 300
"""Characters of a reason that is not said twice."""
NEXT_LINE = "\n  "


def run_all(
    bench: Bench, engine: Engine, shown: Bars, words_of: Callable[[Run, dict[str, Any]], str]
) -> Outcome:
    """Make the bench's runs, and say before which ones cannot be. words_of: what the line of a finished one
    says. Raises OptionError, or DataError, where none can be made."""
    if bench.refused and not bench.runs:
        raise bench.refused[0].error("; ".join(refused.words for refused in bench.refused))
    for refused in bench.refused:
        warn(f"note: {refused.words}")
    finished: dict[str, int] = dict.fromkeys(("done", "kept", "failed"), 0)
    place = {run.key: i + 1 for i, run in enumerate(bench.runs)}
    labels = labels_of(bench.runs)
    reasons: dict[str, int] = {}

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        words = words_of(run, record) if what == "done" else _words(what, record)
        if what == "failed" and len(words) > LONG:
            first = reasons.setdefault(words, place[run.key])
            words = words if first == place[run.key] else f"failed: the same as [{first}]"
        if words:
            shown.line(f"[{place[run.key]}/{len(bench.runs)}] {labels[run.key]}: {words}")
        if what in finished:
            finished[what] += 1
            shown.show("runs", sum(finished.values()), len(bench.runs))
        for name in ("encoding", "training"):
            shown.remove(name)

    def on_epoch(report: Any) -> None:
        shown.show("training", report.epoch, report.epochs, f"loss {report.loss:.3f}")

    def on_encode(done: int, total: int) -> None:
        shown.show("encoding", done, total)

    try:
        return bench.run(engine, on_event, on_epoch, on_encode)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{finished['done'] + finished['kept']} of {len(bench.runs)} runs are in {bench.store.folder}; "
            "run the same command again to go on"
        ) from None


def labels_of(runs: Sequence[Run]) -> dict[str, str]:
    """A label for each run by its key, with the options that tell apart those that would look alike."""
    alike: dict[str, list[Run]] = {}
    for run in runs:
        alike.setdefault(run.label, []).append(run)
    labels = {}
    for label, group in alike.items():
        names = [name for name in group[0].options if len({str(run.options.get(name)) for run in group}) > 1]
        for run in group:
            telling = ", ".join(f"{name}={run.options.get(name)}" for name in names)
            labels[run.key] = f"{label} {telling}" if telling else label
    return labels


def keys_of(outcome: Outcome) -> dict[str, Any]:
    """What became of the runs, for ``--json``."""
    return {
        "done": outcome.done,
        "kept": outcome.kept,
        "failed": list(outcome.failed),
        "refused": refusals(outcome),
    }


def refusals(found: Bench | Outcome) -> list[dict[str, Any]]:
    """What cannot be made, for ``--json``."""
    return [{"reason": group.reason, "keys": [run.key for run in group.runs]} for group in found.refused]


def end(bench: Bench, outcome: Outcome) -> None:
    """Say what is not there, and exit with 1; nothing where all is."""
    for refused in outcome.refused:
        warn(f"error: {refused.words}")
    end_with_failures(len(outcome.failed), len(bench.runs))
    if outcome.refused:
        raise typer.Exit(1)


def _words(what: str, record: dict[str, Any]) -> str:
    """What is said of an event that is no result, or nothing."""
    return {
        "failed": f"failed: {_on_one_line(str(record.get('reason')))}",
        "elsewhere": "another process is at it; waiting",
        "lost": f"its worker was lost ({record.get('reason')}); it is made again",
        "waiting": f"waiting: {record.get('reason')}",
    }.get(what, "")


def _on_one_line(reason: str) -> str:
    return reason.replace(f":{NEXT_LINE}", ": ").replace(NEXT_LINE, "; ")
