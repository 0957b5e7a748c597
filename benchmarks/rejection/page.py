"""The tables of docs/results/rejection.md, from the committed rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.rejection.rules import CHOSEN, RULES

Row = Mapping[str, Any]
NAMES = (*(rule.name for rule in RULES), CHOSEN)
STORES = {rule.name: rule.stores for rule in RULES} | {CHOSEN: "a bit for each number of a mean"}
SCORES = {
    "auroc_near": "AUROC near",
    "false_at_95_near": "in at 95 near",
    "auroc_far": "AUROC far",
    "false_at_95_far": "in at 95 far",
}
LEARNED = {"accepted": "accepted", "false_near": "in near", "false_far": "in far"}
"""Of the threshold that was learned from the images that taught."""


def page(result: Row) -> str:
    """All tables, each under its heading."""
    rows = result["rows"]
    rules = [row for row in rows if row["table"] == "rules"]
    parts = []
    for embedded, title in ((False, "Photographs"), (True, "The embedded suite")):
        own = [row for row in rules if row["bed"].startswith("mini") is embedded]
        if own:
            parts.append(f"## {title}: every rule\n\n{_rules(own, result['settings']['chosen'])}")
    parts.append(f"## By method: in at 95 %, near / far\n\n{_by_method(rules)}")
    images = [row for row in rows if row["table"] == "images"]
    all_of_them = [row for row in images if row["shots"] == result["settings"]["shots"]]
    parts.append(f"## The chosen rule, by data set\n\n{_by_bed(all_of_them)}")
    parts.append(f"## How many images\n\n{_images(images)}")
    parts.append(f"## Other names\n\n{_names(rows)}")
    return "\n\n".join(parts) + "\n"


def _rules(rows: Sequence[Row], chosen: Mapping[str, Sequence[float]]) -> str:
    def cells(name: str) -> list[str]:
        setting = ", ".join(f"{number:g}" for number in chosen.get(name, ()))
        own = [row for row in rows if row["rule"] == name]
        return [name, setting, STORES[name], *(_mean(own, score) for score in SCORES)]

    return _table(("rule", "setting", "stores", *SCORES.values()), [cells(name) for name in NAMES], 3)


def _by_method(rows: Sequence[Row]) -> str:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    beds = [(False, "photographs"), (True, "embedded")]
    lines = []
    for name in NAMES:
        for embedded, title in beds:
            own = [r for r in rows if r["rule"] == name and r["bed"].startswith("mini") is embedded]
            if own:
                lines.append([name, title, *(_pair([r for r in own if r["method"] == m]) for m in methods)])
    return _table(("rule", "images", *methods), lines, 2)


def _pair(rows: Sequence[Row]) -> str:
    return f"{_mean(rows, 'false_at_95_near')} / {_mean(rows, 'false_at_95_far')}"


def _by_bed(rows: Sequence[Row]) -> str:
    lines, both = [], SCORES | LEARNED
    for bed in dict.fromkeys(row["bed"] for row in rows):
        own = [row for row in rows if row["bed"] == bed]
        lines.append([bed, str(own[0]["taught"]), *(_mean(own, score) for score in both)])
    return _table(("data set", "taught", *both.values()), lines, 1)


def _images(rows: Sequence[Row]) -> str:
    lines = []
    for embedded, title in ((False, "photographs"), (True, "embedded")):
        for shots in dict.fromkeys(row["shots"] for row in rows):
            own = [r for r in rows if r["shots"] == shots and r["bed"].startswith("mini") is embedded]
            if own:
                spread = f"{min(r['accepted'] for r in own):.0f} to {max(r['accepted'] for r in own):.0f}"
                lines.append([title, str(shots), *(_mean(own, score) for score in LEARNED), spread])
    return _table(("images", "a class", *LEARNED.values(), "accepted, least to most"), lines, 2)


def _names(rows: Sequence[Row]) -> str:
    lines = []
    for embedded, title in ((False, "photographs"), (True, "embedded")):
        own = [r for r in rows if r["bed"].startswith("mini") is embedded]
        part = [r for r in own if r["table"] == "part of the names"]
        if part:
            scores = ("accepted", "false_other_half", "false_near", "false_far")
            lines.append([title, "half of the taught", CHOSEN, *(_mean(part, score) for score in scores)])
        others = [r for r in own if r["table"] == "other names"]
        for rule in dict.fromkeys(r["rule"] for r in others):
            found = [r for r in others if r["rule"] == rule]
            spread = f"{_mean(found, 'accepted')} ({_edge(found, min)} to {_edge(found, max)})"
            lines.append([title, "never taught", rule, spread, "", "", ""])
    head = ("images", "names asked for", "rule", "accepted", "in, other taught", "in near", "in far")
    return _table(head, lines, 3)


def _edge(rows: Sequence[Row], which: Callable[..., float]) -> str:
    return f"{which(row['accepted'] for row in rows):.0f}"


def _mean(rows: Sequence[Row], score: str) -> str:
    return f"{np.mean([row[score] for row in rows]):.1f}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], texts: int) -> str:
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))
