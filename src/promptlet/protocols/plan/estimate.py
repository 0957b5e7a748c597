"""How long runs may take, from the runs that are in a store already. A guess, not a promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlet.evaluation import mean
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.shapes import is_done

ALIKE = (("protocol", "dataset", "shots"), ("dataset", "shots"), ("dataset",), ())
"""What runs of the same method, schedule and backbone should have in common, the likest first."""


def estimate(run: Run, records: Sequence[Mapping[str, Any]]) -> float | None:
    """Mean seconds of the likest finished runs of the same method; None where there are none."""
    own = run.describe()
    same = [record for record in records if _is_comparable(own, record)]
    for names in ALIKE:
        seconds = [
            float(record["seconds_total"])
            for record in same
            if all(record[name] == own[name] for name in names)
        ]
        if seconds:
            return mean(seconds)
    return None


def _is_comparable(own: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return (
        is_done(record)
        and "seconds_total" in record
        and all(record[name] == own[name] for name in ("method", "fingerprint", "views"))
        and record["settings"].get("name") == own["settings"].get("name")
    )
