"""How long a run may take: by the likest runs there are, or nobody knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_protocols_runs import RUN

from promptlet.protocols.plan.estimate import estimate
from promptlet.protocols.records.runs import Run


def took(seconds: Any, run: Run = RUN, status: str = "done") -> dict[str, Any]:
    return {"status": status, **run.describe(), "seconds_total": seconds}


def test_the_likest_runs_count() -> None:
    same, other_shots, elsewhere = (replace(RUN, seed=9), replace(RUN, shots=1), replace(RUN, dataset="pets"))
    records = [took(2.0, same), took(4.0, same), took(8.0, other_shots), took(32.0, elsewhere)]
    assert estimate(RUN, records) == 3.0
    assert estimate(replace(RUN, protocol="few-shot"), records) == 3.0
    assert estimate(RUN, records[2:]) == 8.0 and estimate(RUN, records[3:]) == 32.0


@pytest.mark.parametrize(
    "record",
    [
        took(2.0, replace(RUN, method="coop")),
        took(2.0, replace(RUN, fingerprint="d-e-f")),
        took(2.0, replace(RUN, settings={"name": "coop"})),
        took(2.0, replace(RUN, views=4)),
        took(2.0, replace(RUN, dtype="mixed")),
        *(
            took(2.0, replace(RUN, settings={**RUN.settings, name: value}))
            for name, value in (
                ("optimizer", "lbfgs"),
                ("epochs", 7),
                ("batch_size", 9),
                ("sampled_classes", 5),
            )
        ),
        took(2.0, status="failed"),
        {name: value for name, value in took(2.0).items() if name != "seconds_total"},
    ],
)
def test_others_say_nothing(record: dict[str, Any]) -> None:
    assert estimate(RUN, [record]) is None
