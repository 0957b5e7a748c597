"""Images as small pictures of a page. One that cannot be shown leaves an empty place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptlet.data import open_image
from promptlet.errors import ImageError
from promptlet.pages import Picture
from promptlet.pages.gallery import thumbnail


def picture_of(source: Any, alt: str, lines: Sequence[str]) -> Picture:
    """The picture of a path, a Pillow image or an array; without one where it is none, or cannot be read."""
    try:
        return Picture(thumbnail(open_image(source)), alt, lines)
    except ImageError:
        return Picture(None, alt, lines)
