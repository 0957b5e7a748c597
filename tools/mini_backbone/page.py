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
    """The Markdown table of `promptlet bench report`."""
    from promptlet.protocols import RunStore
    from promptlet.report import render, summarise

    return render(summarise(RunStore(folder))).splitlines()


if __name__ == "__main__":
    print("\n".join(zero_shot_lines(json.loads(LOG.read_text()))))
    for argument in sys.argv[1:]:
        print("\n".join(["", *run_lines(Path(argument))]))
