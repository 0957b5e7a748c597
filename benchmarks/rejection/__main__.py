"""None of these: rules compared on classes never taught. Settings are chosen on validation classes.

python -m benchmarks.rejection --realbed FOLDER --realclip FOLDER    # to benchmarks/results/rejection.json
python -m benchmarks.rejection                                       # the embedded suite alone
python -m benchmarks.rejection --quick                               # a smoke run, writes nothing
python -m benchmarks.rejection --page                                # the tables of the committed results
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import machine, report
from benchmarks.rejection import measures
from benchmarks.rejection.page import page
from benchmarks.rejection.problems import SHOTS, TEST, VALIDATION, Problem, problems
from benchmarks.rejection.rules import CHOSEN, RULES, Rule, Setting

METHODS = ("zero_shot", "rlp", "coop", "linear_probe")
CHOICE_SEEDS, SEEDS = (1,), (1, 2, 3)
FEWER = (2, 4, 8, SHOTS)
RESULTS = Path("benchmarks/results")
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose settings, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--realbed", type=Path, help="with model/ and features/")
    parser.add_argument("--realclip", type=Path, help="the same")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of rejection.json")
    parser.add_argument("--quick", action="store_true", help="one embedded data set, one method")
    parser.add_argument("--page", action="store_true", help="print the tables of what is there")
    given = parser.parse_args(arguments)
    if given.page:
        print(page(json.loads((given.out / "rejection.json").read_text())), end="")
        return 0
    places = {"realbed": given.realbed, "realclip": given.realclip}
    folders = {name: path for name, path in places.items() if path is not None}
    began = time.perf_counter()
    result = measured(folders, given.quick)
    result["settings"]["seconds"] = time.perf_counter() - began
    print(page(result), end="")
    if not given.quick:
        print(f"written: {report.write(given.out, result)}")
    return 0


def measured(folders: Mapping[str, Path], quick: bool) -> Row:
    """All rows, of validation as means."""
    methods = METHODS[:1] if quick else METHODS
    tried = []
    for problem in problems(VALIDATION, CHOICE_SEEDS[:1] if quick else CHOICE_SEEDS, folders, quick):
        for method in methods:
            tried += _rows("rules", problem, method, measures.of_method(problem, method, _all))
    means, best = choice(tried)
    rows: list[Row] = []

    def fixed(rule: Rule) -> tuple[Setting, ...]:
        return (best[rule.name],)

    for problem in problems(TEST, SEEDS[:1] if quick else SEEDS, folders, quick):
        for method in methods:
            rows += _rows("rules", problem, method, measures.of_method(problem, method, fixed))
        few = ({"shots": shots, **measures.chosen(problem, shots)} for shots in FEWER)
        rows += _rows("images", problem, "", few)
        rows += _rows("other names", problem, "zero_shot", measures.of_other_names(problem, fixed))
        rows += _rows("part of the names", problem, "", [measures.of_part_of_the_names(problem)])
    return {
        "benchmark": "rejection",
        "schema": report.SCHEMA,
        "machine": machine.describe("cpu"),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "settings": {
            "shots": SHOTS,
            "seeds": list(SEEDS),
            "methods": list(methods),
            "chosen": {name: list(setting) for name, setting in best.items()},
            "chosen_rule": CHOSEN,
        },
        "validation": means,
        "rows": rows,
    }


def choice(tried: Sequence[Row]) -> tuple[list[Row], dict[str, Setting]]:
    """Means over beds, methods and seeds of each rule and setting, real and embedded beds weighing the same,
    and of each rule the setting that lets in the fewest."""
    means = []
    keys = dict.fromkeys((row["rule"], tuple(row["setting"])) for row in tried)
    for rule, setting in keys:
        own = [row for row in tried if (row["rule"], tuple(row["setting"])) == (rule, setting)]
        kinds = [
            [row for row in own if row["bed"].startswith("mini") is embedded] for embedded in (False, True)
        ]
        mean = {
            name: float(np.mean([np.mean([row[name] for row in kind]) for kind in kinds if kind]))
            for name in ("auroc_near", "auroc_far", "false_at_95_near", "false_at_95_far")
        }
        means.append({"rule": rule, "setting": list(setting), **mean})
    best = {}
    for one in RULES:
        own = [row for row in means if row["rule"] == one.name]
        found = min(own, key=lambda row: row["false_at_95_near"] + row["false_at_95_far"])
        best[one.name] = tuple(found["setting"])
    return means, best


def _all(rule: Rule) -> tuple[Setting, ...]:
    return rule.settings


def _rows(table: str, problem: Problem, method: str, found: Any) -> list[Row]:
    print(f"  {problem.part} {problem.bed} {problem.seed} {method} {table}", file=sys.stderr, flush=True)
    who = {"table": table, "bed": problem.bed, "seed": problem.seed, "method": method}
    who |= {"taught": len(problem.taught)}
    return [{**who, **_short(row)} for row in found]


def _short(row: Row) -> Row:
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
