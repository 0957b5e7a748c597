"""Programs of torch.export."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from promptlet.errors import ExportError
from promptlet.export.agreement import Outputs, Run
from promptlet.export.program import plain_arithmetic
from promptlet.export.running.plain_program import check_plain
from promptlet.export.told import first_line
from promptlet.exported.manifest import FEATURES, PIXELS, PROBABILITIES


def outputs_by(program: Path) -> Outputs:
    """All that a program gives, by name. Raises ExportError where this torch cannot run it, or where it may
    be more than a graph and numbers."""
    check_plain(program)
    try:
        with plain_arithmetic():
            module = _loaded(program).module()
    except Exception as error:  # of torch's own kinds
        raise ExportError(
            f"{program.name}: torch {torch.__version__} cannot run it ({first_line(error)}); upgrade torch, "
            "or export anew"
        ) from error

    def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            with plain_arithmetic():
                found = module(torch.from_numpy(np.ascontiguousarray(given[PIXELS])))
        except Exception as error:  # of torch's own kinds
            raise ExportError(f"{program.name}: torch failed ({first_line(error)})") from error
        return {name: one.numpy() for name, one in zip((FEATURES, PROBABILITIES), found, strict=True)}

    return run


def _loaded(program: Path) -> torch.export.ExportedProgram:
    """Torch logs why it fails, at length, and raises another error: here the reason is raised, not logged."""
    reasons, log = _Reasons(), logging.getLogger(torch.export.__name__)
    log.addFilter(reasons)
    try:
        return torch.export.load(program)
    except Exception as error:
        raise (reasons.found or error) from None
    finally:
        log.removeFilter(reasons)


class _Reasons(logging.Filter):
    """Lets nothing through, and keeps the last error."""

    found: BaseException | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            self.found = record.exc_info[1]
        return False


def features_by(program: Path) -> Run:
    """From pixel values (B, 3, H, W) to features (B, D), by a program."""
    run = outputs_by(program)
    return lambda pixels: run({PIXELS: pixels})[FEATURES]
