"""Reads hostile data inputs and judges what comes of it.

``python fuzz.py FOLDER COUNT`` reads COUNT inputs of every kind and prints what came of it as JSON, so that a
test can measure a process that does nothing else.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from damage import Draw, feature_files, known_sets, parquet_files, saved_folders, split_files, tables
from damage_pictures import pictures, trees
from one_view import augmented_view, preprocess
from PIL import Image

from promptlet.data import load_dataset, open_image
from promptlet.data.doctor import examine
from promptlet.errors import PromptletError
from promptlet.preprocessing.spec import ImageSpec

SPECS = (
    ImageSpec("shortest", (32, 32), (32, 32), 3, (0.5,) * 3, (0.5,) * 3),
    ImageSpec("exact", (32, 32), None, 2, (0.5,) * 3, (0.5,) * 3),
    ImageSpec("patches", (64, 64), None, 2, (0.5,) * 3, (0.5,) * 3, patch_size=16, max_patches=16),
)


def read_set(path: Path) -> None:
    load_dataset(path)


def read_known(root: Path) -> None:
    for name in ("oxford_flowers", "oxford_pets"):
        try:
            load_dataset(name, root)
        except PromptletError:
            continue


def read_picture(path: Path) -> None:
    image = open_image(path)
    for spec in SPECS:
        preprocess(image, spec)
        augmented_view(image, spec, "picture", 1)


def read_tree(root: Path) -> None:
    load_dataset(root)
    examine(str(root), open_images=True)


KINDS: dict[str, tuple[Callable[[Draw, Path], Iterator[Path]], Callable[[Path], None]]] = {
    "feature files": (feature_files, read_set),
    "split files": (split_files, read_set),
    "tables": (tables, read_set),
    "folders": (trees, read_tree),
    "pictures": (pictures, read_picture),
    "known data sets": (known_sets, read_known),
    "parquet": (parquet_files, read_set),
    "saved folders": (saved_folders, read_set),
}


def judge(kind: str, folder: Path, count: int, seed: int = 0) -> dict[str, Any]:
    """What came of ``count`` inputs of a kind: how many were read and refused, the slowest, faults."""
    make, read = KINDS[kind]
    folder.mkdir(parents=True)
    for i in range(6):
        Image.new("RGB", (9, 7), "red").save(folder / f"{i}.png")
    found: dict[str, Any] = {"read": 0, "refused": 0, "slowest": 0.0, "faults": []}
    paths = make(np.random.default_rng(seed), folder)
    for number in range(count):
        path = next(paths)
        start = time.perf_counter()
        try:
            read(path)
            found["read"] += 1
        except PromptletError as error:
            found["refused"] += 1
            if len(str(error)) > 20_000:
                found["faults"].append(f"{kind} {number}: a message of {len(str(error))} characters")
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            found["faults"].append(f"{kind} {number}: {error!r} in {at.filename}:{at.lineno}"[:400])
        found["slowest"] = max(found["slowest"], time.perf_counter() - start)
    return found


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    kinds = sys.argv[3:] or list(KINDS)
    warnings.simplefilter("ignore")  # Pillow's, of damaged tags
    judge(kinds[0], folder / "warm", 3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {kind: judge(kind, folder / kind, count, seed=1) for kind in kinds}
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"kinds": found, "megabytes": (after - before) / 1024}))


if __name__ == "__main__":
    main()
