"""Records of runs as one file: JSON Lines, sorted by key, gzip; the same records give the same bytes.

python -m benchmarks.packed runs FILE.jsonl.gz            # pack the records in a folder of results
python -m benchmarks.packed FILE.jsonl.gz runs --unpack   # lay them into a folder that `bench report` reads
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.rows import read_rows, write_rows
from promptlet.protocols import RunStore


def pack(folder: Path, file: Path) -> int:
    """Write every record in ``folder``; how many there are. Raises ValueError where one cannot be trusted."""
    records, problems = RunStore(folder).read_all()
    if problems or not records:
        raise ValueError("\n".join(problems) or f"{folder}: there are no records")
    write_rows(file, sorted(records, key=lambda one: one["key"]))
    return len(records)


def unpack(file: Path, folder: Path) -> int:
    """Lay every record into ``folder``; how many there are."""
    store = RunStore(folder)
    records = read_rows(file)
    for record in records:
        store.write(record["key"], record)
    return len(records)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--unpack", action="store_true", help="source is the file, target the folder")
    options = parser.parse_args()
    count = (unpack if options.unpack else pack)(options.source, options.target)
    print(f"wrote {count} records to {options.target}")


if __name__ == "__main__":
    main()
