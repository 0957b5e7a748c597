"""Zero-shot accuracy of every candidate, and which are chosen by it; a minute or two on two cores.

    python -m benchmarks.mini_candidates --out benchmarks/results

No method of learning is run here, and none was run on a candidate before the choice was committed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tools.mini_backbone.evaluate import zero_shot_row

from benchmarks import machine, report
from benchmarks.mini_candidates.choice import ALL, CENTRE, HALF, OF_EACH_KIND, choose, eligible
from benchmarks.mini_candidates.classes import CLASS_LISTS
from benchmarks.mini_candidates.looks import KEEP_COLOURS, LOOKS
from promptlet.backbones import load_backbone
from promptlet.mini.datasets import GENERAL, VERSION, MiniDataset
from promptlet.mini.families import FAMILIES

COLOURED = ("creatures", "vehicles", "flowers", "plates", "flags")
"""Families whose class names speak of colours: only looks that keep these are tried on them."""


@dataclass(frozen=True, eq=False)
class Worded(MiniDataset):
    """A data set with a hand-written prompt of its own, where its names do not fit that of the family."""

    wording: str = ""

    @property
    def template(self) -> str:
        return self.wording


def candidates() -> Iterator[tuple[dict[str, str], MiniDataset]]:
    """(kind, family and change; the data set): every class list, every look on every family that it suits."""
    for name, (family, template, classes) in CLASS_LISTS.items():
        drawer = GENERAL if family == "general" else FAMILIES[family]
        facts = {"kind": "classes", "family": family, "change": name}
        yield facts, Worded(f"mini-{name}", drawer, classes=classes, wording=template)
    for family, drawer in FAMILIES.items():
        for look, style in LOOKS.items():
            if look in KEEP_COLOURS or family not in COLOURED:
                if look == "far" and drawer.FULL_FRAME:
                    continue  # it has no size
                facts = {"kind": "look", "family": family, "change": look}
                yield facts, MiniDataset(f"mini-{family}-{look}", drawer, style)


def measure() -> list[dict[str, Any]]:
    """One row per candidate: its accuracies, and whether they leave room."""
    backbone = load_backbone("mini", device="cpu")
    rows = []
    for facts, dataset in candidates():
        row = {**zero_shot_row(backbone, dataset), **facts, "template": dataset.template}
        rows.append({**row, "eligible": eligible(row)})
        print(
            *(rows[-1][key] for key in ("dataset", "classes", "all", "base", "new", "eligible")), flush=True
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mini_candidates", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the JSON file; not given: print")
    out = parser.parse_args().out
    rows = measure()
    chosen = choose(rows)
    print("chosen:", ", ".join(chosen))
    if out is not None:
        rule = {"all": ALL, "base and new": HALF, "centre": CENTRE, "of each kind": OF_EACH_KIND}
        found = {
            "benchmark": "mini_candidates",
            "schema": report.SCHEMA,
            "machine": machine.describe("cpu"),
            "date": datetime.now(timezone.utc).date().isoformat(),
            "settings": {"backbone": "mini", "world_version": VERSION, **rule},
            "chosen": chosen,
            "rows": rows,
        }
        print(report.write(out, found))


if __name__ == "__main__":
    main()
