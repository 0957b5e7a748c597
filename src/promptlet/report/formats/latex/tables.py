"""What the tables of a LaTeX report hold: a summary's rows by method and line. No LaTeX is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from promptlet.protocols.records.measures import FEW_SHOT, TRANSFERS
from promptlet.report.statistics.chosen import KINDS, kinds_of
from promptlet.report.statistics.comparisons import (
    AVERAGE,
    Comparison,
    Row,
    comparison_of,
    comparisons,
    grouped,
    method_of,
)
from promptlet.report.statistics.summary import Summary

OF_LINE = "shots_of_line"


class Line(NamedTuple):
    """A data set (or the average), the digest of its content ("" where none is known), and shots."""

    dataset: str
    data: str
    shots: int


@dataclass(frozen=True)
class Method:
    """name: as in a `Series`. rows: by line."""

    name: str
    rows: Mapping[Line, Row]

    @property
    def kinds(self) -> tuple[str, ...]:
        """How the settings of all its rows were chosen: the kinds that stand at its name."""
        every = [set(kinds_of(row["chosen"])) for row in self.rows.values()]
        return tuple(kind for kind in KINDS if every and all(kind in own for own in every))

    def kinds_at(self, row: Row) -> tuple[str, ...]:
        """Those of a row that do not stand at its name."""
        return tuple(kind for kind in kinds_of(row["chosen"]) if kind not in self.kinds)


@dataclass(frozen=True)
class Table:
    """One comparison; of few-shot, all that differ in their shots alone.

    facts: what its numbers have in common, the protocol first; title: those of them that tell it from the
    other tables of its protocol, behind the protocol. methods: those without a result last. averages: the
    lines of them. several: what has more than one row where a table has room for one, and so is not shown.
    missing, failed: runs that were asked for.
    """

    protocol: str
    source: str | None
    facts: tuple[str, ...]
    title: str
    methods: tuple[Method, ...]
    lines: tuple[Line, ...]
    averages: tuple[Line, ...]
    several: tuple[str, ...]
    missing: int
    failed: int

    @property
    def rows(self) -> list[Row]:
        """Every row that is shown."""
        return [row for method in self.methods for row in method.rows.values()]

    @cached_property
    def seeds(self) -> list[tuple[int, ...]]:
        """What seeds the rows are means over: first what most are (of these the most seeds), then others."""
        counts = Counter(tuple(row["seeds"]) for row in self.rows)
        return sorted(counts, key=lambda seeds: (-counts[seeds], -len(seeds), seeds))

    def name_of(self, line: Line) -> str:
        """The data set; with its content's digest, where there are several of that name."""
        several = len({one.data for one in self.lines if one.dataset == line.dataset}) > 1
        return f"{line.dataset} {line.data[:6]}" if several else line.dataset


def tables_of(summary: Summary) -> list[Table]:
    """The tables of a summary's rows, and of what is missing or failed."""
    wanted = [_as_row(entry, summary.rows) for entry in summary.incomplete]
    every = [_by_line(row) for row in (*summary.rows, *wanted)]
    found = comparisons(every)
    facts = [_facts(one, found) for one in found]
    return [
        _table(one, own, facts, group)
        for one, own, group in zip(found, facts, grouped(every, comparison_of), strict=True)
    ]


def _as_row(entry: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """An entry of `Summary.incomplete` as a row without seeds, with what it does not tell from its likes."""

    def told_by(name: str, *same: str) -> Any:
        alike = (row for row in rows if all(row.get(key) == entry.get(key) for key in same))
        return next((row.get(name) for row in alike), None)

    source = told_by("source_data", "protocol", "source") if entry["protocol"] in TRANSFERS else None
    return {
        **entry,
        "seeds": [],
        "data": None,
        "trainable": 0,
        "source_data": source,
        "code": told_by("code", "method"),
        "by_dataset": told_by("by_dataset", "protocol", "method", "schedule"),
        "backbone": told_by("backbone", "fingerprint"),
    }


def _by_line(row: Row) -> dict[str, Any]:
    """The row with its shots where those of a line are; few-shot has a line for each number of them."""
    return {**row, OF_LINE: row["shots"], **({"shots": 0} if row["protocol"] == FEW_SHOT else {})}


def _line(row: Row) -> Line:
    return Line(row["dataset"], row["data"] or "", row[OF_LINE])


def _table(
    one: Comparison, facts: tuple[str, ...], every: Sequence[tuple[str, ...]], group: Sequence[Row]
) -> Table:
    rows, wanted = ([row for row in group if bool(row["seeds"]) is done] for done in (True, False))
    by_method = {method_of(own[0]): grouped(own, _line) for own in grouped(rows, method_of)}
    methods, several = [], []
    for series in one.series:
        by_line = by_method.get(method_of(series.rows[0]), [])
        methods.append(Method(series.name, {_line(own[0]): own[0] for own in by_line if len(own) == 1}))
        several += [f"{series.name} on {own[0]['dataset']}" for own in by_line if len(own) > 1]
    lines = [_line(row) for row in rows]
    return Table(
        protocol=one.protocol,
        source=one.source,
        facts=facts,
        title=_title(facts, every),
        methods=tuple(sorted(methods, key=lambda method: not method.rows)),
        lines=_with_wanted({line for line in lines if line.dataset != AVERAGE}, wanted),
        averages=tuple(sorted({line for line in lines if line.dataset == AVERAGE})),
        several=tuple(dict.fromkeys(several)),
        missing=sum(len(row["missing"]) for row in wanted),
        failed=sum(len(row["failed"]) for row in wanted),
    )


def _with_wanted(lines: set[Line], wanted: Sequence[Row]) -> tuple[Line, ...]:
    """The lines in order, with those of which there is no result yet."""
    contents = {line.dataset: line.data for line in sorted(lines, reverse=True)}
    there = {(line.dataset, line.shots) for line in lines}
    asked = {Line(row["dataset"], contents.get(row["dataset"], ""), row[OF_LINE]) for row in wanted}
    return tuple(sorted(lines | {line for line in asked if (line.dataset, line.shots) not in there}))


def _facts(one: Comparison, every: Sequence[Comparison]) -> tuple[str, ...]:
    shots = "" if one.protocol == FEW_SHOT else f"{one.shots} shot{'s' if one.shots != 1 else ''}"
    source = _told(one.source or "", one.source_data, [(other.source, other.source_data) for other in every])
    backbone = _told(one.backbone, one.fingerprint, [(other.backbone, other.fingerprint) for other in every])
    return (one.protocol, shots, f"trained on {source}" if source else "", f"backbone {backbone}", one.dtype)


def _told(name: str, digest: str | None, every: Sequence[tuple[str | None, str | None]]) -> str:
    """The name, with the digest where another of that name has another one."""
    return name if len({other for its, other in every if its == name}) < 2 else f"{name} {digest}"


def _title(facts: tuple[str, ...], every: Sequence[tuple[str, ...]]) -> str:
    alike = [other for other in every if other[0] == facts[0]]
    telling = [fact for fact, *own in zip(facts, *alike, strict=True) if len(set(own)) > 1]
    return ", ".join([facts[0], *telling])
