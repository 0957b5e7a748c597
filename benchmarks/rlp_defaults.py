"""How RLP's settings and the rule for new names were chosen: on validation images and validation classes.

    python -m benchmarks.rlp_defaults --realbed DIR --realclip DIR --mini mini-harder --out FILE.jsonl.gz
    python -m benchmarks.rlp_defaults --table --rules learned zero-shot --out FILE.jsonl.gz

Each row is one training of one method by the library on one validation problem (`validation.py`), and what it
answers under every rule for names that were not taught: base and new each among their own names, and all at
once. Rows that are there are not made again. Seeds 11 and 12, which no reported result uses.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import read_rows, write_rows
from benchmarks.validation import FOLDS, Bed, Problem, beds
from promptlet.evaluation import accuracy, harmonic_mean, openworld_auc
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.new_names import answering_by
from promptlet.protocols.all_names import log_odds
from promptlet.protocols.planning import parse_methods
from promptlet.training import SCHEDULES, resolve_schedule, train

FIRST = "rank=1,dropout=0.3,v_rate=1"
"""RLP's factors as in version 0.1.0."""
METHODS_TRIED = (
    "zero_shot",
    "coop",
    "kgcoop",
    "prograd",
    f"rlp:{FIRST}@120",
    "rlp:rank=1",
    "rlp:rank=2",
    "rlp:rank=1,n_ctx=8,ctx_init=words",
    "rlp:rank=2,n_ctx=8,ctx_init=words",
    "rlp:rank=2,dropout=0.1",
    "rlp:rank=2@120",
    f"kgcoop:{FIRST}",
    "kgcoop:rank=2",
    f"prograd:{FIRST}",
    "prograd:rank=2",
)
"""Methods with their options; ``@120``: with as many epochs."""
SEEDS = (11, 12)
WEIGHTS = ("learned", "blend:0.3", "blend:0.5", "blend:0.7", "blend:0.85", "zero-shot")
HEAD = ("method", "numbers", "base", "new", "H", "all", "OpenworldAUC")


def measure(told: str, bed: Bed, fold: int, seed: int) -> dict[str, Any]:
    """Train once, answer under every rule; a row."""
    spec, _, epochs = told.partition("@")
    [(name, options)] = parse_methods(spec)
    problem = bed.problem(fold, seed)
    own = {"seed": seed} if "seed" in METHODS[name].info.options else {}
    method = build_method(name, bed.backbone, problem.taught, **options, **own)
    former = replace(SCHEDULES["fast"], **METHODS[name].info.fast)  # by AdamW, as when this was chosen
    schedule = resolve_schedule(former, epochs=int(epochs) if epochs else None)
    began = time.perf_counter()
    train(method, problem.x[None], problem.y, schedule, seed=seed)
    seconds = time.perf_counter() - began
    rules = WEIGHTS if method.new_names is not None else ("",)
    return {
        "bed": bed.name,
        "fold": fold,
        "seed": seed,
        "method": told,
        "numbers": method.trainable_count(),
        "seconds": round(seconds, 2),
        "rules": {rule: _under(rule, method, problem) for rule in rules},
    }


def _under(rule: str, method: Method, problem: Problem) -> dict[str, float]:
    if not rule:
        return _scores(method, problem)
    with answering_by(method, rule):
        return _scores(method, problem)


def _scores(method: Method, problem: Problem) -> dict[str, float]:
    """Percent: base and new among their own names, all images among all names, and OpenworldAUC."""
    labels, count = problem.val_y.numpy(), len(problem.taught)
    is_taught = labels < count
    base = _logits(method, problem.taught, problem, is_taught).argmax(1) == labels[is_taught]
    new = _logits(method, problem.new, problem, ~is_taught).argmax(1) == labels[~is_taught] - count
    every = _logits(method, problem.taught + problem.new, problem, np.ones_like(is_taught))
    score = log_odds(every, count)
    hits = every.argmax(1).numpy()
    return {
        "base": round(100.0 * float(base.mean()), 3),
        "new": round(100.0 * float(new.mean()), 3),
        "all": round(accuracy(hits, labels), 3),
        "openworld_auc": round(openworld_auc(score[is_taught], score[~is_taught], base, new), 3),
    }


def _logits(method: Method, names: Sequence[str], problem: Problem, rows: np.ndarray) -> Any:
    method.set_classes(names)
    found = method.scorer()(problem.val_x[rows]).cpu()
    return found if len(names) > len(problem.taught) else found.numpy()


def table(rows: Sequence[Mapping[str, Any]], rules: Sequence[str] = (*WEIGHTS, "")) -> str:
    """Means over beds (seeds and folds first) by method and rule, as Markdown."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        for rule in filter(rules.__contains__, own[0]["rules"]):
            means = [_mean_of(bed, own, rule) for bed in dict.fromkeys(row["bed"] for row in own)]
            shown = {name: float(np.mean([mean[name] for mean in means])) for name in means[0]}
            told = f"{method}, {rule}" if rule else method
            numbers = "/".join(map(str, sorted({row["numbers"] for row in own})))
            cells = [f"{shown[name]:.1f}" for name in ("base", "new", "H", "all", "openworld_auc")]
            lines.append(_line([told, numbers, *cells]))
    return "\n".join(lines)


def _mean_of(bed: str, rows: Iterable[Mapping[str, Any]], rule: str) -> dict[str, float]:
    found = [row["rules"][rule] for row in rows if row["bed"] == bed]
    means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return {**means, "H": harmonic_mean(means["base"], means["new"])}


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the rows that are missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--realbed", type=Path)
    parser.add_argument("--realclip", type=Path)
    parser.add_argument("--mini", help="embedded data sets, such as mini-harder")
    parser.add_argument("--methods", nargs="*", default=METHODS_TRIED)
    parser.add_argument("--only", help="beds whose name holds this")
    parser.add_argument("--rules", nargs="*", default=WEIGHTS, help="of the table")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    given = parser.parse_args(arguments)
    rows = read_rows(given.out)
    if not given.table:
        there = {(row["bed"], row["fold"], row["seed"], row["method"]) for row in rows}
        for bed in beds(given.realbed, given.realclip, given.mini):
            if given.only and given.only not in bed.name:
                continue
            wanted = [(told, fold, seed) for told in given.methods for fold in FOLDS for seed in SEEDS]
            missing = [one for one in wanted if (bed.name, one[1], one[2], one[0]) not in there]
            for told, fold, seed in missing:
                rows.append(measure(told, bed, fold, seed))
                print(rows[-1], flush=True)
            write_rows(given.out, rows)
    shown = [row for row in rows if row["method"] in given.methods and (given.only or "") in row["bed"]]
    print(table(shown, (*given.rules, "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
