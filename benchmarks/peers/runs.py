"""What is run on each bed, and the pack of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.beds import finished, run_and_tell
from promptlet import open_bench
from promptlet.protocols.planning import Settings
from promptlet.protocols.records.packing import write_pack

HALVES, FEW = "all-names", "few-shot"
ON_FEATURES = (
    "zero_shot",
    "clip_adapter",
    "tip_adapter",
    "tip_adapter_f",
    "gda",
    "zs_lp",
    "clap",
    "lp_pp",
    "prolip",
    "prolip:r=4",
)
IN_TEXT = ("coop", "kgcoop", "dekg", "rlp")
IN_WEIGHTS = ("two_sfs", "clip_svd")
"""They change a CLIP of transformers: of the beds the embedded suite alone has one. A run takes a minute."""
CURVES = ("zero_shot", "linear_probe", *ON_FEATURES[2:9])
SHOTS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Part:
    """Runs with one backbone: ``datasets`` x ``methods`` x ``shots`` x ``seeds``."""

    protocol: str
    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    shots: tuple[int, ...] = (16,)
    seeds: tuple[int, ...] = (1, 2, 3)


def _parts(*names: str, in_text: tuple[str, ...] = IN_TEXT) -> tuple[Part, ...]:
    return (
        Part(HALVES, names, (*ON_FEATURES, *in_text)),
        Part(FEW, names, CURVES, SHOTS),
    )


PARTS: dict[str, tuple[Part, ...]] = {
    "clip": _parts("caltech101_vitb16_with_text", in_text=()),
    "realbed": _parts("caltech101"),
    "realclip": _parts("caltech101", "oxford_pets", "ucf101"),
    "mini": (*_parts("mini"), Part(HALVES, ("mini",), IN_WEIGHTS, seeds=(1,))),
}


def run(bed: str, folder: Path | None, work: Path, only: Sequence[str]) -> int:
    """Make what is missing; 1 where a run failed."""
    failed = 0
    for part in PARTS[bed]:
        methods = [name for name in part.methods if not only or name in only]
        if not methods:
            continue
        sources, backbone = _where(bed, folder, part.datasets)
        bench = open_bench(
            sources,
            ",".join(methods),
            protocol=part.protocol,
            backbone=backbone,
            shots=part.shots,
            seeds=part.seeds,
            settings=Settings("fast"),
            out=work / bed,
            device="cpu",
        )
        failed += run_and_tell(bench, f"{bed} {part.protocol}")
    return int(failed > 0)


def _where(bed: str, folder: Path | None, names: Sequence[str]) -> tuple[list[str], str]:
    """The data sets and the backbone."""
    if folder is None:
        return list(names), "mini"
    if bed == "clip":
        file = folder / f"{names[0]}.npz"
        return [str(file)], f"features:{file}"
    return [str(folder / "features" / f"{name}.npz") for name in names], str(folder / "model")


def pack(work: Path, out: Path) -> int:
    """The finished records of all runs, without their epochs and the digest of what was learned. Of the
    images, which CoOp's draws give again, the first for validation stays, where there was one."""
    records = [{**_short(record), **_relative(record)} for record in finished(work, PARTS)]
    write_pack(out, records)
    print(f"{out}: {len(records)} records, {out.stat().st_size:,} bytes")
    return 0


def _short(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in ("history", "trained")}
    return {**kept, "samples": None, "val_samples": (record.get("val_samples") or [])[:1]}


def _relative(record: Mapping[str, Any]) -> dict[str, Any]:
    """Places as they are told from here, of which a reader can make something."""
    backbone = record["backbone"]
    found: dict[str, Any] = {"backbone": {**backbone, "name": _from_here(backbone["name"])}}
    return found | ({"source": _from_here(record["source"])} if record.get("source") else {})


def _from_here(place: str) -> str:
    return os.path.relpath(place) if Path(place).is_absolute() else place
