"""A figure as plain data: a picture that becomes part of the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from promptlet.errors import OptionError

PNG, SVG = "image/png", "image/svg+xml"


@dataclass(frozen=True)
class Figure:
    """A picture, PNG or SVG as bytes, and its caption, which also stands for it where it cannot be seen."""

    picture: bytes
    caption: str

    @property
    def source(self) -> str:
        """The picture as an address that holds it. Raises OptionError for another kind of file."""
        data = base64.b64encode(self.picture).decode("ascii")
        return f"data:{_kind(self.picture)};base64,{data}"


def _kind(picture: bytes) -> str:
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if picture.lstrip().startswith((b"<svg", b"<?xml")):
        return SVG
    raise OptionError(f"a figure begins with {picture[:8]!r}; a page holds PNG and SVG")
