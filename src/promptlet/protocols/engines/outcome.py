"""What becomes of one run: a record, done or failed with its reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptlet.errors import PromptletError
from promptlet.protocols.records.runs import Run

Record = dict[str, Any]


def attempt(run: Run, execute: Callable[[Run], Record]) -> Record:
    """The record of ``run``, with its status. An error is recorded, whatever it is, and not raised."""
    try:
        return {"status": "done", **execute(run)}
    except PromptletError as error:
        return failure(run, str(error))
    except Exception as error:  # a bug or a full memory must not cost the night's other runs
        reason = f"{type(error).__name__}: {error} ({_place_of(error)})"
        return failure(run, reason, traceback.format_exc())


def _place_of(error: Exception) -> str:
    """File and line where it was raised: the last of them that is no installed library's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}"


def failure(run: Run, reason: str, trace: str = "") -> Record:
    """The record of a run that failed."""
    return {"status": "failed", **run.describe(), "reason": reason, "traceback": trace}
