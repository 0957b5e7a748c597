"""A figure as plain data: a picture that becomes part of the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from promptlet.errors import OptionError

PNG, JPEG, SVG = "image/png", "image/jpeg", "image/svg+xml"


@dataclass(frozen=True)
class Figure:
    """A picture (PNG, JPEG or SVG), and its caption, which also stands for it where it cannot be seen.

    whole: its words are large enough to be read where it is as narrow as a phone; others scroll there.
    """

    picture: bytes
    caption: str
    whole: bool = False

    @property
    def source(self) -> str:
        """The picture as an address that holds it. Raises OptionError for another kind of file."""
        return address_of(self.picture)


def address_of(picture: bytes) -> str:
    """An address that holds the picture itself. Raises OptionError for another kind of file."""
    return f"data:{_kind(picture)};base64,{base64.b64encode(picture).decode('ascii')}"


def _kind(picture: bytes) -> str:
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if picture.startswith(b"\xff\xd8\xff"):
        return JPEG
    if picture.lstrip().startswith((b"<svg", b"<?xml")):
        return SVG
    raise OptionError(f"a figure begins with {picture[:8]!r}; a page holds PNG, JPEG and SVG")
