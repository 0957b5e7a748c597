"""The tables of docs/mini.md: ``python -m tools.mini_backbone.page [RUNS]`` reads the log and stored runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from promptlet.mini.names import MINI_NAMES, MIRRORS

LOG = Path(__file__).parent / "log.json"


def zero_shot_lines(log: dict[str, Any]) -> list[str]:
    """A Markdown row per data set, and the mean of the eleven."""
    rows = log["zero_shot"]
    lines = ["| data set | in the place of | classes | all | base | new |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['dataset']} | {MIRRORS[row['dataset']]} | {row['classes']} | {_scores(row)} |"
        for row in rows
    ]
    eleven = [row for row in rows if row["dataset"] in MINI_NAMES]
    mean = {part: sum(row[part] for row in eleven) / len(eleven) for part in ("all", "base", "new")}
    return [*lines, f"| mean of the eleven | | | {_scores(mean)} |"]


def _scores(row: dict[str, Any]) -> str:
    return " | ".join(f"{row[part]:.1f}" for part in ("all", "base", "new"))


def run_lines(folder: Path) -> list[str]:
    """A Markdown row per data set and the average: base, new and H of the three methods."""
    from promptlet.protocols import RunStore
    from promptlet.report import summarise

    by_dataset: dict[str, dict[str, Any]] = {}
    for row in summarise(RunStore(folder)).rows:
        by_dataset.setdefault(row["dataset"], {})[row["method"]] = row
    lines = [
        "| data set | zero-shot base | new | H | CoOp base | new | H | RLP base | new | H |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in by_dataset.items():
        cells = [_means(rows[method]) for method in ("zero_shot", "coop", "rlp")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _means(row: dict[str, Any]) -> str:
    if not row["trainable"]:
        return f"{row['base']:.1f} | {row['new']:.1f} | {row['H']:.1f}"
    halves = [f"{row[half]:.1f} ± {row[f'{half}_std']:.1f}" for half in ("base", "new")]
    return f"{' | '.join(halves)} | {row['H']:.1f}"


if __name__ == "__main__":
    print("\n".join(zero_shot_lines(json.loads(LOG.read_text()))))
    for argument in sys.argv[1:]:
        print("\n".join(["", *run_lines(Path(argument))]))
