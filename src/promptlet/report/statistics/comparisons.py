"""Which rows may stand side by side: comparisons, and in each a series of rows per method and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from promptlet.evaluation import mean
from promptlet.protocols.records.measures import MEASURES, TRANSFERS

Row = Mapping[str, Any]
Item = TypeVar("Item")
AVERAGE = "average"
SOURCE = ("source", "source_data")
OWN_TO_A_DATASET = ("dataset", "data", "template")
REFERENCES = ("zero_shot", "zero_shot_ensemble")
"""What learns nothing, and what others are read against: first in every table."""
SAME = ("protocol", "shots", "fingerprint", "dtype", *SOURCE)
"""What the rows of one comparison share."""


@dataclass(frozen=True)
class Series:
    """One method with its settings in a comparison.

    name: the method, and what tells it from others of the same method: ``rlp (rank=2)``. rows: one per data
    set (several where a data set is there in several versions); average: over them, where there is one.
    """

    name: str
    method: str
    rows: tuple[Row, ...]
    average: Row | None = None

    @property
    def unambiguous(self) -> tuple[Row, ...]:
        """Its rows, without those of which the same content is there under several settings of its own."""
        alike = grouped(self.rows, lambda row: (row["dataset"], row["data"]))
        return tuple(group[0] for group in alike if len(group) == 1)

    @property
    def trainable(self) -> int:
        """The most numbers that it trains on any data set."""
        return max(int(row["trainable"]) for row in self.rows)

    @property
    def overall(self) -> Row | None:
        """Its row over all data sets of the comparison: the average, or the only row there is."""
        return self.rows[0] if self.average is None and len(self.rows) == 1 else self.average


@dataclass(frozen=True)
class Comparison:
    """Rows of one protocol, number of shots, backbone, kind of weights and source, by method.

    title: what tells it from the other comparisons of a report.
    """

    title: str
    protocol: str
    shots: int
    fingerprint: str
    dtype: str
    source: str | None
    source_data: str | None
    backbone: str
    series: tuple[Series, ...] = field(repr=False)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets of which there are rows."""
        return tuple(dict.fromkeys(row["dataset"] for one in self.series for row in one.rows))

    @property
    def measure(self) -> str:
        """What methods are ranked by: H of base and new, an accuracy."""
        return MEASURES[self.protocol].headline

    @property
    def spoken(self) -> str:
        """The same within a sentence."""
        return MEASURES[self.protocol].spoken

    @property
    def family(self) -> tuple[Any, ...]:
        """The same for comparisons that differ in their shots alone."""
        return (self.protocol, self.fingerprint, self.dtype, self.source, self.source_data)


def comparisons(rows: Sequence[Row]) -> list[Comparison]:
    """Every comparison of a summary's rows, in their order. Averages are taken as they are, never made."""
    groups = grouped(rows, comparison_of)
    heads = [group[0] for group in groups]
    return [_comparison(group, heads) for group in groups]


def _comparison(rows: Sequence[Row], heads: Sequence[Row]) -> Comparison:
    head = rows[0]
    return Comparison(
        title=_title(head, heads),
        protocol=head["protocol"],
        shots=head["shots"],
        fingerprint=head["fingerprint"],
        dtype=head["dtype"],
        source=head.get("source"),
        source_data=head.get("source_data"),
        backbone=head.get("backbone") or head["fingerprint"],
        series=_series(rows),
    )


def scores_of(protocol: str) -> tuple[str, ...]:
    """The names of what a protocol's rows give in percent with a deviation over seeds: accuracies, H."""
    return MEASURES[protocol].of_rows


def spread_of(row: Row, name: str) -> float | None:
    """The deviation over seeds of one of `scores_of`, percentage points; None for one seed."""
    return float(row[f"{name}_std"]) if len(row["seeds"]) > 1 else None


def places(rows: Sequence[Row]) -> dict[tuple[Any, ...], int]:
    """By `comparison_of` and `method_of` of a row: the place of its method in every table of it."""
    return {
        (comparison_of(series.rows[0]), method_of(series.rows[0])): place
        for one in comparisons(rows)
        for place, series in enumerate(one.series)
    }


def comparison_of(row: Row) -> tuple[Any, ...]:
    """The same for rows that may be compared and averaged with each other."""
    return tuple(row.get(name) for name in SAME)


