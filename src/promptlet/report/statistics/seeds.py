"""How much a number of seeds tells: how many of them gave something of their own, and what a spread means.

A method that learns nothing gives the same for every seed, and seeds that draw all images of a file differ in
the start and the order alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptlet.protocols.records.measures import MEASURES
from promptlet.protocols.records.shapes import Done, Record, score

DIGITS = 3
"""Of percentage points, that results are told apart by: two machines may differ in more of them."""
LEVEL = 0.95


def effective_seeds(keys: Sequence[str], runs: Mapping[str, Record]) -> int:
    """How many seeds of a row gave results of their own: those that repeat another's in everything that is
    measured, calibration too, are one."""
    return len(set(by_seed(keys, runs).values()))


def seeds_in_words(seeds: Sequence[int], effective: int) -> str:
    """``1,2,3``; with how many results they gave, where some repeat others: ``1,2,3 (1 result)``."""
    told = ",".join(map(str, seeds))
    return told if effective >= len(seeds) else f"{told} ({effective} result{'s' * (effective > 1)})"


def by_seed(keys: Sequence[str], runs: Mapping[str, Record]) -> dict[int, tuple[Any, ...]]:
    """Everything that is measured, on every data set of a row, by seed."""
    found: dict[int, list[Any]] = {}
    for key in keys:
        record = runs[key]
        found.setdefault(record["seed"], []).append((record["dataset"], record["data"], *_measured(record)))
    return {seed: tuple(sorted(own)) for seed, own in found.items()}


def draws(keys: Sequence[str], runs: Mapping[str, Record]) -> int | None:
    """How many different sets of training images the seeds of a row drew; None where records do not tell."""
    found: dict[int, list[str]] = {}
    for key in keys:
        samples = cast("Done", runs[key]).get("samples")
        if samples is None:
            return None
        text = json.dumps(sorted(map(str, samples)))
        digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()
        found.setdefault(runs[key]["seed"], []).append(digest)
    return len({tuple(sorted(own)) for own in found.values()})


def _measured(record: Record) -> list[float]:
    measures = MEASURES[record["protocol"]]
    return [round(score(record, name), DIGITS) for name in (*measures.scores, *measures.extras)]


def reach(count: int) -> float:
    """How many standard deviations a 95 % t interval of so many values reaches to each side; two or more."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + LEVEL) / 2)) / math.sqrt(count)


def within_spread(count: int) -> float:
    """How often a mean, more or less the population deviation, holds the mean of all seeds there could be; of
    so many normal values, two or more. A share of 1."""
    from scipy.special import stdtr

    return 2 * float(stdtr(count - 1, math.sqrt(count - 1))) - 1
