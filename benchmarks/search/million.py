"""A million vectors drawn by chance: seconds and memory of a question, in a process of its own.

python -m benchmarks.search.million COUNT DTYPE CLASSES    # prints one line of JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from promptlet.search.file import FEATURE, Facts, Paths, Stored, read_index, write_index
from promptlet.search.question import Question
from promptlet.search.ranking import all_scores, best

DIM, ROWS, TIMES = 512, 50_000, 5


def measure(count: int, dtype: str, classes: int) -> dict[str, Any]:
    """Of ``count`` vectors as ``dtype`` and a question with so many classes: seconds, bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.index"
        began = time.perf_counter()
        features = _written(path, count, dtype)
        written = time.perf_counter() - began
        draw = np.random.default_rng(1)
        rows = _drawn(draw, classes)
        question = Question(rows[0], rows[1:], 100.0)
        held = machine.reset_peak("cpu")
        seconds = []
        for _ in range(TIMES):
            began = time.perf_counter()
            best(all_scores(features, question), 100)
            seconds.append(time.perf_counter() - began)
        peak = machine.peak_bytes("cpu")
    return {
        "write_s": written,
        "first_s": seconds[0],
        "median_s": float(np.median(seconds[1:])),
        "best_s": min(seconds),
        "file_bytes": count * DIM * np.dtype(dtype).itemsize,
        "peak_bytes": peak - held,
    }


def _drawn(draw: np.random.Generator, count: int) -> np.ndarray:
    rows = draw.standard_normal((count, DIM), dtype=np.float32)
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def _written(path: Path, count: int, dtype: str) -> Any:
    """Features on the disk, in an index or, as float32, as plain numbers."""
    draw = np.random.default_rng(0)
    blocks = (_drawn(draw, min(ROWS, count - start)) for start in range(0, count, ROWS))
    if np.dtype(dtype) == FEATURE:
        names = Paths.of(f"{row:07d}.jpg" for row in range(count))
        shape = np.broadcast_to(FEATURE.type(0), (count, DIM))
        facts = Facts("/photos", "none", "a-b-c", "c")
        stamps, contents = np.zeros((count, 2), "<i8"), np.zeros((count, 16), np.uint8)
        write_index(path, Stored(facts, names, stamps, contents, shape), (b.astype(FEATURE) for b in blocks))
        return read_index(path).features
    with path.open("wb") as file:
        for block in blocks:
            file.write(block.data)
    return np.memmap(path, dtype, "c", 0, (count, DIM))


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