def method_of(row: Row) -> str:
    """Method and settings, whatever the data set."""
    own = own_to_a_dataset(row)
    kept = {name: value for name, value in settings_of(row).items() if name not in own}
    text = json.dumps([row["method"], row["schedule"], kept], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def own_to_a_dataset(row: Row) -> tuple[str, ...]:
    """What rows of one method and settings may differ in on other data sets: official values for single data
    sets are settings of one method, too."""
    return (*OWN_TO_A_DATASET, *(row.get("by_dataset") or ()))


def settings_of(row: Row) -> dict[str, Any]:
    """Everything that two rows of one method may differ in, but the name of the schedule."""
    flat = {**row["settings"], **row["options"]}
    flat |= {name: row[name] for name in ("shots", "views", "sampler", "data", "fingerprint", "dtype")}
    flat |= {name: row.get(name) for name in (*SOURCE, "code")}
    flat.pop("name", None)
    return flat


def differing(flats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names whose values are not the same in all."""
    names = dict.fromkeys(name for flat in flats for name in flat)
    return [name for name in names if any(flat.get(name) != flats[0].get(name) for flat in flats)]


def grouped(rows: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """Lists of the rows with the same key, in the order in which the keys first occur."""
    groups: dict[Hashable, list[Item]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())


def _series(rows: Sequence[Row]) -> tuple[Series, ...]:
    averages = {method_of(row): row for row in rows if row["dataset"] == AVERAGE}
    groups = grouped((row for row in rows if row["dataset"] != AVERAGE), method_of)
    every = [group[0] for group in groups]
    found = [
        Series(_name(group[0], every), group[0]["method"], tuple(group), averages.get(method_of(group[0])))
        for group in groups
    ]
    datasets = {row["dataset"] for one in found for row in one.rows}
    return tuple(sorted(found, key=lambda one: _standing(one, len(datasets))))


def _standing(one: Series, datasets: int) -> tuple[Any, ...]:
    """Its place among the series of a comparison: references first, then by what methods are ranked by, the
    best first. One without an average over the comparison's data sets stands behind those that have it."""
    measure = MEASURES[one.rows[0]["protocol"]].headline
    compared = [one.average] if one.average is not None else one.rows if datasets == 1 else []
    value = mean([float(row[measure]) for row in compared or one.rows if measure in row] or [0.0])
    first = REFERENCES.index(one.method) if one.method in REFERENCES else len(REFERENCES)
    return (first, not compared, -value, one.trainable, one.name)


def _name(row: Row, every: Sequence[Row]) -> str:
    """The method of ``row``, with what tells it from the others of that method among ``every``."""
    alike = [other for other in every if other["method"] == row["method"]]
    telling = [f"schedule={row['schedule']}"] if len({other["schedule"] for other in alike}) > 1 else []
    alike = [other for other in alike if other["schedule"] == row["schedule"]]
    flat = settings_of(row)
    own = own_to_a_dataset(row)
    names = [name for name in differing([settings_of(other) for other in alike]) if name not in own]
    telling += [f"{name}={flat.get(name)}" for name in names]
    return f"{row['method']} ({', '.join(telling)})" if telling else str(row["method"])


def _title(row: Row, heads: Sequence[Row]) -> str:
    """``base-to-new, 16 shots``, with source, backbone and kind of weights where these differ."""
    alike = [head for head in heads if head["protocol"] == row["protocol"]]
    words = [row["protocol"], f"{row['shots']} shot{'s' if row['shots'] != 1 else ''}"]
    if row["protocol"] in TRANSFERS:
        several = len({head.get("source_data") for head in alike if head["source"] == row["source"]}) > 1
        words.append(f"from {row['source']}" + (f" ({row['source_data']})" if several else ""))
    if len({head["fingerprint"] for head in alike}) > 1:
        words.append(f"backbone {_backbone(row, alike)}")
    if len({head["dtype"] for head in alike}) > 1:
        words.append(str(row["dtype"]))
    return ", ".join(words)


def _backbone(row: Row, alike: Sequence[Row]) -> str:
    """Its name, with the fingerprint where another backbone among ``alike`` has that name too."""
    name = row.get("backbone") or ""
    namesakes = {head["fingerprint"] for head in alike if (head.get("backbone") or "") == name}
    return name if name and len(namesakes) == 1 else f"{name} {row['fingerprint']}".strip()
