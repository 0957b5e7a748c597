"""Rows whose settings were chosen for their data set, or on images they are tested on: what records tell.

Two things that differ between data sets belong to the field's protocols and are no such choice: hand-written
templates, and fewer epochs on ImageNet, for its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from promptlet.data.catalog import RULES
from promptlet.protocols.records.measures import TRANSFERS
from promptlet.report.statistics.comparisons import (
    AVERAGE,
    OWN_TO_A_DATASET,
    Row,
    comparison_of,
    differing,
    grouped,
    method_of,
    settings_of,
)

PER_DATASET, ON_TEST = "per_dataset", "on_test"
KINDS = (PER_DATASET, ON_TEST)
SIGNS: Mapping[str, str] = {PER_DATASET: "†", ON_TEST: "‡"}
TOLD: Mapping[str, str] = {
    PER_DATASET: "Settings of its own for a data set",
    ON_TEST: "Chosen on images that it is tested on",
}
SEARCHED = "searched on validation images of each data set"
SEARCHED_ON_TEST = (
    "searched on validation images that are test images, too, as ImageNet's are in CoOp's parts"
)
SEARCHED_ON_SOURCE = "searched on images that the accuracy on the source is measured on, too"
DIFFERENT = "other settings on other data sets"
OFFICIAL = "official values for this data set: {names}"
LARGE, EPOCHS = "imagenet", "epochs"
"""A data set that may have epochs of its own."""


class Choice(TypedDict):
    """kind: one of `KINDS`. why: in words, within a sentence."""

    kind: str
    why: str


def of_records(records: Sequence[Mapping[str, Any]]) -> list[Choice]:
    """What the records of a row, one of each seed, tell of how its settings were chosen."""
    searched = [record for record in records if _is_searched(record)]
    tests_on_val = any(str(record.get("rule", "")).startswith(RULES["imagenet"]) for record in searched)
    found: list[Choice] = []
    on_source = records[0]["protocol"] in TRANSFERS  # what is chosen there is the same for all targets
    if not on_source:
        names = [name for name in by_dataset(records) if (records[0]["dataset"], name) != (LARGE, EPOCHS)]
        found += [Choice(kind=PER_DATASET, why=SEARCHED)] if searched else []
        found += [Choice(kind=PER_DATASET, why=OFFICIAL.format(names=", ".join(names)))] if names else []
    if tests_on_val:
        found.append(Choice(kind=ON_TEST, why=SEARCHED_ON_SOURCE if on_source else SEARCHED_ON_TEST))
    return found


def by_dataset(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of official settings that records have because it is their data set."""
    names = dict.fromkeys(
        name for record in records for name in record.get("official", {}).get("by_dataset", ())
    )
    return list(map(str, names))


def _is_searched(record: Mapping[str, Any]) -> bool:
    """Whether something was tuned on validation images: they are told where a method looks at them."""
    return bool(record.get("val_samples")) and bool(record["options"].get("search", True))


def mark_different(rows: Sequence[dict[str, Any]]) -> None:
    """Add `DIFFERENT` to rows of a method that has other settings on other data sets of a comparison: to all
    of them where none of its settings is there on every data set that the method is."""
    own = [row for row in rows if row["dataset"] != AVERAGE]
    for alike in grouped(own, lambda row: (comparison_of(row), row["method"], row["schedule"])):
        if _is_different(alike):
            for row in alike:
                row["chosen"] = together([row["chosen"], [Choice(kind=PER_DATASET, why=DIFFERENT)]])


def _is_different(rows: Sequence[Row]) -> bool:
    series = grouped(rows, method_of)
    datasets = {row["dataset"] for row in rows}
    if any({row["dataset"] for row in one} == datasets for one in series):
        return False
    others = grouped((row for row in rows if row["dataset"] != LARGE), method_of)
    names = set(differing([settings_of(row) for row in rows])).difference(OWN_TO_A_DATASET)
    return len(others) > 1 or names != {EPOCHS}


def together(choices: Iterable[Iterable[Choice]]) -> list[Choice]:
    """All of them, each once."""
    every = [one for own in choices for one in own]
    return [one for i, one in enumerate(every) if one not in every[:i]]


def kinds_of(choices: Iterable[Choice]) -> tuple[str, ...]:
    """Their kinds, each once, in the order of `KINDS`."""
    found = {one["kind"] for one in choices}
    return tuple(kind for kind in KINDS if kind in found)


def marked(name: str, choices: Iterable[Choice]) -> str:
    """``tip_adapter †``; the name alone where nothing is to be marked."""
    return " ".join([name, *(SIGNS[kind] for kind in kinds_of(choices))])


def meaning(choices: Iterable[Choice]) -> str:
    """What the marks that they are shown by mean, within a caption: `` † Settings of its own ...``."""
    return "".join(f" {SIGNS[kind]} {TOLD[kind]}." for kind in kinds_of(choices))
