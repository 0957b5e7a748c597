"""Classes sampled for each step of a training: what a step costs then hangs no more on how many there are.

A text step costs by the classes, and the loss by images times classes. With `Schedule.sampled_classes` a step
is over that many classes: those of its images, and others by chance. Where a step takes all images
(`Schedule.takes_all`), it takes those of classes drawn by chance. The loss is sampled softmax (Bengio and
Senecal 2003; Jean et al. 2015, arXiv 1412.2007): each class but an image's own also stands for those that
were left out (`Method.entropy`). The sum under the softmax is right on average, its logarithm is not, and
what other terms a loss has are of the sampled classes alone: an approximation. The draws follow from seed,
epoch and step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptlet import rng
from promptlet.errors import OptionError
from promptlet.methods import Method
from promptlet.methods.method import IMAGES, NOTHING
from promptlet.session import without_waiting
from promptlet.training.schedules import NO_OPTIONS, Schedule


@dataclass(frozen=True)
class Among:
    """Images of a step (n,), on the CPU; the classes it is over, None: all; the images' labels (n,) among
    these, on the device."""

    rows: Tensor
    classes: np.ndarray | None
    labels: Tensor

    def loss(self, method: Method, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """`Method.loss` over these classes."""
        if self.classes is None:
            return method.loss(inputs, self.labels)
        with method.among(self.classes.tolist()):
            return method.loss(inputs, self.labels)


class Sampler:
    """labels (N,) of all images, which index ``classes`` class names."""

    def __init__(self, schedule: Schedule, labels: Tensor, classes: int, seed: int) -> None:
        asked = schedule.sampled_classes
        self.count = asked if asked is not None and asked < classes else None
        self.labels, self.classes, self.seed = labels, classes, seed
        self.is_whole = schedule.takes_all(len(labels))
        self._known = labels.cpu().numpy() if self.count is not None else np.zeros(0, np.int64)

    def among(self, rows: Tensor, epoch: int, step: int) -> Among:
        """What a step over the images ``rows`` is over."""
        if self.count is None:
            return Among(rows, None, self.labels[without_waiting(rows, self.labels.device)])
        draw = rng.generator(f"classes/{epoch}/{step}", self.seed)
        own = self._known[rows.numpy()]
        chosen = np.unique(own)
        if self.is_whole and len(chosen) > self.count:
            chosen = np.sort(draw.choice(chosen, self.count, replace=False))
            kept = np.isin(own, chosen)
            rows, own = rows[torch.from_numpy(kept)], own[kept]
        missing = self.count - len(chosen)
        if missing > 0:
            others = np.setdiff1d(np.arange(self.classes), chosen)
            chosen = np.union1d(chosen, draw.choice(others, missing, replace=False))
        labels = torch.from_numpy(np.searchsorted(chosen, own))
        return Among(rows, chosen, without_waiting(labels, self.labels.device))


def check_sampled(
    method: Method | type[Method], schedule: Schedule, options: Mapping[str, Any] = NO_OPTIONS
) -> None:
    """Raise OptionError where classes are to be sampled for a method that gains nothing by it, or cannot.
    options: those it will be built with, where it is not built yet."""
    is_able = method.samples_classes and not options.get("per_class")
    if schedule.sampled_classes is None or is_able or method.info.learns == NOTHING:
        return
    raise OptionError(
        f"sampled_classes={schedule.sampled_classes} is not possible with {method.info.name!r}: "
        f"{why_not_sampled(method)}. Leave it out, or take a method with one context for all names, such as "
        "rlp or coop"
    )


def why_not_sampled(method: Method | type[Method]) -> str:
    """In words, without an end."""
    if method.info.reads == IMAGES:
        return "it encodes images at every step, which costs more than the classes"
    if method.info.in_text_tower:
        return "each class has a context of its own"
    return "it makes the features of class names once, so that a step costs no text pass"
