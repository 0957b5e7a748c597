"""The rule of the choice: written before anything was measured, and by zero-shot accuracy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

ALL, HALF, CENTRE = (50.0, 75.0), (40.0, 85.0), 62.5
OF_EACH_KIND = 3
KINDS = ("classes", "look")


def eligible(row: Row) -> bool:
    """Ten classes at least, and room above and below: among all classes and within each half."""
    within = all(HALF[0] <= row[half] <= HALF[1] for half in ("base", "new"))
    return row["classes"] >= 10 and ALL[0] <= row["all"] <= ALL[1] and within


def choose(rows: Sequence[Row]) -> list[str]:
    """Names of the chosen: by class lists, then by looks, the three nearest to the centre of the range.

    One of a family, and one of a look; of two that are as near, the first in the order of names.
    """
    taken: list[Row] = []
    for kind in KINDS:
        count = 0
        for row in sorted(rows, key=lambda row: (abs(row["all"] - CENTRE), row["dataset"])):
            new = all(row["family"] != t["family"] and row["change"] != t["change"] for t in taken)
            if row["kind"] == kind and eligible(row) and new and count < OF_EACH_KIND:
                taken.append(row)
                count += 1
    return [row["dataset"] for row in taken]
