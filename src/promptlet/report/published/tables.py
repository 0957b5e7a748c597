"""Published numbers that belong beside the rows of a report, as tables with numbered sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.report.published.chosen import choices_of
from promptlet.report.published.numbers import (
    NAMES_OF_VIT_B16,
    SOURCE_DATASET,
    VIT_B16,
    Published,
    origin,
    published,
)
from promptlet.report.statistics.chosen import Choice, together
from promptlet.report.statistics.comparisons import AVERAGE, Comparison, comparisons
from promptlet.report.statistics.summary import Summary

ON_SOURCE = "(trained on)"


@dataclass(frozen=True)
class PublishedTable:
    """title: ``Published (CLIP ViT-B/16)``. rows: under ``head``, the last cell being numbers of ``sources``.

    chosen: of each row, how its settings were chosen, as far as that is known.
    warning: why they are not to be compared with the report's own rows, or an empty text.
    """

    title: str
    protocol: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: tuple[tuple[Choice, ...], ...]
    sources: tuple[str, ...]
    warning: str


def published_tables(summary: Summary) -> list[PublishedTable]:
    """For a report's protocols, data sets, methods and shots: a table per protocol and published backbone.

    Empty where nothing was published on the report's data sets, as on those of the embedded suite.
    """
    found = []
    every = comparisons(summary.rows)
    for protocol in dict.fromkeys(one.protocol for one in every):
        own = [one for one in every if one.protocol == protocol]
        fitting = [one for one in published(protocol) if any(_belongs(one, other) for other in own)]
        for backbone in dict.fromkeys(one.backbone for one in fitting):
            found.append(_table(protocol, [one for one in fitting if one.backbone == backbone], own))
    return found


def is_of(comparison: Comparison, backbone: str) -> bool:
    """Whether a comparison was run on a published backbone, by the name that it was loaded by."""
    return backbone == VIT_B16 and comparison.backbone in NAMES_OF_VIT_B16


def _belongs(one: Published, comparison: Comparison) -> bool:
    """Whether a published number is of a method, data set and number of shots of a comparison; of methods
    that are not here, averages alone."""
    methods = {series.method for series in comparison.series}
    is_foreign_average = one.method is None and one.dataset == AVERAGE
    if not (one.method in methods or is_foreign_average) or one.shots not in (0, comparison.shots):
        return False
    if comparison.protocol in TRANSFERS and comparison.source != SOURCE_DATASET:
        return False
    if one.metric == "source_accuracy":
        return any(
            other.dataset in comparison.datasets for other in published(one.protocol, metric="accuracy")
        )
    if one.dataset == AVERAGE:
        return averages_the_same(one, comparison)
    return one.dataset in comparison.datasets


def averages_the_same(average: Published, comparison: Comparison) -> bool:
    """Whether a published average is over just the data sets of a comparison."""
    every = {one.dataset for one in published(average.protocol, metric="accuracy")} | {
        one.dataset for one in published(average.protocol, metric="H")
    }
    return set(comparison.datasets) == every - {AVERAGE} and len(every) - 1 == average.averaged


def _table(protocol: str, found: Sequence[Published], own: Sequence[Comparison]) -> PublishedTable:
    backbone = found[0].backbone
    names = MEASURES[protocol].compared
    sources: dict[str, int] = {}
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    choices: dict[tuple[Any, ...], tuple[Choice, ...]] = {}
    for one in found:
        key = (_place(one), one.name, one.shots, origin(one.source))
        choices[key] = tuple(together([choices.get(key, ()), choices_of(one)]))
        cells = rows.setdefault(key, {})
        cells["accuracy" if one.metric == "source_accuracy" else one.metric] = f"{one.value:.2f}"
        for text in (one.source, *([f"note: {one.note}"] if one.note else [])):
            number = sources.setdefault(text, len(sources) + 1)
            known = cells.get("sources", "")
            if f"[{number}]" not in known:
                cells["sources"] = f"{known}, [{number}]" if known else f"[{number}]"
    places, methods = ([*dict.fromkeys(key[i] for key in rows)] for i in (0, 1))
    keys = sorted(rows, key=lambda key: (places.index(key[0]), methods.index(key[1]), key[2]))
    return PublishedTable(
        title=f"Published ({backbone.partition(' (')[0]})",
        protocol=protocol,
        head=("data set", "method", "shots", *names, "sources"),
        rows=tuple(
            (
                *(str(part) for part in key[:3]),
                *(rows[key].get(column, "-") for column in names),
                rows[key]["sources"],
            )
            for key in keys
        ),
        chosen=tuple(choices[key] for key in keys),
        sources=tuple(f"[{number}] {text}" for text, number in sources.items()),
        warning=_warning(backbone, own),
    )


def _place(one: Published) -> str:
    return f"{one.dataset} {ON_SOURCE}" if one.metric == "source_accuracy" else one.dataset


def _warning(backbone: str, own: Sequence[Comparison]) -> str:
    others = list(dict.fromkeys(one.backbone for one in own if not is_of(one, backbone)))
    if not others:
        return ""
    return (
        f"These are numbers of {backbone}. Results of {', '.join(others)} are those of another model: the "
        "two cannot be compared."
    )
