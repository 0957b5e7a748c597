"""The rows of a `Summary` in words: a table per protocol, each with columns of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlet.protocols.records.measures import ALL_NAMES, BASE_TO_NEW, MEASURES, TRANSFERS
from promptlet.report.formats import spreads
from promptlet.report.formats.marks import legend
from promptlet.report.statistics.chosen import marked
from promptlet.report.statistics.comparisons import scores_of, spread_of
from promptlet.report.statistics.seeds import seeds_in_words
from promptlet.report.statistics.summary import Summary

NUMBER_COLUMNS = 5
"""How many columns stand before the first one of numbers."""

_FIRST = ("data set", "method", "schedule", "shots", "seeds")
_LAST = ("numbers", "bytes", "seconds", "MiB")
_FEW_SHOT = ("accuracy", "ECE", "macro-F1")


def head_of(protocol: str) -> tuple[str, ...]:
    """The head of a protocol's table."""
    if protocol == BASE_TO_NEW:
        return (*_FIRST, "base", "new", "H", "ECE base/new", *_LAST)
    if protocol == ALL_NAMES:
        return (*_FIRST, "all", "on base/new", "OpenworldAUC", "base", "new", "H", "ECE", *_LAST)
    if protocol in TRANSFERS:
        return (*_FIRST, *_FEW_SHOT, "source", "on source", *_LAST)
    return (*_FIRST, *_FEW_SHOT, *_LAST)


ORDER = (
    "Zero-shot, which learns nothing, stands first where it was run; then methods by {measure} over all data "
    "sets, the best first."
)
COSTS = (
    "The columns numbers, bytes and MiB are the largest of the seeds and, in the average row, of the data "
    "sets; seconds are means."
)


def explained(protocol: str, summary: Summary) -> tuple[str, ...]:
    """What stands below a protocol's table: what it measures where that needs words, its order, its costs,
    what its marks mean, and what its seeds tell."""
    measures = MEASURES[protocol]
    rows = [row for row in summary.rows if row["protocol"] == protocol]
    return (
        *filter(None, [measures.told]),
        f"{ORDER.format(measure=measures.spoken)} {COSTS}",
        *legend((row["label"], row["chosen"]) for row in rows),
        *spreads.explained(rows),
    )


def tables(summary: Summary) -> dict[str, list[tuple[str, ...]]]:
    """By protocol: its rows, and those of what is missing or failed, in words under `head_of`."""
    protocols = dict.fromkeys(row["protocol"] for row in [*summary.rows, *summary.incomplete])
    return {
        protocol: [
            *(cells(row) for row in summary.rows if row["protocol"] == protocol),
            *(incomplete_cells(entry) for entry in summary.incomplete if entry["protocol"] == protocol),
        ]
        for protocol in protocols
    }


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of a table in words, under `head_of` its protocol."""
    return (
        row["dataset"],
        marked(row["label"], row["chosen"]),
        row["schedule"] or "-",
        str(row["shots"]),
        seeds_in_words(row["seeds"], row["effective_seeds"]),
        *_measured(row),
        f"{row['trainable']:,}",
        f"{row['file_bytes']:,}",
        f"{row['seconds']:.1f}",
        "-" if row["peak_memory"] is None else f"{row['peak_memory'] / 2**20:,.0f}",
    )


def incomplete_cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of what is missing or failed, under `head_of` its protocol."""
    words = [
        f"{what}: seed {', '.join(map(str, entry[what]))}" for what in ("missing", "failed") if entry[what]
    ]
    first = (entry["dataset"], entry["label"], entry["schedule"] or "-", str(entry["shots"]))
    head = head_of(entry["protocol"])
    rest = [entry.get("source", "") if name == "source" else "" for name in head[NUMBER_COLUMNS:]]
    return (*first, "; ".join(words), *rest)


def _measured(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns between `_FIRST` and `_LAST`."""
    if row["protocol"] == ALL_NAMES:
        own, halves = (_scores(row, names) for names in (("all", "openworld_auc"), ("base", "new", "H")))
        on_halves = f"{row['all_base']:.1f}/{row['all_new']:.1f}"
        return (own[0], on_halves, own[1], *halves, f"{row['all_ece']:.1f}")
    scores = _scores(row, scores_of(row["protocol"]))
    if row["protocol"] == BASE_TO_NEW:
        return (*scores, f"{row['base_ece']:.1f}/{row['new_ece']:.1f}")
    extras = (f"{row['ece']:.1f}", f"{row['macro_f1']:.2f}")
    source = (row["source"], scores[1]) if row["protocol"] in TRANSFERS else ()
    return (scores[0], *extras, *source)


def _scores(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Means with their deviations, where there are several seeds."""
    spreads = [(row[name], spread_of(row, name)) for name in names]
    return [f"{mean:.2f}" if own is None else f"{mean:.2f} ± {own:.2f}" for mean, own in spreads]
