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

import sys

from benchmarks.beds import command
from benchmarks.peers.page import page
from benchmarks.peers.runs import PARTS, pack, run

if __name__ == "__main__":
    sys.exit(command(__doc__, PARTS, run, pack, page, only="methods"))
