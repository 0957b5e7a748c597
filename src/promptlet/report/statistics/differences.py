"""Paired differences of methods: the same data set, the same seed, one method minus another.

For one data set the values are differences of runs with the same seed, so the interval is over seeds: other
draws of training images and other starts, on the same test images. For the average the values are one mean
per data set, so the interval is over data sets. Both are Student's t intervals of a mean; nothing is
corrected for the number of comparisons. H is that of each run, so its average is not a difference of
"average H".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from promptlet.errors import OptionError, did_you_mean
from promptlet.evaluation import harmonic_mean
from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.protocols.records.shapes import Record, score
from promptlet.report.statistics.chosen import Choice, together
from promptlet.report.statistics.comparisons import AVERAGE, Comparison, Row, Series, comparisons
from promptlet.report.statistics.seeds import LEVEL, by_seed
from promptlet.report.statistics.summary import Summary

REFERENCE = "zero_shot"
SAME = 1e-9
"""Percentage points below which two means are called equal."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; low and high are None with fewer than two values."""

    mean: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Difference:
    """A method minus the reference, on one data set or on average.

    name, against: of the two `Series`. seeds: those that both have (of a data set). datasets: those that both
    have runs of (of the average). results: how many different pairs of results the seeds gave. chosen: of the
    method's rows. measures: in percentage points. signs: on how many data sets the method is
    (better, equal, worse), of the average.
    """

    comparison: Comparison
    dataset: str
    method: str
    name: str
    against: str
    seeds: tuple[int, ...]
    results: int
    datasets: tuple[str, ...]
    chosen: tuple[Choice, ...]
    measures: Mapping[str, Interval]
    signs: Mapping[str, tuple[int, int, int]]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as ``--json`` prints them."""
        numbers: dict[str, dict[str, Any]] = {}
        for name, found in self.measures.items():
            numbers[name] = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.count}
            if name in self.signs:
                numbers[name] |= dict(zip(("better", "equal", "worse"), self.signs[name], strict=True))
        group = self.comparison
        return {
            **{name: getattr(group, name) for name in ("protocol", "shots", "fingerprint", "dtype")},
            **({"source": group.source} if group.protocol in TRANSFERS else {}),
            "dataset": self.dataset,
            **({"datasets": list(self.datasets)} if self.datasets else self._of_seeds()),
            "method": self.method,
            "label": self.name,
            "against": self.against,
            "chosen": list(self.chosen),
            "measures": numbers,
        }

    def _of_seeds(self) -> dict[str, Any]:
        return {"seeds": list(self.seeds), "effective_seeds": self.results}


@dataclass(frozen=True)
class Differences:
    """rows: by comparison and method, each method's data sets and then its average. notes: what there is
    none of, and why."""

    rows: tuple[Difference, ...]
    notes: tuple[str, ...]


def paired_differences(summary: Summary, against: str | None = None) -> Differences:
    """Of every method to a reference, in every comparison that has it.

    against: a `Series` name, or a method that has one series; where it is not given, zero_shot, else the
    method that trains the fewest numbers. Raises OptionError when no comparison has it.
    """
    every = comparisons(summary.rows)
    references = {one.title: _reference(one, against) for one in every}
    if against is not None and every and not any(references.values()):
        names = list(dict.fromkeys(series.name for one in every for series in one.series))
        raise OptionError(
            f"against={against!r} is no method of this report; there are {', '.join(names)}."
            f"{did_you_mean(against, [*names, *(series.method for one in every for series in one.series)])}"
        )
    rows: list[Difference] = []
    notes: list[str] = []
    for one in every:
        reference = references[one.title]
        if reference is None:
            notes.append(f"{one.title}: no differences, {against} is not among its methods")
            continue
        for series in one.series:
            if series is not reference:
                found, note = _of_series(one, series, reference, summary.runs)
                rows += found
                notes += note
    return Differences(tuple(rows), tuple(notes))


def t_interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % Student's t interval of independent values; of no width where all are equal."""
    from scipy.special import stdtrit

    count = len(values)
    middle = math.fsum(values) / count
    if count < 2:
        return Interval(middle, None, None, count)
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Interval(middle, middle - half, middle + half, count)


