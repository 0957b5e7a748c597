"""What `promptlet teach` says once the page is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from promptlet.cli.shell import say
from promptlet.cli.streams import put_out

if TYPE_CHECKING:
    from promptlet.serve.start import Started


def tell(started: Started) -> None:
    """For people."""
    for line in lines(started):
        say(line)


def tell_json(started: Started) -> None:
    """For machines: one line, at once."""
    facts = {"url": started.page, "address": started.url, "projects": started.prompts}
    told = {"schema": 1, **facts, "backbone": started.backbone}
    put_out(json.dumps(told, allow_nan=False) + "\n")


def lines(started: Started) -> list[str]:
    """The address first, which people are to open."""
    return [
        f"the page is at {started.page}",
        "  its token lets in whoever has it, until this ends",
        f"projects are kept in {started.prompts}",
        f"backbone {started.backbone['name']} ({started.backbone['device']})",
        "end: Ctrl-C",
    ]
