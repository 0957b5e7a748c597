"""``python -m benchmarks.gpu``: all that is measured on a card, in one process, in a few minutes.

Each part is written as soon as it is done. What a part could not do is told in its file and does not stop the
others. With ``--device cpu --quick`` it runs anywhere, on tiny models: a check of itself.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType

import torch

from benchmarks import chunks, cocoop_step, image_step, machine, report, text_step
from benchmarks.gpu import image_encode, imagenet_fit, rates

PARTS: dict[str, ModuleType] = {
    "rates": rates,
    "text-step": text_step,
    "imagenet-fit": imagenet_fit,
    "image-encode": image_encode,
    "chunks": chunks,
    "cocoop-step": cocoop_step,
    "image-step": image_step,
}
RESULTS = Path("benchmarks/results/gpu")
EXAMPLE = "example: python -m benchmarks.gpu --out benchmarks/results/gpu"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that were asked for; 1 where one of them failed."""
    options = _parser().parse_args(arguments)
    out = options.out or (None if options.quick else RESULTS)
    if machine.on_gpu(options.device) and not torch.cuda.is_available():
        print(f"--device {options.device}: this torch sees no CUDA device; give cpu", file=sys.stderr)
        return 1
    began, failed = time.monotonic(), []
    for name in options.parts or PARTS:
        if time.monotonic() - began > options.budget:
            print(f"{name}: left out, {options.budget} s are over", flush=True)
            continue
        if not _part(name, options.device, options.quick, out):
            failed.append(name)
    print(f"{time.monotonic() - began:.0f} s in all" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _part(name: str, device: str, quick: bool, out: Path | None) -> bool:
    """Whether it went through. Its file says so, or why not."""
    part, began = PARTS[name], time.monotonic()
    print(f"{name}: {(part.__doc__ or '').splitlines()[0]}", flush=True)
    result = {
        "benchmark": name,
        "schema": report.SCHEMA,
        "machine": machine.describe(device),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    try:
        settings, rows = part.run(device, quick, _progress)
    except Exception:  # a card is lent for minutes: what else can be measured is measured
        traceback.print_exc()
        result |= {"failed": traceback.format_exc().splitlines()[-8:]}
    else:
        result |= {"settings": {"device": device, "quick": quick, **settings}, "rows": rows}
        print(report.table(part.COLUMNS, rows))
    print(f"{time.monotonic() - began:.0f} s\n", flush=True)
    if out is not None:
        report.write(out, result)
    gc.collect()
    if machine.on_gpu(device):
        torch.cuda.empty_cache()
    return "failed" not in result


def _progress(message: str) -> None:
    print(f"  {message}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, help=f"folder of the JSON files (default {RESULTS})")
    parser.add_argument("--device", default="cuda", help="cuda (default), or cpu with --quick")
    parser.add_argument("--quick", action="store_true", help="tiny models; writes nothing without --out")
    parser.add_argument("--budget", type=float, default=240.0, help="seconds after which no part is begun")
    return parser


if __name__ == "__main__":
    sys.exit(main())
