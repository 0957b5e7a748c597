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
OF_CACHED = (1, "large-crops:10")
EPOCHS, SHOTS, SEEDS = 50, 4, (1, 2, 3)
MEASURES = ("base", "new", "H")
COLUMNS = (
    ("method", "method", "s"),
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
    records: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for seed in seeds:
        asked = [
            (METHODS, views) for views in reversed(readings)
        ]  # the largest number first: others are in it
        for methods, views in [*asked, *((CACHED, views) for views in OF_CACHED)]:
            settings = Settings(schedule="coop", epochs=epochs, views=views)
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
                records.setdefault((record["method"], str(views)), []).append(record)
            progress(f"seed {seed}, readings {views}")
    told = {
        "data": "caltech101, base-to-new" if is_real else "mini-flowers, base-to-new",
        "backbone": "the test bed's" if is_real else "mini",
        "shots": SHOTS,
        "seeds": seeds,
        "schedule": f"coop, {epochs} epochs",
        "features": "by the image tower as promptlet export writes it, in onnxruntime: a crop costs a sixth",
        "largest_difference_of_features": apart,
    }
    of_method = {**dict.fromkeys(METHODS, readings), **dict.fromkeys(CACHED, OF_CACHED)}
    return told, _rows(records, of_method)


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
    records: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    readings: Mapping[str, Sequence[int | str]],
) -> list[dict]:
    rows = []
    for method, every in readings.items():
        last = {one["seed"]: one for one in records[method, str(every[-1])]}
        for views in map(str, every):
            runs = records[method, views]
            row: dict[str, Any] = {"method": method, "views": views, "seeds": [one["seed"] for one in runs]}
            for name in MEASURES:
                values = [float(one[name]) for one in runs]
                off = [float(one[name]) - float(last[one["seed"]][name]) for one in runs]
                row |= {name: float(np.mean(values)), f"{name}_by_seed": values}
                row |= {f"{name}_off": float(np.mean(off)), f"{name}_off_std": float(np.std(off))}
            rows.append(row)
    return rows
