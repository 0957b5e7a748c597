"""Base-to-new generalisation: train on half of the classes, answer among that half, and among the other half.

As CoOp's code does it (CoCoOp, arXiv 2203.05557, section 4.1): the shots are drawn first and the classes cut
afterwards; base is the first ceil(n / 2) labels; base images are classified among base names only, new images
among new names only; top-1 over all test images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from promptlet.classifier import prompt_file_of
from promptlet.data import Split, base_new, sample_shots, short_classes
from promptlet.data.items import Item
from promptlet.errors import DataError, OptionError
from promptlet.evaluation import accuracy, calibration_error, harmonic_mean, macro_f1
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.inputs import all_logits
from promptlet.methods.method import NOTHING
from promptlet.promptfile import dumps
from promptlet.protocols.circumstances import circumstances
from promptlet.protocols.datasets import BenchDataset, FeatureSource, names_of
from promptlet.protocols.planning import MethodSpec, Settings, plan_runs
from promptlet.protocols.runs import Run
from promptlet.training import SCHEDULES, EpochReport, Schedule, TrainingResult, train

NAME = "base-to-new"


def plan(
    datasets: Sequence[BenchDataset],
    methods: Sequence[MethodSpec],
    shots: Sequence[int],
    seeds: Sequence[int],
    fingerprint: str,
    dtype: str = "float32",
    settings: Settings | None = None,
) -> list[Run]:
    """The runs asked for."""
    return plan_runs(NAME, datasets, methods, shots, seeds, fingerprint, dtype, settings)


def execute(
    run: Run,
    dataset: BenchDataset,
    source: FeatureSource,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> dict[str, Any]:
    """Train once, evaluate both halves; what is stored of it. Raises PromptletError with the reason."""
    began = time.perf_counter()
    drawn = sample_shots(dataset.split, run.shots, run.seed, run.sampler)
    base, new = base_new(drawn)
    _check_test(dataset, base, new)
    method = _new_method(run, base, new, source)
    result = _train(run, method, dataset, base, source, on_epoch)
    scores = {
        **_scores("base", method, dataset, base, source),
        **_scores("new", method, dataset, new, source),
    }
    file = prompt_file_of(method, base.class_names, _training(run, len(base.train)))
    return {
        **run.describe(),
        "base": scores["base"],
        "new": scores["new"],
        "H": harmonic_mean(scores["base"], scores["new"]),
        **scores,
        "trainable": method.trainable_count(),
        "file_bytes": len(dumps(file, method.stored_precision())),
        "text_passes": result.text_passes,
        "seconds": result.seconds,
        "seconds_total": time.perf_counter() - began,
        "history": [asdict(report) for report in result.history],
        "samples": names_of(base.train, dataset.split),
        **({"val_samples": names_of(base.val, dataset.split)} if method.info.uses_val else {}),
        "short_classes": list(short_classes(base, run.shots)),
        "source": dataset.source,
        **circumstances(source.backbone),
    }


def _check_test(dataset: BenchDataset, base: Split, new: Split) -> None:
    for half, split in (("base", base), ("new", new)):
        if not split.test:
            raise DataError(
                f"{dataset.name}: no test images of the {half} classes ({split.class_names[0]!r}, ...); "
                "base-to-new needs train and test parts: a folder with train/ and test/, or a split file"
            )


def _new_method(run: Run, base: Split, new: Split, source: FeatureSource) -> Method:
    if not METHODS[run.method].info.unseen_classes:
        raise OptionError(
            f"method {run.method!r} knows only the classes it was trained on, so {NAME}, which asks for "
            "others, cannot be run with it"
        )
    options = dict(run.options)
    method = build_method(run.method, source.backbone, base.class_names, **options, **_own_seed(run))
    method.set_classes(new.class_names)  # refuses at once what it would refuse after training
    method.set_classes(base.class_names)
    return method


def _own_seed(run: Run) -> dict[str, int]:
    return {"seed": run.seed} if "seed" in METHODS[run.method].info.options else {}


def _train(
    run: Run,
    method: Method,
    dataset: BenchDataset,
    base: Split,
    source: FeatureSource,
    on_epoch: Callable[[EpochReport], None] | None,
) -> TrainingResult:
    info = method.info
    if info.learns == NOTHING:
        method.eval()
        return TrainingResult((), 0)
    schedule = Schedule(**run.settings) if run.settings else SCHEDULES["fast"]
    val = (source.inputs(info.reads, dataset, base.val), _labels(base.val)) if info.uses_val else None
    return train(
        method,
        source.inputs(info.reads, dataset, base.train, run.views),
        _labels(base.train),
        schedule,
        seed=run.seed,
        val=val,
        on_epoch=on_epoch,
    )


def _labels(items: Sequence[Item]) -> torch.Tensor:
    return torch.tensor([item.label for item in items], dtype=torch.int64)


def _scores(
    half: str, method: Method, dataset: BenchDataset, split: Split, source: FeatureSource
) -> dict[str, Any]:
    """Accuracy, macro-F1, calibration error (percent) on the test images of ``split`` among its classes."""
    labels = np.array([item.label for item in split.test])
    method.set_classes(split.class_names)
    inputs = source.inputs(method.info.reads, dataset, split.test)
    logits = all_logits(method.scorer(), inputs, source.backbone.device)
    probabilities = logits.softmax(-1).cpu().numpy()
    predicted = probabilities.argmax(axis=1)
    return {
        half: accuracy(predicted, labels),
        f"{half}_macro_f1": macro_f1(predicted, labels, len(split.class_names)),
        f"{half}_ece": calibration_error(probabilities, labels),
        f"{half}_images": len(labels),
        f"{half}_classes": len(split.class_names),
    }


def _training(run: Run, images: int) -> dict[str, Any]:
    """What the prompt file would say of its training."""
    record: dict[str, Any] = {"images": images, "shots": run.shots, "seed": run.seed, "views": run.views}
    if run.settings:
        record |= {"schedule": run.settings["name"], **{k: run.settings[k] for k in ("epochs", "lr")}}
    if "template" in run.options:
        record["template"] = run.options["template"]
    return record
