"""Runs on several beds, each with a store of its own, and one pack of them all: `claim` and `peers`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from promptlet.protocols import RunStore
from promptlet.protocols.bench import Bench
from promptlet.protocols.records.packs import open_pack

Records = Sequence[dict[str, Any]]


def run_and_tell(bench: Bench, what: str) -> int:
    """Make what is missing, say so, and how many runs failed."""
    outcome = bench.run()
    print(f"{what}: {len(outcome.done)} run, {len(outcome.kept)} there", flush=True)
    for key, reason in outcome.failed.items():
        print(f"failed: {key}: {reason}", flush=True)
    return len(outcome.failed)


def finished(work: Path, beds: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The finished records below ``work``, each with its bed."""
    for bed in beds:
        if (work / bed).is_dir():
            for record in RunStore(work / bed).read_all()[0]:
                if record["status"] == "done":
                    yield {"bed": bed, **record}


def records_in(file: Path) -> list[dict[str, Any]]:
    """The records of such a pack, by bed."""
    packed = open_pack(file)
    return sorted(map(packed.record, packed.records), key=lambda record: (record["bed"], record["key"]))


def command(
    told: str | None,
    beds: Iterable[str],
    run: Callable[[str, Path | None, Path, Sequence[str]], int],
    pack: Callable[[Path, Path], int],
    page: Callable[[Records], str],
    arguments: Sequence[str] | None = None,
    only: str = "data sets",
) -> int:
    """The command line of such a benchmark. only: what ``--only`` names."""
    parser = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "pack", "page"))
    parser.add_argument("bed", nargs="?", choices=tuple(beds))
    parser.add_argument("--folder", type=Path, help="with model/ and features/")
    parser.add_argument("--work", type=Path, help="the folder of results")
    parser.add_argument("--only", nargs="*", default=(), help=only)
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
