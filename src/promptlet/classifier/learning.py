"""From inputs that are ready to a trained method: what a fit and every fold of a cross-validation do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.classifier.fitting import Parameters, new_method, whole
from promptlet.methods import Method
from promptlet.methods.inputs import Inputs
from promptlet.training import EpochReport, Schedule, TrainingResult, train


def learn(
    given: Parameters,
    backbone: Backbone,
    class_names: Sequence[str],
    inputs: Inputs,
    targets: Tensor,
    schedule: Schedule,
    val: tuple[Inputs, Tensor] | None = None,
    *,
    method: Method | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_stays: bool = False,
) -> tuple[Method, TrainingResult]:
    """A method as ``given`` says, over ``class_names``, trained on inputs whose targets (N,) index them.

    val: as inputs and targets, for methods that look at validation images. method: an untrained one that
    `new_method` has built of the same. The rest: as in `promptlet.training.train`. Raises OptionError,
    TrainingError.
    """
    if method is None:
        method = new_method(given, backbone, class_names)
    result = train(
        method,
        inputs,
        targets,
        schedule,
        seed=whole(given, "seed"),
        val=val,
        on_epoch=on_epoch,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        checkpoint_stays=checkpoint_stays,
        capture=given.capture,
    )
    return method, result
