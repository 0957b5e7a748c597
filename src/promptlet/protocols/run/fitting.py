"""From a run and the images that were drawn for it to a trained method, and what a record says of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from promptlet.classifier import prompt_file_of
from promptlet.data import Split, short_classes
from promptlet.data.items import Item
from promptlet.errors import OptionError
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.method import NOTHING
from promptlet.promptfile import PromptFile
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource, names_of
from promptlet.protocols.run.official import official_facts, official_notes
from promptlet.training import SCHEDULES, EpochReport, Schedule, TrainingResult, train

OnEpoch = Callable[[EpochReport], None]


def check_asked(run: Run, trained: Sequence[str], asked: Sequence[str]) -> None:
    """Raise OptionError where ``asked`` has a class that is not ``trained`` and the method knows no other."""
    if METHODS[run.method].info.unseen_classes:
        return
    known = set(trained)
    unseen = [name for name in asked if name not in known]
    if unseen:
        some = f"{len(unseen)} of {len(asked)} are others, such as {unseen[0]!r}"
        raise OptionError(
            f"method {run.method!r} knows only the classes it was trained on, so {run.protocol}, which asks "
            f"for others, cannot be run with it{f' ({some})' if len(unseen) < len(asked) else ''}"
        )


def new_method(
    run: Run, trained: Sequence[str], asked: Sequence[str], features: FeatureSource, **tuned: Any
) -> Method:
    """The untrained method over the classes ``trained``; it refuses at once the classes ``asked`` that it
    would refuse after training. tuned: options that a training found."""
    own = {"seed": run.seed} if "seed" in METHODS[run.method].info.options else {}
    method = build_method(run.method, features.backbone, trained, **{**run.options, **own, **tuned})
    if tuple(asked) != tuple(trained):
        method.set_classes(asked)
        method.set_classes(trained)
    return method


def fit(
    run: Run,
    method: Method,
    dataset: BenchDataset,
    split: Split,
    features: FeatureSource,
    on_epoch: OnEpoch | None = None,
) -> TrainingResult:
    """Train ``method`` on the training images of ``split``, which is cut from ``dataset``."""
    info = method.info
    if info.learns == NOTHING:
        method.eval()
        return TrainingResult((), 0)
    schedule = Schedule(**run.settings) if run.settings else SCHEDULES["fast"]
    uses_val = info.uses_val and split.val
    with features.all_named(dataset):
        val = (features.inputs(info.reads, dataset, split.val), _labels(split.val)) if uses_val else None
        return train(
            method,
            features.inputs(info.reads, dataset, split.train, run.views),
            _labels(split.train),
            schedule,
            seed=run.seed,
            val=val,
            on_epoch=on_epoch,
        )


def _labels(items: Sequence[Item]) -> torch.Tensor:
    return torch.tensor([item.label for item in items], dtype=torch.int64, device="cpu")


def file_of(run: Run, method: Method, split: Split) -> PromptFile:
    """The prompt file of the trained method."""
    training: dict[str, Any] = {
        "images": len(split.train), "shots": run.shots, "seed": run.seed, "views": run.views
    }  # fmt: skip
    if run.settings:
        kept = ("epochs", "lr", "optimizer", "sampled_classes")
        training |= {"schedule": run.settings["name"]}
        training |= {name: run.settings[name] for name in kept if name in run.settings}
    if "template" in run.options:
        training["template"] = run.options["template"]
    return prompt_file_of(method, split.class_names, training)


def what_it_took(method: Method, result: TrainingResult, file_bytes: int) -> dict[str, Any]:
    """Numbers, bytes, text passes and seconds of a training, its history, and what the method notes."""
    notes = list(method.notes())
    return {
        **({"rank": method.rank} if isinstance(getattr(method, "rank", None), int) else {}),
        "trainable": method.trainable_count(),
        "file_bytes": file_bytes,
        "text_passes": result.text_passes,
        "seconds": result.seconds,
        "history": [asdict(report) for report in result.history],
        **({"notes": notes} if notes else {}),
    }


def drawn_from(run: Run, dataset: BenchDataset, split: Split) -> dict[str, Any]:
    """Which images of ``dataset`` were looked at in training, what fixed its parts, and which classes have
    fewer images than asked for."""
    uses_val = METHODS[run.method].info.uses_val
    return {
        "samples": names_of(split.train, dataset.split),
        **({"val_samples": names_of(split.val, dataset.split)} if uses_val else {}),
        "rule": dataset.split.rule,
        "short_classes": list(short_classes(split, run.shots)),
    }


def record_of(
    run: Run,
    scores: Mapping[str, Any],
    took: Mapping[str, Any],
    seconds_total: float,
    drawn: Mapping[str, Any],
    **rest: Any,
) -> dict[str, Any]:
    """What is stored of a finished run, in the order of every record."""
    costs = {name: value for name, value in took.items() if name not in ("history", "notes")}
    notes = [*took.get("notes", ()), *official_notes(run)]
    return {
        **run.describe(),
        **official_facts(run),
        **scores,
        **costs,
        **({"notes": notes} if notes else {}),
        "seconds_total": seconds_total,
        "history": took["history"],
        **drawn,
        **rest,
    }
