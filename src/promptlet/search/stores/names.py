"""Names of files as other programs hold them, which take text alone."""

from __future__ import annotations

from promptlet.characters import visible


def storable(path: str) -> str:
    """The path as it is; one whose bytes are no text (UTF-8) with escapes in their place."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return visible(path)
    return path
