"""What a fitted classifier says of itself, as text and in a notebook."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import Any

from promptlet.characters import visible
from promptlet.errors import PromptletError, listed
from promptlet.promptfile import dumps

STYLE = "border-collapse:collapse;margin:0 0 .5em"
CELL = "text-align:left;padding:.1em 1em .1em 0"


def told(classifier: Any) -> dict[str, str]:
    """The facts of a fitted classifier in words, by what they are of."""
    method, training = classifier.method_, classifier.training_
    facts = {"method": method.info.name}
    names = classifier.class_names_
    facts["classes"] = f"{len(names)} ({listed(names)})" if names else "not named in the file"
    if "images" in training:
        facts["images"] = f"{training['images']:,}"
    if classifier.history_:
        facts["training accuracy"] = f"{classifier.history_[-1].accuracy:.1f} %"
    facts |= _estimate(getattr(classifier, "estimate_", None))
    if method.trainable_count():
        facts["numbers learned"] = f"{method.trainable_count():,}"
    with suppress(PromptletError):  # a method of one's own that no file can hold
        size = len(dumps(classifier.prompt_file(), method.stored_precision()))
        facts["prompt file"] = f"{size:,} bytes"
    return facts


def in_words(classifier: Any) -> str:
    """One line."""
    facts = told(classifier)
    return visible(f"fitted: {', '.join(f'{name} {value}' for name, value in facts.items())}")


def as_html(classifier: Any) -> str:
    """A small table, for a notebook."""
    rows = "".join(
        f'<tr><th style="{CELL}">{escape(name)}</th><td style="{CELL}">{escape(visible(value))}</td></tr>'
        for name, value in told(classifier).items()
    )
    return f'<table style="{STYLE}">{rows}</table>'


def _estimate(estimate: Any) -> dict[str, str]:
    """As `promptlet.own_images.estimating` has it: accuracy and its interval, in percent."""
    accuracy = getattr(estimate, "accuracy", None)
    if accuracy is None:
        return {}
    low, high = getattr(estimate, "low", None), getattr(estimate, "high", None)
    interval = "" if low is None or high is None else f" ({low:.1f} to {high:.1f})"
    return {"estimated accuracy": f"{accuracy:.1f} %{interval}"}
