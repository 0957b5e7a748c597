"""Characters that no page or figure can hold."""

from __future__ import annotations

import re

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What may not stand in a page, escaped or not."""


def fit_for_pages(text: str) -> str:
    """``text`` with a replacement character for each that no page can hold."""
    return _UNFIT.sub("\ufffd", text)
