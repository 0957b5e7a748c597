"""Crops of training images: encoded once and taken in turn, by how many, against new ones in every epoch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone, load_backbone
from promptlet.export.onnx.tower import write_tower
from promptlet.export.program import captured
from promptlet.export.running.onnx import features_by
from promptlet.export.towers import tower_of
from promptlet.methods import build_method
from promptlet.protocols.bench import open_bench
from promptlet.protocols.planning import Settings

METHODS = ("coop", "rlp", "clip_adapter")
CACHED = ("tip_adapter",)
"""Methods that take the mean of all readings of an image, and no epochs."""
SCHEDULES = ("coop", "adamw")
OF_CACHED = (1, "large-crops:10")
EPOCHS, SHOTS, SEEDS = 50, 4, (1, 2, 3)
MEASURES = ("base", "new", "H")
COLUMNS = (
    ("method", "method", "s"),
    ("schedule", "schedule", "s"),
    ("views", "readings", "s"),
    ("base", "base", ".2f"),
    ("new", "new", ".2f"),
    ("H", "H", ".2f"),
    ("base_off", "base - last's", "+.2f"),
    ("new_off", "new - last's", "+.2f"),
    ("H_off", "H - last's", "+.2f"),
    ("H_off_std", "deviation", ".2f"),
)


def run(_device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: for each method and readings the means over the seeds, and their difference from the
    same seeds with new crops in every epoch, or Tip-Adapter's ten."""
    epochs, seeds = (6, (1,)) if quick else (EPOCHS, SEEDS)
    readings = (1, "crops:1", "crops:4", "crops:16", f"crops:{epochs}")
    realbed = Path(os.environ.get("PROMPTLET_REALBED", "../shared/realbed"))
    is_real = realbed.is_dir() and not quick
    backbone = load_backbone(realbed / "model" if is_real else "mini", "cpu", dtype="float32")
    apart = _by_onnxruntime(backbone)
    asked = [
        *((METHODS, schedule, views) for views in reversed(readings) for schedule in SCHEDULES),
        *((CACHED, SCHEDULES[0], views) for views in OF_CACHED),
    ]  # the largest number first: the others are among these
    records: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for seed in seeds:
        for methods, schedule, views in asked:
            settings = Settings(schedule=schedule, epochs=epochs, views=views)
            bench = open_bench(
                "caltech101" if is_real else "mini-flowers",
                ",".join(methods),
                root=realbed / "data",
                backbone=backbone,
                shots=SHOTS,
                seeds=(seed,),
                settings=settings,
                out=_folder() / f"runs-{epochs}",
                cache=_folder() / "features",
            )
            for record in bench.run().records:
                records.setdefault((record["method"], schedule, str(views)), []).append(record)
            progress(f"seed {seed}, {schedule}, readings {views}")
    told = {
        "data": "caltech101, base-to-new" if is_real else "mini-flowers, base-to-new",
        "backbone": "the test bed's" if is_real else "mini",
        "shots": SHOTS,
        "seeds": seeds,
        "schedule": f"{epochs} epochs: coop has steps of 32 images, adamw of all",
        "features": "by the image tower as promptlet export writes it, in onnxruntime; of length 1",
        "largest_difference_of_features": apart,
    }
    of_method = {(method, schedule): readings for schedule in SCHEDULES for method in METHODS}
    return told, _rows(
        records, {**of_method, **dict.fromkeys(((m, SCHEDULES[0]) for m in CACHED), OF_CACHED)}
    )


def _folder() -> Path:
    """Where features and runs are kept, for who begins again."""
    return Path(tempfile.gettempdir()) / "promptlet-augmentation"


def _by_onnxruntime(backbone: Backbone) -> float:
    """Let the image tower run in onnxruntime; how far features of noise are from the library's own."""
    images = backbone.images
    size = images.spec.output_size
    noise = torch.randn(4, 3, *size, generator=torch.Generator().manual_seed(0))
    own = torch.nn.functional.normalize(images.encode(noise), dim=1)
    graph = _folder() / "tower" / "image.onnx"
    graph.parent.mkdir(parents=True, exist_ok=True)
    tower = tower_of(build_method("zero_shot", backbone, ("cat", "dog")))
    write_tower(captured(tower, size), graph, is_half=False)
    features = features_by(graph)

    def forward(pixels: Tensor) -> Tensor:
        return torch.from_numpy(features(pixels.contiguous().numpy()))

    images.forward = forward
    return float((images.encode(noise) - own).abs().max())


def _rows(
    records: Mapping[tuple[str, str, str], Sequence[Mapping[str, Any]]],
    readings: Mapping[tuple[str, str], Sequence[int | str]],
) -> list[dict]:
    rows = []
    for (method, schedule), every in readings.items():
        last = {one["seed"]: one for one in records[method, schedule, str(every[-1])]}
        for views in map(str, every):
            runs = records[method, schedule, views]
            row: dict[str, Any] = {"method": method, "schedule": schedule, "views": views}
            row["seeds"] = [one["seed"] for one in runs]
            for name in MEASURES:
                values = [float(one[name]) for one in runs]
                off = [float(one[name]) - float(last[one["seed"]][name]) for one in runs]
                row |= {name: float(np.mean(values)), f"{name}_by_seed": values}
                row |= {f"{name}_off": float(np.mean(off)), f"{name}_off_std": float(np.std(off))}
            rows.append(row)
    return rows
