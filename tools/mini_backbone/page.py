"""The tables of docs/explanation/mini.md, from the log and stored runs.

``python -m tools.mini_backbone.page [RUNS]``; RUNS: folders, or
packs, of base-to-new runs of zero-shot, CoOp and RLP.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from promptlet.mini.names import HARDER_NAMES, MINI_NAMES, MIRRORS

LOG = Path(__file__).parent / "log.json"
PROBE = Path(__file__).parents[2] / "benchmarks" / "results" / "mini-harder-probe.jsonl.gz"


def zero_shot_lines(log: dict[str, Any]) -> list[str]:
    """A Markdown row per data set of `MIRRORS`, and the mean of the eleven."""
    rows = [row for row in log["zero_shot"] if row["dataset"] in MIRRORS]
    lines = ["| data set | in the place of | classes | all | base | new |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['dataset']} | {MIRRORS[row['dataset']]} | {row['classes']} | {_scores(row)} |"
        for row in rows
    ]
    eleven = [row for row in rows if row["dataset"] in MINI_NAMES]
    return [*lines, f"| mean of the eleven | | | {_scores(_mean(eleven))} |"]


def harder_lines(log: dict[str, Any]) -> list[str]:
    """A Markdown row per data set of `HARDER_NAMES` with what a linear probe gets, and the mean."""
    from promptlet.protocols import RunStore
    from promptlet.report import summarise

    probed = {
        row["dataset"]: row for row in summarise(RunStore(PROBE)).rows if row["method"] == "linear_probe"
    }
    rows = [row for row in log["zero_shot"] if row["dataset"] in HARDER_NAMES]
    lines = [
        "| data set | what it shows | classes | all | base | new | all, linear probe |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = row["dataset"]
        about, probe = HARDER_NAMES[name].removeprefix("harder: "), probed[name]
        right = f"{probe['accuracy']:.1f} ± {probe['accuracy_std']:.1f}"
        lines.append(f"| {name} | {about} | {row['classes']} | {_scores(row)} | {right} |")
    right = f"{probed['average']['accuracy']:.1f}"
    return [*lines, f"| mean | | | {_scores(_mean(rows))} | {right} |"]


def _mean(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {part: sum(row[part] for row in rows) / len(rows) for part in ("all", "base", "new")}


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
    read = json.loads(LOG.read_text())
    print("\n".join([*zero_shot_lines(read), "", *harder_lines(read)]))
    for argument in sys.argv[1:]:
        print("\n".join(["", *run_lines(Path(argument))]))
