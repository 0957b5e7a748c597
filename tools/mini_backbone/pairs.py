"""The pictures and captions that the mini backbone learns from: any spec of any family, in "web" style."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from promptlet.mini.datasets import MINI_DATASETS
from promptlet.mini.pen import SIZE
from promptlet.mini.scene import STYLES, picture
from promptlet.rng import generator
from tools.mini_backbone.captions import framed

CAPTIONS = 4
"""Written for each picture; one of them is read at a time."""
BLOCK = 500


def render(folder: Path, count: int, workers: int) -> None:
    """``pixels.npy`` (count, 64, 64, 3) uint8 and ``pairs.json`` [[key, [captions]], ...] in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(
        folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=(count, SIZE, SIZE, 3)
    )
    texts: list[tuple[str, list[str]]] = []
    starts = range(0, count, BLOCK)
    with ProcessPoolExecutor(workers) as pool:
        for start, (block, written) in zip(starts, pool.map(_block, starts), strict=True):
            rows = min(BLOCK, count - start)
            pixels[start : start + rows] = block[:rows]
            texts += written[:rows]
    pixels.flush()
    (folder / "pairs.json").write_text(json.dumps(texts))


def _block(start: int) -> tuple[np.ndarray, list[tuple[str, list[str]]]]:
    pixels = np.empty((BLOCK, SIZE, SIZE, 3), np.uint8)
    texts = []
    for i in range(BLOCK):
        image, text = pair(start + i)
        pixels[i] = image
        texts.append(text)
    return pixels, texts


def pair(number: int) -> tuple[np.ndarray, tuple[str, list[str]]]:
    """Picture ``number`` of the pairs, and (what it shows, its captions)."""
    rng = generator("mini/pairs", number)
    families = [dataset.family for dataset in MINI_DATASETS.values()]
    family = families[int(rng.integers(len(families)))]
    spec = family.sample(rng)
    image = np.asarray(picture(family, spec, rng, STYLES["web"]))
    captions = [framed(family.caption(spec, rng), rng) for _ in range(CAPTIONS)]
    return image, (f"{type(spec).__name__}{spec}", captions)
