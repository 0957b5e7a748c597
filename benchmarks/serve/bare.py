"""What a server has to be measured against: the same JPEG files to features, with no server, in a process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from benchmarks.serve import material
from promptlet.backbones import load_backbone
from promptlet.features import BATCH, encode_images

ROUNDS_OF_ONE = 30


def measure(
    backbone: str, dtype: str, device: str, width: int, height: int, seconds: float
) -> dict[str, float | str]:
    """Images a second of the bare tower, of decoding and encoding side by side; milliseconds of one image."""
    given = load_backbone(backbone, dtype=dtype, device=device)
    files = material.jpegs((width, height))
    many = [files[i % len(files)] + i.to_bytes(8, "big") for i in range(4 * BATCH)]  # none is there twice
    pixels = torch.randn(BATCH, 3, *given.images.spec.output_size, device=device)
    one = _seconds_of(lambda: encode_images(given, files[:1]), ROUNDS_OF_ONE)
    return {
        "arithmetic": given.arithmetic,
        "tower_images_per_s": _rate(lambda: given.images.encode(pixels).cpu(), BATCH, seconds),
        "images_per_s": _rate(lambda: encode_images(given, many), len(many), seconds),
        "one_ms": 1000 * one,
    }


def _rate(work: Callable[[], object], images: int, seconds: float) -> float:
    work()
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        work()
        done += images
    return done / (time.perf_counter() - began)


def _seconds_of(work: Callable[[], object], rounds: int) -> float:
    found = []
    for _ in range(rounds + 2):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return median(found[2:])


if __name__ == "__main__":
    name, word, where, *numbers = sys.argv[1:]
    place = name if not Path(name).exists() else str(Path(name))
    print(json.dumps(measure(place, word, where, int(numbers[0]), int(numbers[1]), float(numbers[2]))))
