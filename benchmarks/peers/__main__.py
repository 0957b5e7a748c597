"""Methods of 2021 to 2026 beside each other, half of the classes taught, and curves over the shots.

    python -m benchmarks.peers run clip --folder ../shared/realclip --work WORK
    python -m benchmarks.peers run realbed --folder ../shared/realbed --work WORK
    python -m benchmarks.peers run realclip --folder ../shared/realclip --work WORK
    python -m benchmarks.peers run mini --work WORK
    python -m benchmarks.peers pack --work WORK --out benchmarks/results/peers.jsonl.gz
    python -m benchmarks.peers page --out benchmarks/results/peers.jsonl.gz

``run`` makes what is missing in the folder WORK, as `promptlet bench run` does; it can be stopped. ``pack``
puts the finished records into one new pack. ``page`` prints the tables of docs/results/peers.md from that
file alone. Every method runs with its own `fast` schedule and defaults, the same on every bed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.page import page
from benchmarks.peers.runs import PARTS, pack, records_in, run


def main(arguments: Sequence[str] | None = None) -> int:
    """One of the commands above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("run", "pack", "page"))
    parser.add_argument("bed", nargs="?", choices=PARTS)
    parser.add_argument("--folder", type=Path, help="with features/ and model/")
    parser.add_argument("--work", type=Path, help="the folder of results")
    parser.add_argument("--only", nargs="*", default=(), help="methods")
    parser.add_argument("--out", type=Path, help="the pack")
    given = parser.parse_args(arguments)
    if given.command == "run" and given.bed and given.work:
        return run(given.bed, given.folder, given.work, given.only)
    if given.command == "pack" and given.work and given.out:
        return pack(given.work, given.out)
    if given.command == "page" and given.out:
        print(page(records_in(given.out)))
        return 0
    print("run needs a bed and --work, pack --work and --out, page --out", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
