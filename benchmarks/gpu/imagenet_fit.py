"""A whole fit of ImageNet's size from a feature file: 1,000 classes x 16 shots, ViT-B/16's text tower."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import machine, models
from benchmarks.many_classes.fits import made_up
from promptlet.backbones.arithmetic.precision import ARITHMETICS
from promptlet.backbones.towers import TowerBackbone
from promptlet.data import read_feature_file, sample_shots, write_feature_file
from promptlet.methods import METHODS, build_method
from promptlet.methods.inputs import FeatureInputs, all_logits
from promptlet.training import method_schedule, train

WAYS = (("float32", False), ("mixed", False), ("mixed", True))
"""Arithmetic, and whether steps are captured; the last one's is the plain path's."""
METHOD_NAMES = ("rlp", "coop")
SHOTS, PLAIN_EPOCHS = 16, 3
COLUMNS = (
    ("classes", "classes", "d"),
    ("method", "method", "s"),
    ("path", "path", "s"),
    ("arithmetic", "arithmetic", "s"),
    ("epochs", "text passes", "d"),
    ("read_s", "read s", ".2f"),
    ("build_s", "build s", ".2f"),
    ("first_epoch_s", "first pass s", ".3f"),
    ("epoch_s", "pass s", ".4f"),
    ("fit_s", "whole fit s", ".1f"),
    ("answer_s", "answer s", ".2f"),
    ("peak_bytes", "peak", "MiB"),
    ("loss_first", "first loss", ".4f"),
    ("loss_last", "last loss", ".4f"),
    ("skipped", "", "s"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """A row per number of classes and method by the engine, on a card also with captured steps; and one of
    the plain path, extrapolated from three passes."""
    counts = (5, 20) if quick else (10, 100, 1000)
    text_side = models.transformers_backbone(device, quick)
    assert isinstance(text_side, TowerBackbone)
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as place:
        for classes, method in ((classes, method) for classes in counts for method in METHOD_NAMES):
            file = Path(place) / f"{classes}.npz"
            if not file.exists():
                write_feature_file(file, made_up(classes, text_side.feature_dim))
            for arithmetic, capture in WAYS if machine.on_gpu(device) else WAYS[:1]:
                progress(
                    f"{classes} classes, {method}, engine, {arithmetic}{', captured' if capture else ''}"
                )
                text_side.compute_in(ARITHMETICS[arithmetic])
                rows.append({"classes": classes, **_fit(file, method, device, quick, capture=capture)})
        progress("plain path")
        engine, text_side.text.engine = text_side.text.engine, None
        try:
            rows.append({"classes": counts[-1], **_plain(file, device, quick)})
        finally:
            text_side.text.engine = engine
            text_side.compute_in(ARITHMETICS["float32"])
    settings = {
        "classes": counts,
        "shots": SHOTS,
        "features": "random: a direction per class and noise around it; logits and losses mean nothing else",
        "arithmetic": "float32, or mixed, which --dtype auto takes for such a model on a card: the towers' "
        "products in bfloat16, all else in float32; the plain path in mixed",
        "peak": "torch's allocated memory, model included; on a CPU resident memory",
        "whole fit": "read the file, build the method, train, answer the training features",
        "captured": "forward and backward of a step as one CUDA graph (train(capture=True))",
        "plain": f"{PLAIN_EPOCHS} passes measured, the others extrapolated from their mean",
    }
    return settings, rows


def _fit(
    file: Path, name: str, device: str, quick: bool, epochs: int | None = None, capture: bool = False
) -> dict[str, Any]:
    backbone = models.transformers_backbone(device, quick)
    held = machine.reset_peak(device)
    machine.synchronize(device)
    times = [time.perf_counter()]

    def mark() -> None:
        machine.synchronize(device)
        times.append(time.perf_counter())

    content = read_feature_file(file)
    drawn = sample_shots(content.split, SHOTS, 1).train
    features = torch.from_numpy(content.features[np.array([item.row for item in drawn])])
    labels = torch.tensor([item.label for item in drawn])
    mark()
    method = build_method(name, backbone, content.split.class_names, seed=1)
    mark()
    schedule = method_schedule(METHODS[name].info, "fast")
    planned = schedule.epochs
    schedule = replace(schedule, epochs=epochs or (5 if quick else planned))
    result = train(method, features[None], labels, schedule, capture=capture)
    mark()
    logits = all_logits(method.scorer(), FeatureInputs(features[None], backbone.device), backbone.device)
    right = float((logits.argmax(1) == labels.to(logits.device)).float().mean())
    mark()
    read, build, learn, answer = (b - a for a, b in pairwise(times))
    later = [report.seconds for report in result.history[1:]]
    return {
        "method": name,
        "path": "engine, captured" if capture else "engine",
        "arithmetic": backbone.arithmetic,
        "epochs": schedule.epochs,
        "planned_epochs": planned,
        "images": len(drawn),
        "read_s": read,
        "build_s": build,
        "train_s": learn,
        "first_epoch_s": result.history[0].seconds,
        "epoch_s": float(np.median(later)),
        "answer_s": answer,
        "fit_s": times[-1] - times[0],
        "held_bytes": held,
        "peak_bytes": machine.peak_bytes(device),
        "loss_first": result.history[0].loss,
        "loss_last": result.history[-1].loss,
        "train_accuracy": 100 * right,
    }


def _plain(file: Path, device: str, quick: bool) -> dict[str, Any]:
    head = {"method": METHOD_NAMES[0], "path": "plain, extrapolated"}
    try:
        row = _fit(file, METHOD_NAMES[0], device, quick, PLAIN_EPOCHS)
    except torch.cuda.OutOfMemoryError as error:
        return {**head, "skipped": f"out of memory: {str(error)[:200]}"}
    return {**row, **head, "fit_s": row["fit_s"] + row["epoch_s"] * (row["planned_epochs"] - PLAIN_EPOCHS)}
