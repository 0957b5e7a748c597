"""What records tell of official settings: whose they are, and how far they were kept to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptlet.methods import METHODS
from promptlet.methods.official import Where
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import template_of
from promptlet.training.official import by_dataset, notes_on_official
from promptlet.training.schedules import is_official, named_row


def official_facts(run: Run) -> dict[str, Any]:
    """The row that a run was trained by, for its record: protocol, source, and the names of what is chosen
    for its data set alone. Nothing for another schedule."""
    name = _schedule(run)
    chosen = named_row(METHODS[run.method].info, name, _where(run)) if is_official(name) else None
    if chosen is None:
        return {}
    names = by_dataset(chosen, {**run.options, **run.settings})
    return {"official": {"protocol": chosen.protocol, "source": chosen.row.source, "by_dataset": names}}


def official_notes(run: Run) -> tuple[str, ...]:
    """What must be known of its numbers, as sentences."""
    info, trained_on = METHODS[run.method].info, run.source or run.dataset
    template = info.templates.get(trained_on, template_of(trained_on))
    given = {**run.settings, "views": run.views}
    return notes_on_official(info, _schedule(run), _where(run), run.options, given, template)


def notes_of_runs(runs: Sequence[Run]) -> list[str]:
    """The same of many, each once, with the method that it is said of."""
    return list(dict.fromkeys(f"{run.method}: {note}" for run in runs for note in official_notes(run)))


def _schedule(run: Run) -> str:
    return str(run.settings.get("name", ""))


def _where(run: Run) -> Where:
    return Where(run.protocol, run.source or run.dataset, run.shots)
