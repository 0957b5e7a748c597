"""A step with prompts in the image tower, engine and plain path: seconds in turns, memory apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks import isolated, machine, models, steps, turns
from benchmarks.turns import ENGINE, PLAIN
from promptlet.backbones.backbone import Backbone

DEPTH = 9
SIZES = (4, 32)  # images in a step
ROUNDS = 3


@dataclass
class Step:
    """Features of random images (B, 3, H, W) beside contexts (depth, n_ctx, d), and their gradient."""

    path: str
    backbone: Backbone
    pixels: Tensor
    context: Tensor
    seed_grad: Tensor
    autocast: bool = False
    seconds: list[float] = field(default_factory=list)

    def __call__(self) -> tuple[Tensor, Tensor]:
        images = self.backbone.images
        encode = images.encode_prompted if self.path == ENGINE else images.encode_prompted_reference
        with steps.autocast_of(str(self.pixels.device), self.autocast):
            features = encode(self.pixels, self.context)
        (gradient,) = torch.autograd.grad(features, self.context, self.seed_grad)
        return features.detach(), gradient


def make_step(backbone: Backbone, path: str, count: int, device: str, autocast: bool = False) -> Step:
    """A step over ``count`` fixed random images."""
    images, draw = backbone.images, torch.Generator().manual_seed(0)
    height, width = images.spec.output_size
    pixels = torch.randn(count, 3, height, width, generator=draw)
    depth = min(DEPTH, images.depth)
    context = (0.02 * torch.randn(depth, steps.N_CTX, images.dim, generator=draw)).to(device)
    seed_grad = torch.randn(count, backbone.feature_dim, generator=draw).to(device)
    return Step(path, backbone, pixels.to(device), context.requires_grad_(), seed_grad, autocast)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one row per number of images and path."""
    sizes, rounds = ((2, 5), 2) if quick else (SIZES, ROUNDS)
    backbone = models.vision_backbone(device, quick)
    rows: list[dict] = []
    for autocast in steps.precisions(device):
        rows += _sizes(backbone, sizes, rounds, device, quick, autocast, progress)
    settings = {
        "sizes": sizes,
        "depth": DEPTH,
        "n_ctx": steps.N_CTX,
        "backbone": "transformers CLIPModel, image tower of ViT-B/16's size at 224 pixels",
        "weights": f"random, torch seed {models.SEED}",
        "plain": "the library's own forward pass with hooks, autograd through frozen weights",
        "order": "engine and plain take turns in one process",
        "memory": "peak of a fresh process's first two steps minus what it held before them (VmHWM; with "
        "--device cuda, torch's allocated memory)",
        "keep_bytes": backbone.images.engine.keep_bytes if backbone.images.engine else None,
    }
    return settings, rows


def _sizes(
    backbone: Backbone,
    sizes: tuple[int, ...],
    rounds: int,
    device: str,
    quick: bool,
    autocast: bool,
    progress: Callable[[str], None],
) -> list[dict]:
    """Rows of one precision."""
    rows: list[dict] = []
    per_image = 0.0  # bytes of a plain step, from the sizes before
    for count in sizes:
        memory = {}
        for path in (ENGINE, PLAIN):
            progress(f"{count} images, {path}: memory, apart")
            needed = per_image * count if path == PLAIN else 0.0
            arguments = [path, count, device, int(quick), int(autocast)]
            memory[path] = isolated.measured("benchmarks.image_step", arguments, device, needed)
        per_image = max(per_image, memory[PLAIN].get("step_bytes", 0) / count)
        fits = [path for path in (ENGINE, PLAIN) if "skipped" not in memory[path]]
        ready = [make_step(backbone, path, count, device, autocast) for path in fits]
        timed = _timed(ready, rounds, device, turns.of(f"{count} images", progress))
        for path in (ENGINE, PLAIN):
            head = {"images": count, "path": path, "precision": steps.word_of(autocast)}
            rows.append({**head, **memory[path], **timed.get(path, {})})
        if len(fits) == 2:
            turns.with_memory_ratio(rows[-2:])
    return rows


def _timed(
    ready: list[Step], rounds: int, device: str, progress: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Seconds and agreement, by path."""
    outputs = {step.path: step() for step in ready}
    rows = turns.in_turns(ready, rounds * (5 if machine.on_gpu(device) else 1), device, progress)
    if len(ready) == 2:
        rows[ENGINE] |= turns.compared(rows, outputs, "feature")
    return rows


def measure(path: str, count: int, device: str, quick: bool, autocast: bool) -> dict[str, Any]:
    """The memory of this process."""
    if quick:
        torch.set_num_threads(1)
    backbone = models.vision_backbone(device, quick)
    return isolated.step_memory(make_step(backbone, path, count, device, bool(autocast)), device)


COLUMNS = (
    ("images", "images", "d"),
    ("path", "path", "s"),
    ("precision", "products", "s"),
    ("median_s", "median s", ".3f"),
    ("best_s", "best s", ".3f"),
    ("repeats", "n", "d"),
    ("speedup_median", "plain/engine", ".2f"),
    ("speedup_best", "(best)", ".2f"),
    ("step_bytes", "of the step", "MiB"),
    ("memory_ratio", "plain/engine memory", ".1f"),
    ("feature_max_abs_difference", "feature diff", ".0e"),
    ("gradient_relative_difference", "grad diff", ".0e"),
    ("skipped", "", "s"),
)

if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(measure(given[0], int(given[1]), given[2], *(bool(int(flag)) for flag in given[3:]))))
