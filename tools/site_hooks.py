"""For `make docs`: what the site shows otherwise than the Markdown says."""

from __future__ import annotations

import re
from typing import Any


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Sources in the reports' tables of published numbers, ``[1][4]``, are two numbers and no link."""
    if page.file.src_uri.startswith("results/"):
        return re.sub(r"(\[\d+\])(?=\[\d+\])", r"\1, ", markdown)
    return markdown
