"""``python -m benchmarks [NAME ...]``: run benchmarks, print their tables, write their JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import torch

from benchmarks import (
    augmentation,
    check,
    chunks,
    cocoop_step,
    engines,
    export,
    image_encoding,
    image_step,
    machine,
    memory,
    own_images,
    precision,
    reduced_decoding,
    report,
    start,
    text_step,
    without_torch,
)
from benchmarks.fit import whole as fit
from benchmarks.many_classes import fits, sampled
from benchmarks.search import whole as search
from benchmarks.serve import prompts as serve_prompts
from benchmarks.serve import throughput as serve
from benchmarks.serve.cluster import scenes as serve_ray
from benchmarks.teach import whole as teach

BENCHMARKS = {
    "text-step": text_step,
    "memory": memory,
    "chunks": chunks,
    "cocoop-step": cocoop_step,
    "image-step": image_step,
    "precision": precision,
    "image-encoding": image_encoding,
    "reduced-decoding": reduced_decoding,
    "engines": engines,
    "export": export,
    "own-images": own_images,
    "augmentation": augmentation,
    "check": check,
    "fit": fit,
    "many-classes": fits,
    "sampled-classes": sampled,
    "search": search,
    "start": start,
    "without-torch": without_torch,
    "serve": serve,
    "serve-prompts": serve_prompts,
    "serve-ray": serve_ray,
    "teach": teach,
}
RESULTS = Path("benchmarks/results")
EXAMPLE = "example: python -m benchmarks text-step --out benchmarks/results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; without names, everything."""
    options = _parser().parse_args(arguments)
    on_gpu = options.device.startswith("cuda")
    out = options.out or (None if options.quick else RESULTS / "gpu" if on_gpu else RESULTS)
    if on_gpu and not torch.cuda.is_available():
        print(f"--device {options.device}: this torch sees no CUDA device; give cpu", file=sys.stderr)
        return 1
    if options.quick:
        torch.set_num_threads(1)  # tiny products gain nothing from more, and lose much where cores are shared
    for name in options.names or BENCHMARKS:
        module = BENCHMARKS[name]
        print(f"{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        more = {"whole": True} if options.whole and module is fits else {}
        settings, rows = module.run(options.device, options.quick, _progress, **more)
        result = {
            "benchmark": name,
            "schema": report.SCHEMA,
            "machine": machine.describe(options.device),
            "date": datetime.now(timezone.utc).date().isoformat(),
            "settings": {"device": options.device, "quick": options.quick, **settings},
            "rows": rows,
        }
        if out is not None:
            print(f"written: {report.write(out, result)}")
        print(report.table(module.COLUMNS, rows))
        print()
    return 0


def _progress(message: str) -> None:
    print(f"  {message}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=_names())
    parser.add_argument(
        "--out", type=Path, help=f"folder of the JSON files (default {RESULTS}; of a card {RESULTS}/gpu)"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument(
        "--quick", action="store_true", help="tiny models, seconds; writes nothing without --out"
    )
    parser.add_argument(
        "--whole", action="store_true", help="many-classes: all epochs of 1,000 classes, minutes more"
    )
    return parser


def _names() -> str:
    return f"any of {', '.join(BENCHMARKS)}; all without"


if __name__ == "__main__":
    sys.exit(main())
