"""What another library says, in one line."""

from __future__ import annotations


def first_line(error: Exception) -> str:
    """The kind of an error, and the first line that it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
