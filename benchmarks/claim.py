"""The claim, judged: half a thousand numbers beside classic prompt tuning, on every bed, with one setting.

    python -m benchmarks.claim run realbed --folder ../shared/realbed --work WORK
    python -m benchmarks.claim run realclip --folder ../shared/realclip --work WORK
    python -m benchmarks.claim run mini --work WORK
    python -m benchmarks.claim pack --work WORK --out benchmarks/results/claim.jsonl.gz
    python -m benchmarks.claim page --out benchmarks/results/claim.jsonl.gz

``run`` makes what is missing in the folder WORK, as `bench run --protocol all-names` does; it can be stopped.
``pack`` puts the finished records of all runs into one new pack. ``page`` prints the tables of
docs/results/claim.md from that file alone. Settings were chosen before, on other images (`rlp_defaults.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.beds import command, finished, run_and_tell
from benchmarks.claim_page import page
from promptlet import open_bench
from promptlet.protocols.planning import Settings
from promptlet.protocols.records.packing import write_pack

FIRST = "rlp:rank=1,dropout=0.3,v_rate=1,new_names=learned"
"""RLP as in version 0.1.0, which had 120 epochs."""
FAST = (
    "zero_shot",
    "coop",
    "coop:new_names=zero-shot",
    "kgcoop",
    "kgcoop:new_names=zero-shot",
    "prograd",
    "dip_do",
    "dip_pp",
    "rlp:rank=1,new_names=learned",
    "rlp:rank=1",
    "rlp:new_names=learned",
    "rlp:new_names=blend",
    "rlp",
    "rlp:rank=4,new_names=learned",
    "rlp:rank=4",
)
FEW = ("zero_shot", "coop", "coop:new_names=zero-shot", "kgcoop", "rlp:new_names=learned", "rlp")
NAMED = ("caltech101", "oxford_pets", "ucf101", "oxford_flowers")


@dataclass(frozen=True)
class Part:
    """Runs with one backbone: ``datasets`` x ``methods`` x ``seeds``."""

    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    schedule: str = "adamw"
    epochs: int | None = None
    shots: int = 16
    seeds: tuple[int, ...] = (1, 2, 3)


PARTS: dict[str, tuple[Part, ...]] = {
    "realbed": (
        Part(("caltech101", "tiny_imagenet"), FAST),
        Part(("caltech101", "tiny_imagenet"), (FIRST,), epochs=120),
        Part(("caltech101",), ("coop",), schedule="coop"),
        Part(("caltech101",), FEW, shots=8, seeds=(1, 2, 3, 4, 5)),
    ),
    "realclip": (
        Part(NAMED, FAST),
        Part(NAMED, (FIRST,), epochs=120),
        Part(NAMED, ("coop",), schedule="coop"),
        Part(NAMED[:3], FEW, shots=8, seeds=(1, 2, 3, 4, 5)),
        Part(("imagenet_heldout100",), FEW, shots=4),
    ),
    "mini": (
        Part(("mini", "mini-harder"), FAST),
        Part(("mini", "mini-harder"), (FIRST,), epochs=120),
    ),
}


def run(bed: str, folder: Path | None, work: Path, only: Sequence[str]) -> int:
    """Make what is missing; 1 where a run failed."""
    failed = 0
    for part in PARTS[bed]:
        names = [name for name in part.datasets if not only or name in only]
        if not names:
            continue
        sources = names if folder is None else [str(folder / "features" / f"{name}.npz") for name in names]
        bench = open_bench(
            sources,
            ",".join(part.methods),
            protocol="all-names",
            backbone="mini" if folder is None else str(folder / "model"),
            shots=part.shots,
            seeds=part.seeds,
            settings=Settings(part.schedule, epochs=part.epochs),
            out=work / bed,
            device="cpu",
        )
        failed += run_and_tell(bench, f"{bed} {', '.join(names)}")
    return int(failed > 0)


def pack(work: Path, out: Path) -> int:
    """The finished records of all runs; of their histories the last epoch."""
    records = [{**record, "history": record["history"][-1:]} for record in finished(work, PARTS)]
    write_pack(out, records)
    print(f"{out}: {len(records)} records, {out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(command(__doc__, PARTS, run, pack, page))
