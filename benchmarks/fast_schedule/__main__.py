"""How few text passes of the schedule ``fast`` give the same H: rows on validation problems, and their table.

    python -m benchmarks.fast_schedule search --method rlp --realbed DIR --realclip DIR --out F --recipes R
    python -m benchmarks.fast_schedule table --out benchmarks/results/fast-schedule.jsonl.gz

A recipe is JSON, as in '{"passes": 60, "lr": 0.03}' (`recipes.Recipe`); the old schedule is always run beside
it. Stages: ``search`` and ``confirm`` on validation images and classes, by the rule in `rule.py`; ``steady``,
the same images from several starts; ``test``, the last look, on test images and the real new classes: nothing
is chosen by it. Rows that are there are not made again. What came of it: docs/explanation/fast-schedule.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.fast_schedule.measure import measure
from benchmarks.fast_schedule.problems import STAGES, Draw, every_bed
from benchmarks.fast_schedule.recipes import Recipe, old_recipe, recipe_from
from benchmarks.fast_schedule.rule import Difference, difference
from benchmarks.rows import read_rows, write_rows

APART = ("recipe", "base", "apart", "H", "apart")
STEADY = tuple(range(101, 106))
HEAD = ("recipe", "passes", "H", "95 %", "real", "embedded", "worst bed", "base", "new, learned", "same")


def rows_of(stage: str, method: str, recipes: Iterable[Recipe], given: argparse.Namespace) -> None:
    """Make the rows that are missing, bed by bed; they are written after each bed."""
    rows = read_rows(given.out)
    there = {(*_key(row), row["recipe"]) for row in rows}
    starts: Sequence[int | None] = STEADY if stage == "steady" else (None,)
    draws = (Draw(16, 0, 13), Draw(8, 1, 14)) if stage == "steady" else STAGES[stage]
    wanted = list(dict.fromkeys((old_recipe(method), *recipes)))
    for bed in every_bed(given.realbed, given.realclip, given.only):
        for draw in draws:
            for recipe in wanted:
                for start in starts:
                    seed = draw.seed if start is None else start
                    if (stage, bed.name, *draw, seed, method, recipe.told()) not in there:
                        rows.append({"stage": stage, **measure(method, recipe, bed, draw, start)})
        write_rows(given.out, rows)
        print(bed.name, len(rows), flush=True)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("stage", "bed", "shots", "fold", "seed", "start", "method"))


def table(rows: Sequence[Mapping[str, Any]], stage: str, method: str) -> str:
    """Differences to the old schedule as Markdown, the best H on real images first."""
    own = [row for row in rows if row["stage"] == stage and row["method"] == method]
    usual = old_recipe(method).told()
    by_recipe: dict[str, list[Mapping[str, Any]]] = {}
    for row in own:
        by_recipe.setdefault(row["recipe"], []).append(row)
    found = [
        (told, difference(their, by_recipe[usual])) for told, their in by_recipe.items() if told != usual
    ]
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line(_cells(told, one)) for told, one in sorted(found, key=lambda pair: -pair[1].real)]
    return "\n".join(lines)


def spread(rows: Sequence[Mapping[str, Any]], method: str) -> str:
    """How far starts lie apart on the same images, as Markdown: standard deviations, means over problems."""
    problems: dict[tuple[str, Any], list[Mapping[str, Any]]] = {}
    for row in rows:
        if (row["stage"], row["method"]) == ("steady", method):
            problem = tuple(row[name] for name in ("bed", "shots", "fold", "seed"))
            problems.setdefault((row["recipe"], problem), []).append(row)
    lines = [_line(APART), _line(["---"] * len(APART))]
    for told in dict.fromkeys(recipe for recipe, _ in problems):
        own = [group for (recipe, _), group in problems.items() if recipe == told]
        apart = [fmean(stdev([row[name] for row in group]) for group in own) for name in ("base", "H")]
        means = [fmean(row[name] for group in own for row in group) for name in ("base", "H")]
        lines.append(_line([told, *(f"{value:.2f}" for value in (means[0], apart[0], means[1], apart[1]))]))
    return "\n".join(lines)


def _cells(told: str, one: Difference) -> list[str]:
    return [
        told,
        f"{one.passes[0]:.0f}",
        f"{one.H:+.2f}",
        f"{one.low:+.2f} to {one.high:+.2f}",
        f"{one.real:+.2f}",
        "" if math.isnan(one.embedded) else f"{one.embedded:+.2f}",
        f"{one.worst[0]} {one.worst[1]:+.1f}",
        f"{one.base:+.2f}",
        f"{one.learned:+.2f}",
        "yes" if one.is_same else "no",
    ]


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the rows that are missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=[*STAGES, "steady", "table"])
    parser.add_argument("--recipes", nargs="*", default=[], metavar="JSON")
    parser.add_argument("--method", default="rlp", help="with its options after a colon")
    parser.add_argument("--realbed", type=Path)
    parser.add_argument("--realclip", type=Path)
    parser.add_argument("--only", default="", help="beds whose name begins with this")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.stage != "table":
        rows_of(given.stage, given.method, [recipe_from(text) for text in given.recipes], given)
    rows = read_rows(given.out)
    for stage, method in dict.fromkeys((row["stage"], row["method"]) for row in rows):
        if given.stage == "table" or (given.stage, given.method) == (stage, method):
            print(f"\n{stage}, {method}\n\n{table(rows, stage, method)}")
            if stage == "steady":
                print(f"\n{spread(rows, method)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
