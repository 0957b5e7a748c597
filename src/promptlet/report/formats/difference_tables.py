"""Paired differences in words: the cells of their tables, and what stands below."""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.report.formats import spreads
from promptlet.report.statistics.chosen import marked
from promptlet.report.statistics.comparisons import AVERAGE
from promptlet.report.statistics.differences import Difference, Differences, Interval
from promptlet.report.statistics.seeds import seeds_in_words

EXPLAINED = (
    "Each cell is a mean of paired differences in percentage points: a run minus the run of the method "
    "named above the table, with the same seed on the same data; with a 95 % Student's t interval. On "
    "one data set the interval is over seeds (other draws of training images, other starts); the test "
    "images are the same in all, so it does not tell of other test images. In the average row it is "
    "over data sets, one mean of each; it tells of data sets like these, as far as they are a sample of "
    "anything. A dash: fewer than two values, so no interval; seeds that all give the same are one value. "
    "Where an interval has no width, differences are equal by chance or by what the method is; it is no "
    "certainty. Nothing is corrected for the number of comparisons: of such intervals one in twenty "
    "misses, on average."
)
OF_H = "H is that of each run, so its average is not the difference of the average H in the table above."
OF_TRANSFERS = (
    "In transfers a method is trained once per seed and tested on all data sets, so the average row does "
    "not tell of other trainings."
)


def by_comparison(found: Differences) -> dict[str, list[Difference]]:
    """The rows by the title of their comparison."""
    groups: dict[str, list[Difference]] = {}
    for row in found.rows:
        groups.setdefault(row.comparison.title, []).append(row)
    return groups


def table_of(rows: Sequence[Difference]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of one comparison, in words; data sets are counted where there is an average."""
    comparison = rows[0].comparison
    measures = MEASURES[comparison.protocol]
    names = [measures.shown[name] for name in measures.compared]
    ranked = measures.shown[comparison.measure]
    counts = any(row.signs for row in rows)
    head = ("data set", "method", "pairs", *names, *_if(counts, f"{ranked} better/equal/worse"))
    return head, [(*_cells(row), *_if(counts, _signs(row))) for row in rows]


def _cells(row: Difference) -> tuple[str, ...]:
    average = row.dataset == AVERAGE
    seeds = seeds_in_words(row.seeds, row.results)
    pairs = f"{len(row.datasets)} data sets" if average else f"seeds {seeds}"
    return (row.dataset, marked(row.name, row.chosen), pairs, *map(in_words, row.measures.values()))


def _signs(row: Difference) -> str:
    signs = row.signs.get(row.comparison.measure)
    return "" if signs is None else "/".join(map(str, signs))


def _if(wanted: bool, cell: str) -> tuple[str, ...]:
    return (cell,) if wanted else ()


def in_words(interval: Interval) -> str:
    """``+1.23 [-0.50, +2.96]``; a dash where there is no interval."""
    if interval.low is None or interval.high is None:
        return f"{_signed(interval.mean)} -"
    return f"{_signed(interval.mean)} [{_signed(interval.low)}, {_signed(interval.high)}]"


def explained(found: Differences) -> str:
    """What the intervals are of, and are not of."""
    protocols = {row.comparison.protocol for row in found.rows}
    of_h = any(MEASURES[protocol].has_h for protocol in protocols)
    of_transfers = not protocols.isdisjoint(TRANSFERS)
    counts = {len(row.seeds) for row in found.rows if row.results > 1}
    few = spreads.of_intervals(counts)
    return " ".join((EXPLAINED, *_if(bool(few), few), *_if(of_h, OF_H), *_if(of_transfers, OF_TRANSFERS)))


def _signed(value: float) -> str:
    """Two decimals; what rounds to nothing has no minus."""
    return f"{round(value, 2) + 0.0:+.2f}"
