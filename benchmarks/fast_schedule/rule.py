"""When fewer passes give the same: the rule, fixed before any row of this benchmark was made.

A difference is new minus old on the same problem (bed, shots, fold, seed), in points; a bed's is the mean of
its problems', and beds weigh alike. A recipe gives the same as the old schedule if on the "confirm" problems

1. the mean difference of H over all beds is -0.3 or more, and so is that over the beds with real images and
   that over the embedded ones;
2. the lower end of its 95 % interval (Student's t over all beds) is -0.5 or more;
3. no bed's difference is below -1.5;
4. the mean difference of base accuracy is -0.5 or more, so that H is not kept by learning less.

Of the recipes that pass, the one with the fewest passes is taken; of those within a fifth of it, the one
whose H is best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import t as student

MEAN, LOW, BED, BASE = -0.3, -0.5, -1.5, -0.5
SAME = ("bed", "shots", "fold", "seed", "start", "method")


@dataclass(frozen=True)
class Difference:
    """New minus old in points. H: the mean over beds; low, high: its 95 % interval; real, embedded: means
    over those beds; worst: the lowest bed's name and difference; passes: mean of new and old."""

    problems: int
    passes: tuple[float, float]
    H: float
    low: float
    high: float
    real: float
    embedded: float
    worst: tuple[str, float]
    base: float
    learned: float

    @property
    def is_same(self) -> bool:
        """Whether the rule holds."""
        groups = [one for one in (self.real, self.embedded) if not np.isnan(one)]
        return (
            min([self.H, *groups]) >= MEAN and self.low >= LOW and self.worst[1] >= BED and self.base >= BASE
        )


def difference(new: Iterable[Mapping[str, Any]], old: Iterable[Mapping[str, Any]]) -> Difference:
    """Of the problems that both have. Raises ValueError where these are of fewer than two beds."""
    olds = {key_of(row): row for row in old}
    pairs = [(row, olds[key_of(row)]) for row in new if key_of(row) in olds]
    by_bed = {name: [pair for pair in pairs if pair[0]["bed"] == name] for name in _beds(pairs)}
    if len(by_bed) < 2:
        raise ValueError("there are no two beds that both recipes were tried on")
    h = {name: _mean("H", own) for name, own in by_bed.items()}
    values = list(h.values())
    reach = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    worst = min(h, key=h.__getitem__)
    return Difference(
        problems=len(pairs),
        passes=(fmean(one["passes"] for one, _ in pairs), fmean(other["passes"] for _, other in pairs)),
        H=fmean(values),
        low=fmean(values) - reach,
        high=fmean(values) + reach,
        real=_mean_of([value for name, value in h.items() if name.startswith("real")]),
        embedded=_mean_of([value for name, value in h.items() if not name.startswith("real")]),
        worst=(worst, h[worst]),
        base=fmean(_mean("base", own) for own in by_bed.values()),
        learned=fmean(_mean("new_learned", own) for own in by_bed.values()),
    )


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two rows must share to be compared."""
    return tuple(row[name] for name in SAME)


def _beds(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(row["bed"] for row, _ in pairs))


def _mean(name: str, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> float:
    return fmean(new[name] - old[name] for new, old in pairs)


def _mean_of(values: Sequence[float]) -> float:
    return fmean(values) if values else float("nan")
