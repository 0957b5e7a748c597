"""What is recorded of an item that went wrong while the others go on: a data set, a run, an image, a file."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from promptlet.errors import PromptletError

OURS = Path(__file__).parent
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
LONGEST = 500
"""Characters of what somebody else's error says."""


def reason_of(error: Exception) -> str:
    """The reason in a sentence: an expected error's own; of any other its kind, what it says, and the file
    and line where it was raised. What Promptlet raised, and no disk or memory, is called a bug.

    Ctrl-C, a signal that ends a process and SystemExit are no `Exception` and are meant for everything. A
    full memory is one: what was too large for it costs itself, and the next item may fit.
    """
    if isinstance(error, PromptletError):
        return str(error)
    said, (place, is_ours) = _said(error), _place_of(error)
    if isinstance(error, MemoryError):
        return f"memory is full: {said or 'it says no more'} ({place})"
    told = f"{type(error).__name__}: {said} ({place})"
    return f"bug: {told}; please report it" if is_ours and not isinstance(error, OSError) else told


def _said(error: Exception) -> str:
    """One line of what it says; an error of somebody's own may fail to say it."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        return "(it does not say what)"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _place_of(error: Exception) -> tuple[str, bool]:
    """The last file and line on the way to the error that is no library's, and whether it is Promptlet's."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.lineno is not None]
    own = [frame for frame in frames if _is_ours(frame.filename) or not _is_library(frame.filename)]
    if not frames:
        return "no place", False
    last = (own or frames)[-1]
    path, is_ours = Path(last.filename), _is_ours(last.filename)
    name = path.relative_to(OURS).as_posix() if is_ours else path.name
    return f"{name}, line {last.lineno}", is_ours


def _is_ours(filename: str) -> bool:
    return Path(filename).is_relative_to(OURS)


def _is_library(filename: str) -> bool:
    return filename.startswith(LIBRARIES) or "site-packages" in filename or filename.startswith("<")
