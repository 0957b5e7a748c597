"""Base and new accuracy after every few epochs of training: does a method forget what it was not shown?

    python -m benchmarks.epochs --datasets mini --backbone mini --out benchmarks/results/mini-epochs.json

Base-to-new, 16 shots, as `promptlet bench run` draws and cuts them; nothing is chosen by these numbers. With
``--figure FILE.png`` the means over data sets and seeds are drawn too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import machine
from promptlet.backbones import Backbone, load_backbone
from promptlet.data import FeatureCache, Split, base_new, sample_shots
from promptlet.evaluation import accuracy
from promptlet.methods import Method, build_method
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource, open_datasets
from promptlet.training import EpochReport, method_schedule, train

SHOTS = 16


def curve(
    dataset: BenchDataset,
    name: str,
    seed: int,
    source: FeatureSource,
    schedule: str,
    every: int,
    changes: Mapping[str, Any],
) -> list[dict[str, float]]:
    """[{epoch, base, new}, ...] from epoch 0 (the start) on, in percent."""
    base, new = base_new(sample_shots(dataset.split, SHOTS, seed, "coop"))
    method = build_method(name, source.backbone, base.class_names, seed=seed)
    chosen = method_schedule(method.info, schedule, **changes)
    tests = {"base": (base, _test(dataset, base, source)), "new": (new, _test(dataset, new, source))}
    points: list[dict[str, float]] = []

    def measure(epoch: int) -> None:
        method.eval()
        points.append(_point(epoch, method, tests))
        method.set_classes(base.class_names)  # training goes on among these
        method.train()

    def on_epoch(report: EpochReport) -> None:
        if report.epoch % every == 0 or report.epoch == report.epochs:
            measure(report.epoch)

    measure(0)

    features = torch.from_numpy(source.of(dataset, base.train))
    labels = torch.tensor([item.label for item in base.train])
    train(method, features, labels, chosen, seed=seed, on_epoch=on_epoch)
    return points


def _test(dataset: BenchDataset, split: Split, source: FeatureSource) -> torch.Tensor:
    return F.normalize(torch.from_numpy(source.of(dataset, split.test)[0].astype(np.float32)), dim=-1)


def _point(epoch: int, method: Method, tests: Mapping[str, tuple[Split, torch.Tensor]]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for half, (split, features) in tests.items():
        method.set_classes(split.class_names)
        with torch.no_grad():
            predicted = method.logits(features).argmax(1).numpy()
        scores[half] = accuracy(predicted, np.array([item.label for item in split.test]))
    return {"epoch": epoch, **scores}


def means(rows: Sequence[Mapping[str, Any]], half: str) -> dict[str, list[tuple[float, float]]]:
    """By method: (epoch, mean over data sets and seeds)."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row["points"] for row in rows if row["method"] == method]
        curves[method] = [
            (float(at[0]["epoch"]), float(np.mean([point[half] for point in at])))
            for at in zip(*own, strict=True)
        ]
    return curves


def main() -> None:
    options = _options()
    backbone: Backbone = load_backbone(options.backbone, device="cpu")
    source = FeatureSource(backbone, FeatureCache())
    rows = []
    changes = {} if options.epochs is None else {"epochs": options.epochs}
    for dataset in open_datasets(options.datasets.split(","), options.root):
        for name in options.methods.split(","):
            for seed in map(int, options.seeds.split(",")):
                points = curve(dataset, name, seed, source, options.schedule, options.every, changes)
                rows.append({"dataset": dataset.name, "method": name, "seed": seed, "points": points})
                first, last = points[0], points[-1]
                print(
                    f"{dataset.name} {name} seed {seed}: base {first['base']:.1f} -> {last['base']:.1f}, "
                    f"new {first['new']:.1f} -> {last['new']:.1f}",
                    flush=True,
                )
    result = {
        "benchmark": "epochs",
        "schema": 1,
        "machine": machine.describe("cpu"),
        "settings": {
            "backbone": backbone.name,
            "fingerprint": backbone.fingerprint,
            "schedule": options.schedule,
            "epochs": options.epochs,
            "shots": SHOTS,
        },
        "rows": rows,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    if options.figure is not None:
        from promptlet.report.figures.charts import learning_curves

        curves = {
            f"{method}, {half}": points
            for half in ("base", "new")
            for method, points in means(rows, half).items()
        }
        options.figure.write_bytes(learning_curves(curves, "epoch", "accuracy, %"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.epochs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--datasets", required=True)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--methods", default="coop,rlp")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--schedule", default="fast")
    parser.add_argument("--epochs", type=int, help="instead of the schedule's")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
