"""How long runs may take, from the runs that are in a store already. A guess, not a promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlet.evaluation import mean
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.shapes import is_done

ALIKE = (("protocol", "dataset", "shots"), ("dataset", "shots"), ("dataset",), ())
"""What comparable runs should have in common, the likest first."""
OF_THE_RUN = ("method", "fingerprint", "dtype", "views")
OF_THE_SCHEDULE = ("name", "optimizer", "epochs", "batch_size", "sampled_classes")
"""What is the same in runs that may be compared: the seconds of a training hang on it."""


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
        and all(record[name] == own[name] for name in OF_THE_RUN)
        and all(record["settings"].get(name) == own["settings"].get(name) for name in OF_THE_SCHEDULE)
    )
