"""Characters that no page or figure can hold."""

from __future__ import annotations

from promptlet.characters import visible_lines


def fit_for_pages(text: str) -> str:
    """``text`` with an escape (``\\x1b``) for each character that no page can hold, or that hides there."""
    return visible_lines(text)
