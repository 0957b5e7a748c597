"""What becomes of one run: a record, done or failed with its reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from promptlet.errors import PromptletError
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import SCHEMA, RunStore
from promptlet.protocols.records.trust import LEFT_OUT
from promptlet.reasons import reason_of
from promptlet.typed import no_json

Record = dict[str, Any]


def attempt(run: Run, execute: Callable[[Run], Record]) -> Record:
    """The record of ``run``, with its status. An error is recorded, whatever it is, and not raised."""
    try:
        record = {"status": "done", **execute(run)}
        wrong = no_json(record)
        return failure(run, f"cannot be recorded: {wrong}") if wrong else record
    except PromptletError as error:
        return failure(run, str(error))
    except Exception as error:  # a bug or a full memory must not cost the night's other runs
        return failure(run, reason_of(error), _trace())


def settled(run: Run, record: Record, store: RunStore) -> Record:
    """The record as it lies in the store from now on. One that could not be read again there, and would be
    made again and again, is kept as a failure that says why."""
    wrong = "" if record["status"] == "failed" else store.problem({"schema": SCHEMA, **record}, run.key)
    if wrong:
        record = failure(run, f"cannot be recorded: {wrong.removesuffix(LEFT_OUT)}")
    store.write(run.key, record)
    return record


def _trace() -> str:
    try:
        return traceback.format_exc()
    except Exception:  # an error of somebody's own that cannot be printed
        return ""


def failure(run: Run, reason: str, trace: str = "") -> Record:
    """The record of a run that failed."""
    return {"status": "failed", **run.describe(), "reason": reason, "traceback": trace}
