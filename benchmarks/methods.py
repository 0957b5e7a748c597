"""Every method, base-to-new, each in a process of its own: accuracies, learned numbers, seconds, memory.

    python -m benchmarks.methods text --datasets caltech101.npz --backbone FOLDER --out RESULTS
    python -m benchmarks.methods image --datasets mini --backbone mini --out RESULTS
    python -m benchmarks.methods text --table --out RESULTS      # only the table of what is there

``text`` runs what reads features (text-side prompts, adapters), ``image`` what changes the image tower, next
to zero-shot, CoOp and RLP. Schedule ``adamw``, 16 shots, seeds 1 to 3, one thread. What was run is kept:
an interrupted call goes on. Memory is the most that the process had: interpreter, torch and model are in it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from promptlet.protocols import RunStore
from promptlet.report import summarise
from promptlet.report.statistics.chosen import marked

TEXT = (
    "zero_shot",
    "zero_shot_ensemble",
    "coop",
    "coop:class_token_position=middle",
    "coop:class_token_position=front",
    "rlp",
    "kgcoop",
    "kgcoop:rank=1",
    "prograd",
    "prograd:rank=1",
    "dip_do",
    "dip_pp",
    "qcoop",
    "qcoop:rank=1",
    "qcoop:bits=4",
    "cocoop",
    "clip_adapter",
    "tip_adapter",
    "tip_adapter_f",
)
IMAGE = (
    "zero_shot",
    "zero_shot_ensemble",
    "coop",
    "rlp",
    "vpt",
    "ivlp",
    "ivlp:rank=1",
    "maple",
    "maple:rank=1",
    "promptsrc",
    "promptsrc:rank=1",
    "mmlop",
    "clip_lora",
    "clip_svd",
    "two_sfs",
)
GROUPS = {"text": TEXT, "image": IMAGE}
HEAD = ("method", "base", "new", "H", "numbers", "bytes", "seconds", "MiB")


def run(method: str, datasets: str, backbone: str, out: Path) -> int:
    """All runs of one method in a fresh process; its exit status."""
    words = [
        "--schedule",
        "adamw",
        "--datasets",
        datasets,
        "--backbone",
        backbone,
        "--methods",
        method,
        "--out",
        str(out),
    ]
    command = [sys.executable, "-m", "promptlet", "bench", "run", *words]
    return subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode


def table(out: Path) -> str:
    """A Markdown table of the averages over data sets (of the one data set, where there is one)."""
    summary = summarise(RunStore(out))
    averaged = [row for row in summary.rows if row["dataset"] == "average"]
    rows = [_line(HEAD), _line(["---"] * len(HEAD))]
    for row in averaged or summary.rows:
        numbers = (f"{row['base']:.1f}", f"{row['new']:.1f}", f"{row['H']:.1f}", f"{row['trainable']:,}")
        costs = (f"{row['file_bytes']:,}", f"{row['seconds']:.1f}", f"{row['peak_memory'] / 2**20:,.0f}")
        rows.append(_line([marked(row["label"], row["chosen"]).replace("|", "/"), *numbers, *costs]))
    return "\n".join(rows)


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one group of methods and print its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--datasets", help="as of promptlet bench run")
    parser.add_argument("--backbone", help="as of promptlet bench run")
    parser.add_argument("--out", type=Path, required=True, help="the folder of results")
    parser.add_argument("--methods", nargs="*", help="these instead of the whole group")
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    options = parser.parse_args(arguments)
    failed = 0
    if not options.table:
        if not (options.datasets and options.backbone):
            parser.error("give --datasets and --backbone, or --table")
        for method in options.methods or GROUPS[options.group]:
            failed |= run(method, options.datasets, options.backbone, options.out)
    print(table(options.out))
    return failed


if __name__ == "__main__":
    sys.exit(main())
