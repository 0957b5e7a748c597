"""Numbers that no training makes: what damage leaves in a file without a digest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from promptlet.errors import PromptFileError
from promptlet.promptfile.record import PromptFile

LARGEST = 1e6  # learned numbers are below 100; a flipped bit of an exponent makes 1e30


def check_magnitudes(file: PromptFile, where: str | Path) -> None:
    """Raise PromptFileError where a learned number is absurdly large, so that answers would mean nothing."""
    for name, array in file.tensors.items():
        peak = float(np.abs(array).max())
        if peak > LARGEST:
            raise PromptFileError(
                f"cannot use {where}: tensor {name!r} holds {peak:.3g}, and no training makes numbers beyond "
                f"{LARGEST:,.0f}: it is damaged; copy it again, or train again"
            )
