"""What must be known of numbers that a method got by its official settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from promptlet.methods import MethodInfo
from promptlet.methods.method import BY_STEPS
from promptlet.methods.official import Chosen, Where
from promptlet.methods.text_prompt import start_as_run
from promptlet.training.augmentation import notes_on_views
from promptlet.training.schedules import OFFICIAL, Schedule, is_official, method_schedule, named_row

NOT_COMPARED = ("seed", "template")
OF_A_RUN = ("name",)


def notes_on_official(
    info: MethodInfo,
    name: str,
    where: Where,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    template: str | None = None,
) -> tuple[str, ...]:
    """Whose settings they are where the protocol has none of its own, what is there for the data set alone,
    and what was given in their place.

    name: of the schedule; settings: all of it, and ``views``. template: that of the data set, where it is
    known. Nothing for other schedules.
    """
    chosen = named_row(info, name, where) if is_official(name) else None
    if chosen is None:
        return ()
    notes, given = [], {**options, **settings}
    if where.protocol != chosen.protocol:
        notes.append(f"official settings of {chosen.protocol}: {_words(chosen)}; from {chosen.row.source}")
    if names := by_dataset(chosen, given):
        notes.append(
            f"of its official settings for {chosen.protocol}, {', '.join(names)}: chosen per data set"
        )
    official = _complete(info, chosen, template)
    if "ctx_init" in official:
        official["ctx_init"] = start_as_run({**official, "per_class": given.get("per_class")})
    instead = [
        f"{key}={given[key]} (official: {value})"
        for key, value in official.items()
        if key in given and given[key] != value
    ]
    if instead:
        notes.append(f"not as its official settings for {chosen.protocol}: {', '.join(instead)}")
    notes += notes_on_views(info, chosen, settings["views"], settings["epochs"])
    return tuple(notes)


def by_dataset(chosen: Chosen, given: Mapping[str, Any]) -> list[str]:
    """The names of options and fields of the schedule that are as they are since it is this data set."""
    return [name for name, value in chosen.by_dataset.items() if given.get(name, value) == value]


def _complete(info: MethodInfo, chosen: Chosen, template: str | None) -> dict[str, Any]:
    """Every official setting: options, and fields of the schedule of what learns by steps."""
    where = replace(chosen.where, protocol=chosen.protocol)
    schedule: Schedule = method_schedule(info, OFFICIAL, where=where)
    options = {key: value for key, value in info.options.items() if key not in NOT_COMPARED}
    if "template" in info.options:
        told = info.options["template"] if info.own_template else template
        options |= {} if told is None else {"template": told}
    steps = asdict(schedule) if info.learns == BY_STEPS else {}
    fields = {key: value for key, value in steps.items() if key not in OF_A_RUN}
    return {**options, **chosen.changes.options, **fields}


def _words(chosen: Chosen) -> str:
    changes = {**chosen.changes.schedule, **chosen.changes.options}
    return ", ".join(f"{key}={value}" for key, value in changes.items()) or "its defaults"
