"""The figures that belong to a report, with captions that say what is in them and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptlet.protocols.records.measures import FEW_SHOT, MEASURES
from promptlet.report.figures.charts import (
    accuracy_by_shots,
    accuracy_by_shots_each,
    bars_by_dataset,
    base_against_new,
    dots_by_dataset,
    dots_by_method,
)
from promptlet.report.figures.drawing import plain_names
from promptlet.report.figures.numbers import Point, accuracy_by_numbers
from promptlet.report.published.chosen import choices_of
from promptlet.report.published.counts import Counted, counted
from promptlet.report.published.numbers import VIT_B16, Published
from promptlet.report.published.tables import averages_the_same, is_of
from promptlet.report.statistics.chosen import Choice, marked, meaning, together
from promptlet.report.statistics.comparisons import (
    AVERAGE,
    OWN_TO_A_DATASET,
    Comparison,
    comparisons,
    differing,
    grouped,
    settings_of,
    spread_of,
)
from promptlet.report.statistics.differences import SAME
from promptlet.report.statistics.summary import Summary

MOST_BARS, MOST_PANELS, MOST_GROUPS = 6, 12, 24
"""Methods that bars can show, data sets that fit as panels, data sets that fit as groups of bars."""
OF_A_POINT = (*OWN_TO_A_DATASET, "shots")
"""What the points of one line over shots differ in by themselves."""


@dataclass(frozen=True)
class Picture:
    """A figure as PNG, its caption, and the sources of published numbers in it."""

    png: bytes
    caption: str
    sources: tuple[str, ...] = ()


def gallery(summary: Summary) -> dict[str, list[Picture]]:
    """Figures by title: of every protocol, for each backbone and source apart. Those
    that cannot be drawn of several numbers of shots are of the largest."""
    found = {}
    for family in grouped_by_family(summary):
        last = max(family, key=lambda one: one.shots)
        names = _names(family, last)
        pictures = _by_shots(family, names)
        for draw in (_base_and_new, _by_dataset, _by_numbers):
            pictures += draw(last, names)
        told = meaning(choice for one in family for choice in _chosen(one))
        if pictures:
            found[_title(family)] = [replace(one, caption=one.caption + told) for one in pictures]
    return found


def _chosen(comparison: Comparison) -> list[Choice]:
    """How the settings of its rows were chosen."""
    return [choice for series in comparison.series for row in series.rows for choice in row["chosen"]]


def grouped_by_family(summary: Summary) -> list[list[Comparison]]:
    """The comparisons that differ in their shots alone, together."""
    every = comparisons(summary.rows)
    families = dict.fromkeys(one.family for one in every)
    return [[one for one in every if one.family == family] for family in families]


def _title(family: Sequence[Comparison]) -> str:
    """Of several numbers of shots: that of a comparison, without them."""
    title = family[0].title
    return title if len(family) == 1 else title.replace(f", {_shots(family[0])}", "", 1)


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    """The rows of every data set, named by series; contents of one name are told apart by their digest."""
    rows = [(series.name, row) for series in comparison.series for row in series.unambiguous]
    contents = grouped(
        {(row["dataset"], row["data"]): row for _, row in rows}.values(), lambda row: row["dataset"]
    )
    several = {group[0]["dataset"] for group in contents if len(group) > 1}
    return [
        {
            **row,
            "label": name,
            "dataset": f"{row['dataset']} {row['data'][:6]}" if row["dataset"] in several else row["dataset"],
        }
        for name, row in rows
    ]


def _names(family: Sequence[Comparison], last: Comparison) -> dict[str, str]:
    """By name of a series, in the order of the page: what a figure can hold of it, and its marks."""
    every = [series for one in (last, *family) for series in one.series]
    names = plain_names(series.name for series in every)
    rows = [(series.name, row["chosen"]) for series in every for row in series.rows]
    return {
        name: marked(plain, together(chosen for other, chosen in rows if other == name))
        for name, plain in names.items()
    }


def _drawable(rows: Sequence[dict[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows with names of methods and data sets that a figure can hold."""
    datasets = plain_names((row["dataset"] for row in rows), 24)
    return [{**row, "label": names[row["label"]], "dataset": datasets[row["dataset"]]} for row in rows]


