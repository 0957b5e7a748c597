"""What every method is: something that turns image features into logits over class names, and may learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.errors import OptionError


@dataclass(frozen=True)
class MethodInfo:
    """Facts about a method, for `promptlet methods`, for results and for the report.

    learning_rates: the method's own rate for a schedule, by the schedule's name, where it differs.
    official: what the official code's base-to-new run changes in the ``coop`` schedule; None where no
    setting is public.
    """

    name: str
    title: str
    summary: str
    paper: str
    trains: str
    unseen_classes: bool
    options: Mapping[str, Any]
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    official: Mapping[str, Any] | None = None
    bibtex: str = ""
    notes: str = ""


class Method(nn.Module, ABC):
    """A named combination of parametrisation, placement and objective over one frozen backbone.

    Subclasses are final. Only the hooks `after_backward` and `after_epoch` are there to be overridden
    by objectives that need them; here they do nothing.
    """

    info: ClassVar[MethodInfo]

    def __init__(self, backbone: Backbone, class_names: Sequence[str]) -> None:
        super().__init__()
        object.__setattr__(self, "backbone", backbone)  # not a submodule: its weights are not ours
        self.class_names: tuple[str, ...] = ()
        self.set_classes(class_names)

    backbone: Backbone

    def set_classes(self, class_names: Sequence[str]) -> None:
        """Answer over these class names from now on, seen in training or not."""
        self.class_names = tuple(class_names)

    @abstractmethod
    def class_features(self) -> Tensor:
        """Normalised features of the current classes (C, D), differentiable in what is learned."""

    def logits(self, image_features: Tensor) -> Tensor:
        """Logits (B, C) of normalised image features (B, D)."""
        return self.backbone.logits(image_features, self.class_features())

    def loss(self, image_features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The training loss (a scalar) and the logits (B, C); labels (B,) index `class_names`."""
        logits = self.logits(image_features)
        return F.cross_entropy(logits, labels), logits

    def trainables(self) -> dict[str, nn.Parameter]:
        """The parameters that training changes, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def trainable_count(self) -> int:
        """How many numbers are learned."""
        return sum(p.numel() for p in self.trainables().values())

    def state(self) -> dict[str, np.ndarray]:
        """What a prompt file stores: the learned tensors alone, float32."""
        return {}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take what `state` gave. Raises OptionError for tensors that this method does not have."""
        if tensors:
            raise OptionError(
                f"{self.info.name} learns nothing, but learned tensors are given: {list(tensors)}"
            )

    def begin_step(self, step: int) -> None:
        """Called before each training step."""

    def after_backward(self) -> None:
        """Called between backward and the optimiser's step."""

    def after_epoch(self, epoch: int) -> None:
        """Called after each epoch, counted from 0."""


def frozen(**options: Any) -> Mapping[str, Any]:
    """A read-only table of options and their defaults."""
    return MappingProxyType(options)
