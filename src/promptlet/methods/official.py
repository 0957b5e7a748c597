"""The settings that a method's own code is run with, as they are public: a row for each protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from promptlet.views import CROPS, Views

BASE_TO_NEW, FEW_SHOT = "base-to-new", "few-shot"
CROSS_DATASET, DOMAIN_SHIFT = "cross-dataset", "domain-shift"
PROTOCOLS: Final = (BASE_TO_NEW, FEW_SHOT, CROSS_DATASET, DOMAIN_SHIFT)
"""Those that a row may be for, by their names in benchmarks."""
MOST_SHOTS: Final = 1_000_000
"""The end of a case for so many shots or more."""
OWN_IMAGES = "own images"
TRAINED_AS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {OWN_IMAGES: (FEW_SHOT, BASE_TO_NEW), "all-names": (BASE_TO_NEW,), "density": (BASE_TO_NEW,)}
)
"""Whose row is taken, the first that is there, for what is none of `PROTOCOLS`."""


def plain_tables(facts: Any) -> dict[str, Any]:
    """What an object holds, with dicts in the place of read-only tables."""
    return {
        name: dict(value) if isinstance(value, MappingProxyType) else value
        for name, value in vars(facts).items()
    }


@dataclass(frozen=True)
class Case:
    """What a row changes for some data sets, or for some numbers of shots.

    datasets: by name; none: for all. shots: the least and the most; None: for all. Without a number of shots,
    as with all images of one's own, the case of most shots is meant.
    """

    schedule: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    shots: tuple[int, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For pickle, which knows no read-only tables: a worker's are plain ones."""
        return plain_tables(self)

    def is_for(self, dataset: str | None, shots: int | None) -> bool:
        """Whether it is about this data set and so many shots."""
        if self.datasets and dataset not in self.datasets:
            return False
        if self.shots is None:
            return True
        return self.shots[0] <= (MOST_SHOTS if shots is None else shots) <= self.shots[1]


@dataclass(frozen=True)
class Official:
    """A row: the public settings of a method in one protocol.

    source: where they stand. schedule: what they change in the ``coop`` schedule; options: in the method's
    own defaults. cases: what is different for single data sets or few shots, the last that fits wins. views:
    the readings of each image (`promptlet.views`), a new crop in every epoch unless a number is given. told:
    what cannot be taken over, or must be known beside it.
    """

    source: str
    schedule: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    views: Views = CROPS
    told: str = ""

    def __getstate__(self) -> dict[str, Any]:
        """As that of `Case`."""
        return plain_tables(self)

    def of(self, dataset: str | None = None, shots: int | None = None) -> Case:
        """What it changes for one data set and so many shots, as one case."""
        parts: list[Official | Case] = [self, *(c for c in self.cases if c.is_for(dataset, shots))]
        return Case(
            {key: value for part in parts for key, value in part.schedule.items()},
            {key: value for part in parts for key, value in part.options.items()},
        )

    def by_dataset(self, dataset: str | None, shots: int | None = None) -> dict[str, Any]:
        """Of these changes, those that are there because it is this data set."""
        cases = [case for case in self.cases if case.datasets and case.is_for(dataset, shots)]
        return {
            key: value for case in cases for key, value in (*case.schedule.items(), *case.options.items())
        }


Rows = Mapping[str, Official]


@dataclass(frozen=True)
class Where:
    """What is trained: protocol, the data set by its name, and how many images of a class; None: all."""

    protocol: str = OWN_IMAGES
    dataset: str | None = None
    shots: int | None = None


@dataclass(frozen=True)
class Chosen:
    """The row that is taken somewhere, and what it changes there."""

    protocol: str
    row: Official
    where: Where

    @property
    def changes(self) -> Case:
        """For the data set and shots."""
        return self.row.of(self.where.dataset, self.where.shots)

    @property
    def by_dataset(self) -> dict[str, Any]:
        """Of these, what is there because it is this data set."""
        return self.row.by_dataset(self.where.dataset, self.where.shots)


def choose_row(rows: Rows, where: Where) -> Chosen | None:
    """The row that is trained by there; None where none is public."""
    names = TRAINED_AS.get(where.protocol, (where.protocol,))
    return next((Chosen(name, rows[name], where) for name in names if name in rows), None)
