"""Text of others in a document of Markdown: what would be read as a sign of it stands there as an entity."""

from __future__ import annotations

import re

from promptlet.characters import visible

_SIGNS = re.compile(r"[^\w ,'/%;?.-]|(?<![^\W_])_|_(?![^\W_])|(?<!\w)-|(?<!\d)\.|\.(?!\d)")


def in_markdown(text: object) -> str:
    """``text`` on one line, as it is to be read: never a link, a heading, code, an element of HTML or the end
    of a table's cell."""
    return _SIGNS.sub(_entity, " ".join(visible(text).split()))


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