def _overall(comparison: Comparison, names: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """A row per method that has one over all data sets, and a sentence on what it is of and who has none."""
    rows = [{**one.overall, "label": one.name} for one in comparison.series if one.overall is not None]
    rows = [row for row in rows if row["dataset"] == AVERAGE or len(comparison.datasets) == 1]
    without = [one.name for one in comparison.series if one.name not in {row["label"] for row in rows}]
    count = len(comparison.datasets)
    text = f"averages over {count} data sets" if count > 1 else f"on {comparison.datasets[0]}"
    told = f"; without an average, and not shown: {', '.join(without)}" if without else ""
    return _drawable(rows, names), text + told


def _by_shots(family: Sequence[Comparison], names: Mapping[str, str]) -> list[Picture]:
    if family[0].protocol != FEW_SHOT or len({one.shots for one in family}) < 2:
        return []
    rows = [row for one in family for row in _rows(one)]
    datasets, order = list(dict.fromkeys(row["dataset"] for row in rows)), list(names.values())
    where = f"mean over {len(datasets)} data sets" if len(datasets) > 1 else f"on {family[0].datasets[0]}"
    left_out = ". Points that lack a data set are left out" if len(datasets) > 1 else ""
    caption = f"Accuracy against images per class, {where}, means over seeds{left_out}.{_unlike(rows)}"
    pictures = [Picture(accuracy_by_shots(_drawable(rows, names), order), caption)]
    if 1 < len(datasets) <= MOST_PANELS:
        text = "The same for each data set; every panel has a range of its own."
        pictures.append(Picture(accuracy_by_shots_each(_drawable(rows, names), order), text))
    return pictures


def _unlike(rows: Sequence[dict[str, Any]]) -> str:
    """What a caption says of lines whose points are of other settings."""
    told = []
    for line in grouped(rows, lambda row: row["label"]):
        names = [name for name in differing([settings_of(row) for row in line]) if name not in OF_A_POINT]
        told += [f"{line[0]['label']} ({', '.join(names)})"] if names else []
    return f" Not of the same settings at all numbers of shots: {'; '.join(told)}." if told else ""


def _base_and_new(comparison: Comparison, names: Mapping[str, str]) -> list[Picture]:
    rows, what = _overall(comparison, names)
    if not MEASURES[comparison.protocol].has_h or len(rows) < 2:
        return []
    caption = (
        f"Base against new accuracy, {_shots(comparison)}, {what}. Grey lines join points of the same H."
    )
    return [Picture(base_against_new(rows, list(names.values())), caption)]


def _by_dataset(comparison: Comparison, names: Mapping[str, str]) -> list[Picture]:
    rows = _rows(comparison)
    drawn, order = _drawable(rows, names), list(names.values())
    datasets, methods = ({row[name] for row in rows} for name in ("dataset", "label"))
    value, name, start = comparison.measure, f"{comparison.spoken}, %", _at_start(comparison)
    what = f"{start} by data set, {_shots(comparison)}"
    spread = _whiskers(drawn, value)
    if len(datasets) == 1:
        only = comparison.datasets[0]
        text = f"{start} on {only}, {_shots(comparison)}.{spread}"
        return [Picture(dots_by_method(drawn, value, name, order), text)] if len(methods) > 1 else []
    if len(methods) <= MOST_BARS and len(datasets) <= MOST_GROUPS:
        text = f"{what}. The axis does not begin at 0.{spread}"
        return [Picture(bars_by_dataset(drawn, value, name, order), text)]
    if len(datasets) <= MOST_PANELS:
        text = f"{what}; every panel has a range of its own.{spread}"
        return [Picture(dots_by_dataset(drawn, value, name, order), text)]
    return []


def _whiskers(rows: Sequence[dict[str, Any]], measure: str, word: str = "Whiskers") -> str:
    """A sentence on them, where rows have several seeds."""
    if all(spread_of(row, measure) is None for row in rows):
        return ""
    averaged = "the mean of the data sets' deviations over seeds"
    return f" {word}: {averaged if rows[0]['dataset'] == AVERAGE else 'deviation over seeds'}."


def _of_numbers(rows: Sequence[dict[str, Any]], measure: str) -> str:
    """Sentences on whiskers, bands, and points of one number."""
    numbers = [row["trainable"] for row in rows if row["trainable"]]
    has_bands = any((spread_of(row, measure) or 0.0) > SAME for row in rows if not row["trainable"])
    text = _whiskers(rows, measure, "Whiskers and bands" if has_bands else "Whiskers")
    beside = len(set(numbers)) < len(numbers)
    return f"{text} Points of the same number stand side by side." if beside else text


def _by_numbers(comparison: Comparison, names: Mapping[str, str]) -> list[Picture]:
    """Accuracy or H against how many numbers are trained, beside what is published."""
    rows, what = _overall(comparison, names)
    if len(rows) < 2:
        return []
    known = _published(comparison)
    trained = any(one.numbers for one in known)
    shown = known if trained else []
    measure = comparison.measure
    ours = [
        Point(row["label"], int(row["trainable"]), float(row[measure]), spread_of(row, measure))
        for row in rows
    ]
    theirs = [
        Point(marked(one.published.name, choices_of(one.published)), one.numbers, one.published.value)
        for one in shown
    ]
    same = bool(shown) and is_of(comparison, VIT_B16) and _same_data(comparison, shown[0].published)
    [where] = plain_names([_short(comparison.backbone)]).values()
    here = f"measured here, {where}"
    caption = f"{_at_start(comparison)} against the numbers that are trained, {what}."
    caption += _of_numbers(rows, measure)
    return [
        Picture(
            accuracy_by_numbers(ours, theirs, comparison.spoken, here, same, list(names.values())),
            caption + (_told(comparison, shown, same) if shown else ""),
            tuple(dict.fromkeys(_source(one) for one in shown)),
        )
    ]


def _published(comparison: Comparison) -> list[Counted]:
    """On the only data set of a comparison where there are such, else the field's averages."""
    [*only] = comparison.datasets if len(comparison.datasets) == 1 else []
    found = counted(comparison.protocol, only[0], comparison.shots) if only else []
    if any(one.numbers for one in found):
        return found
    return counted(comparison.protocol, AVERAGE, comparison.shots)


def _same_data(comparison: Comparison, one: Published) -> bool:
    if one.dataset == AVERAGE:
        return averages_the_same(one, comparison)
    return comparison.datasets == (one.dataset,)


def _told(comparison: Comparison, shown: Sequence[Counted], same: bool) -> str:
    """What a reader must know of the published points."""
    first = shown[0].published
    where = f"{first.averaged} data sets on average" if first.averaged else f"{first.dataset}"
    ours = {choice["kind"] for choice in _chosen(comparison)}
    theirs = [choice for one in shown for choice in choices_of(one.published) if choice["kind"] not in ours]
    quoted = [one.published.name for one in shown if one.is_quoted]
    text = f" Grey and hollow: published, {VIT_B16}, {where}, not run here. "
    text += "How many numbers these train was computed from their official code"
    text += f", and is quoted for {', '.join(quoted)}. " if quoted else ". "
    text = f"{text.rstrip()}{meaning(theirs)} " if theirs else text
    if same:
        return text
    if not is_of(comparison, VIT_B16):
        other = f"This report's backbone is {_short(comparison.backbone)}"
    else:
        other = "This report's data sets are others"
    return f"{text}{other}: the two panels cannot be compared."


def _source(one: Counted) -> str:
    count = "count quoted from" if one.is_quoted else "count:"
    return f"{one.published.name}: {one.published.source}; {count} {one.count_source}"


def _shots(comparison: Comparison) -> str:
    return f"{comparison.shots} shot{'s' if comparison.shots != 1 else ''}"


def _at_start(comparison: Comparison) -> str:
    """What methods are ranked by, at the start of a sentence."""
    return f"{comparison.spoken[0].upper()}{comparison.spoken[1:]}"


def _short(backbone: str) -> str:
    """The end of a long path."""
    return backbone if len(backbone) <= 48 else f"...{backbone[-45:]}"
