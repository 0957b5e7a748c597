"""Whole fits from a feature file: 1,000 and 20,000 classes x 16 images, ViT-B/16's text tower."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import isolated, machine, models
from promptlet.classifier import PromptClassifier
from promptlet.data import FeatureFile, Item, Split, read_own, write_feature_file
from promptlet.methods import METHODS
from promptlet.own_images.fitting import fit
from promptlet.training import method_schedule

METHOD, SHOTS = "rlp", 16
CASES = ((1000, None, 3), (1000, 250, 4), (20000, None, 1), (20000, 1000, 4))
"""Classes, those sampled for a step, and epochs that are measured."""
QUICK = ((50, None, 2), (50, 10, 3))
COLUMNS = (
    ("classes", "classes", "d"),
    ("sampled_classes", "a step", "d"),
    ("measured_epochs", "epochs measured", "d"),
    ("read_s", "read s", ".1f"),
    ("around_s", "before, after s", ".1f"),
    ("first_s", "first step s", ".2f"),
    ("step_s", "step s", ".3f"),
    ("epochs", "of", "d"),
    ("fit_s", "whole fit s", ".0f"),
    ("is_extrapolated", "", "s"),
    ("baseline_bytes", "baseline", "MiB"),
    ("peak_bytes", "peak", "MiB"),
    ("skipped", "", "s"),
)


def run(
    device: str, quick: bool, progress: Callable[[str], None], whole: bool = False
) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows, one per case. whole: of 1,000 classes all epochs are run."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as place:
        for classes, sampled, epochs in QUICK if quick else CASES:
            file = write(Path(place), classes, quick)
            measured = 0 if whole and classes <= 1000 and sampled is None else epochs
            progress(f"{classes} classes, {sampled or 'all'} a step, in a process of its own")
            given = [classes, file, sampled or 0, measured, device, int(quick)]
            found = isolated.measured("benchmarks.many_classes.fits", given, device)
            rows.append({"classes": classes, "sampled_classes": sampled, **found})
    settings = {
        "method": METHOD,
        "schedule": "fast",
        "shots": SHOTS,
        "features": "random directions, a float16 file; speed and memory do not depend on what they are",
        "whole fit": "read the file, fit, write the prompt; where not all epochs were run, the others are "
        "extrapolated from the median of those after the first",
        "estimate": "none",
        "peak": "resident memory (VmHWM) of the whole process; with --device cuda, torch's allocated memory",
        "baseline": "held before the file is read: interpreter, torch and the model",
        "synthetic": "names past the first 1,000 are put together from ImageNet's",
    }
    return settings, rows


def write(folder: Path, classes: int, quick: bool) -> Path:
    """A feature file in ``folder``, where it is not there yet."""
    file = folder / f"{classes}.npz"
    if not file.exists():
        width = (models.TINY if quick else models.TEXT)["hidden_size"]
        write_feature_file(file, made_up(classes, int(width)), dtype="float16")
    return file


def made_up(classes: int, dim: int) -> FeatureFile:
    """16 random directions (D,) a class, near each other."""
    draw = np.random.default_rng(0)
    names = models.apart(models.class_names(classes))
    labels = np.repeat(np.arange(classes), SHOTS)
    features = draw.standard_normal((classes, dim), dtype=np.float32)[labels]
    features += draw.standard_normal(features.shape, dtype=np.float32)
    items = tuple(Item(Path(f"{i:07d}.jpg"), int(y), names[y]) for i, y in enumerate(labels))
    return FeatureFile.of(Split("made-up", names, items, (), ()), features)


def measure(classes: int, file: str, sampled: int, epochs: int, device: str, quick: bool) -> dict[str, Any]:
    """The row of this process. sampled, epochs: 0 for all."""
    if quick:
        torch.set_num_threads(1)
    backbone = models.transformers_backbone(device, quick)
    planned = method_schedule(METHODS[METHOD].info, "fast", sampled_classes=sampled or None).epochs
    baseline = machine.reset_peak(device)
    began = time.perf_counter()
    data = read_own(Path(file))
    read = time.perf_counter() - began
    classifier = PromptClassifier(
        backbone, METHOD, sampled_classes=sampled or None, epochs=epochs or None, cache=False
    )
    fit(classifier, data, estimate="none")
    with tempfile.TemporaryDirectory() as place:
        size = classifier.save(Path(place) / "x.prompt")
    seconds = time.perf_counter() - began
    steps = [report.seconds for report in classifier.history_]
    step = float(np.median(steps[1:] or steps))
    return {
        "synthetic_names": models.synthetic(classes),
        "images": classes * SHOTS,
        "measured_epochs": len(steps),
        "read_s": read,
        "around_s": seconds - read - sum(steps),
        "first_s": steps[0],
        "step_s": step,
        "epochs": planned,
        "measured_s": seconds,
        "fit_s": seconds + (planned - len(steps)) * step,
        "is_extrapolated": "" if len(steps) == planned else "extrapolated",
        "baseline_bytes": baseline,
        "peak_bytes": machine.peak_bytes(device),
        "prompt_bytes": size,
        "loss": [report.loss for report in classifier.history_],
    }


if __name__ == "__main__":
    number, path, of_step, how_many, where, small = sys.argv[1:]
    print(json.dumps(measure(int(number), path, int(of_step), int(how_many), where, bool(int(small)))))
