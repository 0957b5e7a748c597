"""What a reader must know of seeds, of ± and of intervals over few of them: words of tables and pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promptlet.report.statistics.comparisons import AVERAGE
from promptlet.report.statistics.seeds import reach, within_spread

REPEATED = (
    "In brackets behind seeds: how many different results they gave, where that is fewer. A method that "
    "learns nothing gives one; ± and intervals rest on no more than these."
)


def explained(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Sentences on the seeds of rows that are shown together; none where each has one seed."""
    several = [row for row in rows if len(row["seeds"]) > 1]
    if not several:
        return ()
    told = [_of_spread({len(row["seeds"]) for row in several})]
    if any(row["effective_seeds"] < len(row["seeds"]) for row in several):
        told.append(REPEATED)
    return (" ".join(told), *_same_images(several))


def _of_spread(counts: Iterable[int]) -> str:
    return (
        "± is the population deviation over seeds, and no interval: a mean ± it holds what all seeds would "
        f"give on average {shares(counts)}."
    )


def shares(counts: Iterable[int]) -> str:
    """``50 of 100 times for 2 seeds and 71 of 100 times for 3, if results are normal``."""
    words = [f"{100 * within_spread(count):.0f} of 100 times for {count}" for count in sorted(counts)]
    told = [f"{words[0]} seeds", *words[1:]] if words else []
    return f"{joined(told)}, if results are normal"


def _same_images(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """A sentence on data sets of which seeds drew the same training images."""
    own = [row for row in rows if row["dataset"] != AVERAGE and row["draws"] is not None]
    names = dict.fromkeys(row["dataset"] for row in own if row["draws"] < len(row["seeds"]))
    if not names:
        return ()
    return (
        f"On {joined(list(names))} some or all seeds drew the same training images: there they differ in "
        "starts, order and drawn validation images alone, and ± and intervals say no more than that.",
    )


def of_intervals(counts: Iterable[int]) -> str:
    """A sentence on how far intervals over so many seeds reach; two or more."""
    found = sorted(counts)
    if not found:
        return ""
    first, *rest = found
    deviations = "standard deviations of the differences to each side"
    reaches = [
        f"{reach(first):.1f} {deviations} for {first} seeds",
        *(f"{reach(n):.1f} for {n}" for n in rest),
    ]
    return (
        f"Intervals over few seeds are wide, as they must be: they reach {joined(reaches)}, and hold if "
        "differences are normal."
    )


def joined(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
