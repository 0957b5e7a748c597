"""A temporary folder of an engine: with room in it before any work begins, and removed however that ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from promptlet.disk import room_problem
from promptlet.errors import EngineError, why
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.execution import Workbench
from promptlet.views import count_of

AT_LEAST = 2**20
"""Bytes of what is put there beside features."""
NEXT_STEP = "free some space, set TMPDIR to a folder on another disk, or take the engine inline"


@contextmanager
def temporary_folder(needed: int = AT_LEAST) -> Iterator[Path]:
    """A folder for the time of a block. Raises EngineError where ``needed`` bytes have no room there."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="promptlet-", ignore_cleanup_errors=True)
    except OSError as error:
        raise EngineError(f"no temporary folder can be made ({why(error)}); {NEXT_STEP}") from error
    with folder as name:
        problem = room_problem(Path(name), needed)
        if problem:
            raise no_room(Path(name).parent, problem)
        yield Path(name)


def no_room(folder: Path, reason: str) -> EngineError:
    """What is raised where something cannot be written into the temporary ``folder``."""
    return EngineError(f"the folder of temporary files {folder} has no room ({reason}); {NEXT_STEP}")


def bytes_of_features(runs: Sequence[Run], bench: Workbench) -> int:
    """Of the features that workers are given: those that data sets hold, and those that will be encoded."""
    held = [one.features.nbytes for one in bench.datasets.values() if one.features is not None]
    missing = [run for run in runs if not bench.store.is_done(run.key)]
    vectors = sum(len(items) * count_of(views) for (_, views), items in bench.wanted(missing).items())
    return AT_LEAST + sum(held) + 4 * vectors * bench.features.backbone.feature_dim
