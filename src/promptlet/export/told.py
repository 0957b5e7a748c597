"""What another library says when it fails, in one line."""

from __future__ import annotations

MOST_START, MOST_END = 120, 220
"""Characters: libraries begin with the kind of the error, and some end with what is wrong."""


def first_line(error: Exception) -> str:
    """The kind of an error, and the first line that it says, without its middle where it is long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= MOST_START + MOST_END else f"{text[:MOST_START]} ... {text[-MOST_END:]}"
