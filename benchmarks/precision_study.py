"""What products in bfloat16 do to accuracy: base, new and H of the same runs in float32 and in ``mixed``.

    python -m benchmarks.precision_study --realbed DIR --realclip DIR --work DIR \
        --out benchmarks/results/precision-study.json

Base-to-new, 16 shots, seeds 1 to 3. Photos of Caltech101 pass through the image tower of the real-image test
bed in both precisions; with the features of a real CLIP there are only texts to encode; four of the embedded
sets are drawn and encoded by ``mini``. All these towers are too small for ``auto``, which would leave them in
float32: ``mixed`` is asked for by name. Runs that lie in the work folder are taken from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import machine, report
from promptlet import open_bench
from promptlet.protocols.planning import Settings

METHODS = ("zero_shot", "coop", "rlp")
SEEDS = (1, 2, 3)
SHOTS = 16
DTYPES = ("float32", "mixed")
MINI = ("mini-flowers", "mini-vehicles", "mini-flags", "mini-land")
NUMBERS = ("base", "new", "H")


@dataclass(frozen=True)
class Bed:
    """Where pictures, or their features, come from, and what encodes the rest."""

    name: str
    datasets: tuple[str, ...]
    backbone: str
    root: Path | None = None


def beds(realbed: Path | None, realclip: Path | None) -> Iterator[Bed]:
    """Those that are there."""
    yield Bed("mini", MINI, "mini")
    if realbed is not None:
        yield Bed("realbed photos", ("caltech101",), str(realbed / "model"), realbed / "data")
    if realclip is not None:
        features = str(realclip / "features" / "caltech101.npz")
        yield Bed("realclip features", (features,), str(realclip / "model"))


def run(bed: Bed, dtype: str, work: Path, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each run. Raises RuntimeError where one failed."""
    bench = open_bench(
        list(bed.datasets),
        ",".join(METHODS),
        root=bed.root,
        backbone=bed.backbone,
        shots=SHOTS,
        seeds=seeds,
        settings=Settings("adamw"),
        out=work / bed.name.replace(" ", "-") / dtype,
        cache=work / "cache",
        device="cpu",
        dtype=dtype,
    )
    outcome = bench.run()
    if not outcome.is_whole:
        raise RuntimeError(f"{bed.name}, {dtype}: {outcome.failed or outcome.refused}")
    return [
        {
            "bed": bed.name,
            "dataset": record["dataset"],
            "method": record["method"],
            "seed": record["seed"],
            "dtype": record["dtype"],
            "fingerprint": record["fingerprint"],
            **{name: record[name] for name in NUMBERS},
        }
        for record in outcome.records
    ]


def compared(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over seeds of each data set and method, in both precisions, and the largest difference of one
    run."""
    found = []
    places = dict.fromkeys((row["bed"], row["dataset"], row["method"]) for row in rows)
    for bed, dataset, method in places:
        own = [row for row in rows if (row["bed"], row["dataset"], row["method"]) == (bed, dataset, method)]
        by = {dtype: {r["seed"]: r for r in own if r["dtype"] == dtype} for dtype in DTYPES}
        exact, mixed = by["float32"], by["mixed"]
        line: dict[str, Any] = {"bed": bed, "dataset": dataset, "method": method, "seeds": len(exact)}
        for name in NUMBERS:
            line[name] = mean(one[name] for one in exact.values())
            line[f"{name}_mixed"] = mean(one[name] for one in mixed.values())
        line["largest_difference"] = max(
            abs(mixed[seed][name] - exact[seed][name]) for seed in exact for name in NUMBERS
        )
        line["same_fingerprint"] = len({one["fingerprint"] for one in own}) == 1
        found.append(line)
    return found


COLUMNS = (
    ("bed", "bed", "s"),
    ("dataset", "data set", "s"),
    ("method", "method", "s"),
    ("seeds", "seeds", "d"),
    *((key, title, ".2f") for name in NUMBERS for key, title in ((name, name), (f"{name}_mixed", "mixed"))),
    ("largest_difference", "largest difference of a run", ".2f"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--realbed", type=Path)
    parser.add_argument("--realclip", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="a .json file")
    parser.add_argument("--quick", action="store_true", help="one seed, only what is drawn")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    chosen = list(beds(None, None) if given.quick else beds(given.realbed, given.realclip))
    rows = []
    for bed in chosen:
        for dtype in DTYPES:
            print(f"{bed.name}, {dtype}", flush=True)
            rows += run(bed, dtype, given.work, SEEDS[:1] if given.quick else SEEDS)
    table = compared(rows)
    print(report.table(COLUMNS, table))
    if given.out is not None:
        result = {
            "benchmark": given.out.stem,
            "schema": report.SCHEMA,
            "machine": machine.describe("cpu"),
            "date": datetime.now(timezone.utc).date().isoformat(),
            "settings": {"shots": SHOTS, "seeds": SEEDS, "methods": METHODS, "protocol": "base-to-new"},
            "rows": table,
            "runs": rows,
        }
        print(f"written: {report.write(given.out.parent, result)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
