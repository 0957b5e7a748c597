"""Backbones, photos and banks of prompts to be served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import models, photos
from promptlet.backbones import Backbone, load_backbone
from promptlet.classifier.files import prompt_file_of
from promptlet.methods import build_method
from promptlet.promptfile import save_prompt_file

CLASSES = 100
DRAWN = 16
SIZES = {"mini": (128, 96), "ViT-B/16 (random)": (500, 375)}
"""Width and height of the photos, by backbone."""


def jpegs(size: tuple[int, int], count: int = DRAWN) -> list[bytes]:
    """Bytes of so many different files."""
    drawn = [photos.jpeg(*size, seed) for seed in range(min(count, photos.DRAWN))]
    return [drawn[i % len(drawn)] + i.to_bytes(4, "big") for i in range(count)]


def write_bank(folder: Path, backbone: Backbone | str, count: int) -> list[str]:
    """``count`` prompts of rlp over the same class names, each with numbers of its own; their names."""
    given = load_backbone(backbone) if isinstance(backbone, str) else backbone
    names = tuple(models.class_names(CLASSES))
    file = prompt_file_of(build_method("rlp", given, names, seed=1), names, {"shots": 16, "seed": 1})
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    prompts = [f"tenant-{i:05d}" for i in range(count)]
    for name in prompts:
        moved = {
            key: array + 0.02 * draw.standard_normal(array.shape).astype(np.float32)
            for key, array in file.tensors.items()
        }
        save_prompt_file(folder / f"{name}.prompt", replace(file, tensors=moved))
    return prompts
