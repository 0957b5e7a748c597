"""The end of `promptlet fit`: the prompt file is written, and only then the checkpoint goes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlet.cli.streams import warn
from promptlet.errors import PromptFileError

if TYPE_CHECKING:
    from promptlet.classifier import PromptLearner


def store(
    classifier: PromptLearner, out: Path, precision: str | None, compact: bool, checkpoint: Path
) -> dict[str, Any]:
    """Write the prompt file; what is to be told of it. Raises PromptFileError that says what is kept."""
    from promptlet.training.checkpoint import room_of

    precision = precision or classifier.method_.stored_precision()
    try:
        size = classifier.save(out, precision, compact)
    except PromptFileError as error:
        if not checkpoint.exists():
            raise
        raise PromptFileError(
            f"{error}. The finished training is kept in {checkpoint}: run the same command again to go on "
            "from it, without training anew"
        ) from error
    try:
        checkpoint.unlink(missing_ok=True)
    except OSError as error:
        warn(
            f"note: the checkpoint {checkpoint} is not needed any more, but cannot be removed "
            f"({error.strerror})"
        )
    with suppress(OSError):
        room_of(checkpoint).unlink(missing_ok=True)  # of a process that was killed
    return {"file": str(out), "precision": precision, "bytes": size}
