"""JPEG files for benchmarks, drawn: detail at every scale, in files about as large as photos of that size."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

QUALITY = 90
DRAWN = 4
"""Different pictures. Further files are these with other bytes behind their end, and so other hashes."""
FADING = 0.8
"""How much less contrast there is in details of half the size."""


def write(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """``count`` files of ``size`` (width, height) in a folder of their own."""
    own = folder / f"{size[0]}x{size[1]}"
    own.mkdir(parents=True, exist_ok=True)
    drawn = [jpeg(*size, seed) for seed in range(min(DRAWN, count))]
    paths = [own / f"{i:05d}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        path.write_bytes(drawn[i % len(drawn)] + i.to_bytes(4, "big"))
    return paths


def jpeg(width: int, height: int, seed: int) -> bytes:
    """One file's bytes."""
    draw = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 128.0, np.float32)
    cells, strength = 4, 60.0
    while cells <= max(width, height):
        grid = max(2, cells * width // max(width, height)), max(2, cells * height // max(width, height))
        noise = Image.fromarray(draw.integers(0, 256, (*grid[::-1], 3), dtype=np.uint8))
        layer = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        pixels += (layer - 128.0) * (strength / 128.0)
        cells, strength = 2 * cells, FADING * strength
    file = BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
