"""What a method is trained on: inputs by view and row, their labels, and validation images where it asks."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from promptlet.backbones.arithmetic.unit import unit
from promptlet.methods.sound import Soundness
from promptlet.session import own_arithmetic

BATCH = 1024  # features scored at once
IMAGE_BATCH = 32  # images, where the method changes the image tower


class Inputs(Protocol):
    """Images as a method reads them: features, or pixel values decoded when they are asked for."""

    @property
    def views(self) -> int:
        """How many readings there are of each image."""

    @property
    def images(self) -> int:
        """How many images there are."""

    @property
    def in_turn(self) -> bool:
        """Whether epochs take the readings in turn, and do not draw one of them."""

    def take(self, views: Tensor, rows: Tensor) -> Tensor:
        """Inputs (B, ...): view ``views[i]`` of image ``rows[i]``; both int64 (B,)."""

    def digest(self) -> str:
        """Identity of the content."""


class FeatureInputs:
    """Features (V, N, D) of V views of N images; normalised here, float32.

    in_turn: whether the views are crops alone, which epochs take in turn. lengths (V, N): of each vector
    before it was normalised, where they are; else none.
    """

    def __init__(self, features: Tensor, device: torch.device | None = None, in_turn: bool = False) -> None:
        given = features.to(device or features.device)
        self.features, self.in_turn = unit(given), in_turn
        self.lengths = given.float().norm(dim=-1) if in_turn else given.new_zeros(0)

    def to(self, device: torch.device) -> FeatureInputs:
        """The same there."""
        if self.features.device == device:
            return self
        moved = copy.copy(self)
        moved.features, moved.lengths = self.features.to(device), self.lengths.to(device)
        return moved

    @property
    def views(self) -> int:
        """V."""
        return int(self.features.shape[0])

    @property
    def images(self) -> int:
        """N."""
        return int(self.features.shape[1])

    def take(self, views: Tensor, rows: Tensor) -> Tensor:
        """Features (B, D); on the CPU themselves, not a copy, where all are asked for in their order. Another
        device would have to be asked for the order, and waited for."""
        is_whole = rows.device.type == "cpu" and self.views == 1 and len(rows) == self.images
        if is_whole and bool((rows[1:] > rows[:-1]).all()):
            return self.features[0]
        return self.features[views, rows]

    def digest(self) -> str:
        """Shape, and 16 hexadecimal digits of the numbers."""
        array = self.features.detach().cpu().contiguous().numpy()
        return f"{array.shape} {hashlib.blake2b(array.data, digest_size=8).hexdigest()}"


@dataclass(frozen=True)
class TrainingData:
    """Everything a training may look at. Test images never are.

    labels (N,) and val_labels (M,) int64 index the method's class names; ``val`` is None where there are no
    validation images. epochs: how many will follow.
    """

    inputs: Inputs
    labels: Tensor
    epochs: int
    val: Inputs | None = None
    val_labels: Tensor | None = None


def every_view(inputs: Inputs) -> Tensor:
    """All of ``inputs``: (V, N, ...)."""
    rows = torch.arange(inputs.images, dtype=torch.int64, device="cpu")
    return torch.stack([inputs.take(torch.full_like(rows, view), rows) for view in range(inputs.views)])


def all_logits(
    score: Callable[[Tensor], Tensor],
    inputs: Inputs,
    device: torch.device,
    on_progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Logits (N, C), float32, of view 0 of all inputs, some at a time; ``score`` is a `Method.scorer`.

    Raises AnswerError where some are not finite, or absurd.
    """
    return of_logits(lambda logits: logits, score, inputs, device, on_progress)


def likeliest(logits: Tensor) -> Tensor:
    """The column of the largest probability of each row (n,): the first, where rounding makes two equal."""
    return logits.softmax(-1).argmax(-1)


@own_arithmetic()
def of_logits(
    what: Callable[[Tensor], Tensor],
    score: Callable[[Tensor], Tensor],
    inputs: Inputs,
    device: torch.device,
    on_progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """``what`` (n, ...) is made of the logits (n, C) of some images at a time: of all of them (N, ...).

    So that of many images among many classes no (N, C) is held. The rest is as in `all_logits`.
    """
    size = BATCH if isinstance(inputs, FeatureInputs) else IMAGE_BATCH
    check = Soundness()
    made = []
    for start in range(0, inputs.images, size):
        rows = torch.arange(start, min(start + size, inputs.images), dtype=torch.int64, device="cpu")
        logits = score(inputs.take(torch.zeros_like(rows), rows).to(device)).float()
        check.see(logits)
        made.append(what(logits))
        if on_progress is not None:
            on_progress(start + len(rows), inputs.images)
    check.end()
    return torch.cat(made)
