"""What `promptlet serve` says once it listens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from promptlet.cli.shell import say
from promptlet.cli.streams import put_out

if TYPE_CHECKING:
    from promptlet.serve.start import Started

SHOWN = 5


def tell(started: Started) -> None:
    """For people."""
    for line in lines(started):
        say(line)


def tell_json(started: Started) -> None:
    """For machines: one line, at once."""
    put_out(json.dumps({"schema": 1, **started.facts()}, allow_nan=False) + "\n")


def lines(started: Started) -> list[str]:
    """What is served, where, how to ask."""
    backbone = started.backbone
    count = f"{started.ready:,} prompt{'' if started.ready == 1 else 's'}"
    there = count if started.ready else "no prompt yet (a file that comes is noticed)"
    told = [
        f"serving {there} of {started.prompts}",
        f"backbone {backbone['name']} ({backbone['fingerprint']}), {backbone['device']}, {backbone['dtype']}",
    ]
    if started.broken:
        told.append(f"not served: {len(started.broken):,}")
        told += [f"  {name}: {reason}" for name, reason in started.broken[:SHOWN]]
        if len(started.broken) > SHOWN:
            told.append(f"  ... and {len(started.broken) - SHOWN:,} more: {started.url}/v1/prompts")
    if started.engine == "ray":
        told.append("on a Ray cluster; the address is that of a front, and others listen at the same port")
    who = "for those with a token" if started.needs_token else "for this machine alone"
    if started.page:
        told.append(f"page: {started.page}")
    return [
        *told,
        f"at {started.url}, {who}",
        f"ask: {started.example}",
        f"metrics: {started.url}/metrics, addresses: {started.url}/openapi.json, end: Ctrl-C",
    ]