def measured(protocol: str, record: Record) -> dict[str, float]:
    """What is compared: accuracies, areas, and this run's own H; percent."""
    measures = MEASURES[protocol]
    own = {name: score(record, name) for name in measures.scores}
    if measures.has_h:
        own["H"] = harmonic_mean(own["base"], own["new"])
    return {name: own[name] for name in measures.compared}


def _reference(comparison: Comparison, against: str | None) -> Series | None:
    """Raises OptionError when ``against`` stands for several."""
    if against is None:
        known = [one for one in comparison.series if one.method == REFERENCE]
        return known[0] if known else min(comparison.series, key=lambda one: (one.trainable, one.name))
    named = [one for one in comparison.series if one.name == against]
    named = named or [one for one in comparison.series if one.method == against]
    if len(named) > 1:
        names = ", ".join(one.name for one in named)
        raise OptionError(
            f"against={against!r} stands for several in {comparison.title}; give one of: {names}"
        )
    return named[0] if named else None


def _of_series(
    comparison: Comparison, series: Series, reference: Series, runs: Mapping[str, Record]
) -> tuple[list[Difference], list[str]]:
    """The differences of one method, and what it has none of."""
    names = {"method": series.method, "name": series.name, "against": reference.name}
    found: dict[str, Difference] = {}
    notes = []
    theirs = {(row["dataset"], row["data"]): row for row in reference.unambiguous}
    for row in series.unambiguous:
        other = theirs.get((row["dataset"], row["data"]))
        one = _of_dataset(comparison, row, other, runs, names) if other is not None else None
        if row["dataset"] in found:
            notes.append(f"{comparison.title}, {series.name}: {row['dataset']} is there in several versions")
        elif one is not None:
            found[row["dataset"]] = one
    missing = [name for name in comparison.datasets if name not in found]
    if missing:
        notes.append(
            f"{comparison.title}: {series.name} and {reference.name} have no runs in common on "
            f"{', '.join(missing)}"
        )
    rows = list(found.values())
    if len(rows) > 1:
        rows.append(_average(comparison, rows, names))
    return rows, notes


def _of_dataset(
    comparison: Comparison, row: Row, other: Row, runs: Mapping[str, Record], names: Mapping[str, str]
) -> Difference | None:
    """The run of ``row`` minus that of ``other``, over the seeds that are in both; None when no seed is.

    Seeds that all give the same pair of results are one value, which has no interval.
    """
    mine, theirs = ({runs[key]["seed"]: runs[key] for key in one["keys"]} for one in (row, other))
    seeds = tuple(sorted(mine.keys() & theirs.keys()))
    if not seeds:
        return None
    every = [by_seed(one["keys"], runs) for one in (row, other)]
    results = len({tuple(one[seed] for one in every) for seed in seeds})
    differences = [_minus(comparison.protocol, mine[seed], theirs[seed]) for seed in seeds]
    counted = differences if results > 1 else differences[:1]
    return Difference(
        comparison=comparison,
        dataset=row["dataset"],
        seeds=seeds,
        results=results,
        datasets=(),
        chosen=tuple(row["chosen"]),
        measures={name: t_interval([one[name] for one in counted]) for name in counted[0]},
        signs={},
        **names,
    )


def _minus(protocol: str, one: Record, other: Record) -> dict[str, float]:
    """What is measured, of one run minus another."""
    mine, theirs = measured(protocol, one), measured(protocol, other)
    return {name: mine[name] - theirs[name] for name in mine}


def _average(comparison: Comparison, found: Sequence[Difference], names: Mapping[str, str]) -> Difference:
    """Over data sets, of each data set's mean over its seeds."""
    by_measure = {name: [one.measures[name].mean for one in found] for name in found[0].measures}
    return Difference(
        comparison=comparison,
        dataset=AVERAGE,
        seeds=(),
        results=0,
        datasets=tuple(one.dataset for one in found),
        chosen=tuple(together(one.chosen for one in found)),
        measures={name: t_interval(means) for name, means in by_measure.items()},
        signs={name: _signs(means) for name, means in by_measure.items()},
        **names,
    )


def _signs(means: Sequence[float]) -> tuple[int, int, int]:
    better = sum(value > SAME for value in means)
    worse = sum(value < -SAME for value in means)
    return better, len(means) - better - worse, worse
