"""Words between a learned context and the class name, which stay as they are, as in ProGrad's code.

A prompt is then ``[start] context, words between, class name "." [end]``.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.backbones import Backbone
from promptlet.errors import OptionError


def check_between(between: str | None) -> str:
    """The words as they are stored; "" for none. Raises OptionError for what is no text."""
    if not isinstance(between, str | None):
        raise OptionError(f"between={between!r} is not allowed; give words, or '' for none")
    return (between or "").strip()


def check_readable(between: str, backbone: Backbone) -> None:
    """Raise OptionError for words of which the tokenizer makes nothing, or a special token."""
    if not between:
        return
    tokenizer = backbone.text.tokenizer
    ids = tokenizer.behind_words(between)
    if not ids or {tokenizer.start, tokenizer.end} & set(ids):
        raise OptionError(
            f"between={between!r} has no tokens for this backbone, or a special one; give words such as 'a'"
        )


def behind(between: str, class_names: Sequence[str]) -> Sequence[str]:
    """The class names with the words in front of them."""
    return [f"{between} {name}" for name in class_names] if between else class_names
