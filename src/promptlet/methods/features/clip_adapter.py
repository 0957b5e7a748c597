"""CLIP-Adapter (Gao et al., IJCV 2024, arXiv 2110.04544): a small network behind the image tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.features.by_class import BesideZeroShot
from promptlet.methods.inputs import TrainingData
from promptlet.methods.many import over_images
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.papers import bibtex


@final
class ClipAdapter(BesideZeroShot):
    """Image features norm(a * adapter(x) + (1 - a) * x), a = ``ratio``; the class features stay hand-written.

    adapter(x) = ReLU(ReLU(x down^T) up^T) with ``down`` (H, D), ``up`` (D, H) and H = D // ``reduction``.
    """

    info = MethodInfo(
        name="clip_adapter",
        title="CLIP-Adapter",
        summary="a two-layer network mixed into the image features, the classes stay hand-written",
        paper="arXiv 2110.04544, section 3.2, its image branch",
        trains="2 x D x (D // reduction) numbers",
        unseen_classes=True,
        fast=frozen(lr=0.001),
        bibtex=bibtex("clip_adapter"),
        notes="the official code is this image branch with reduction 4 and ratio 0.2, without a schedule. It "
        "adapts features that are not normalised yet, which is the same: the adapter scales with its input",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        reduction: int = 4,
        ratio: float = 0.2,
        seed: int = 1,
    ) -> None:
        self.template = check_template(template)
        self.reduction, self.ratio = _check_reduction(reduction, backbone.feature_dim), _check_ratio(ratio)
        super().__init__(backbone, class_names)
        dim, hidden = backbone.feature_dim, backbone.feature_dim // self.reduction
        self.down = nn.Parameter(_start("down", (hidden, dim), seed).to(backbone.device))
        self.up = nn.Parameter(_start("up", (dim, hidden), seed).to(backbone.device))

    def extra_repr(self) -> str:
        return f"template={self.template!r}, reduction={self.reduction}, ratio={self.ratio}"

    def image_features(self, inputs: Tensor) -> Tensor:
        return self._adapted(inputs, self.down, self.up)

    def _adapted(self, inputs: Tensor, down: Tensor, up: Tensor) -> Tensor:
        adapted = F.relu(F.relu(inputs @ down.T) @ up.T)
        return F.normalize((self.ratio * adapted + (1 - self.ratio) * inputs).float(), dim=-1)

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes = self.class_features()
        return over_images(self._cross_entropy, inputs, labels, len(classes), classes, self.down, self.up)

    def _cross_entropy(
        self, inputs: Tensor, labels: Tensor, classes: Tensor, down: Tensor, up: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = self.backbone.logits(self._adapted(inputs, down, up), classes)
        return F.cross_entropy(logits, labels), logits

    def begin_training(self, data: TrainingData) -> None:
        self.class_features()  # in full precision, not in that of the steps

    def state(self) -> dict[str, np.ndarray]:
        return {name: p.detach().cpu().numpy().copy() for name, p in self.trainables().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        own = self.trainables()
        wanted = {name: tuple(p.shape) for name, p in own.items()}
        given = {name: tuple(np.shape(array)) for name, array in tensors.items()}
        if given != wanted:
            raise OptionError(
                f"the learned tensors have shapes {given}; this adapter (reduction={self.reduction}) "
                f"has {wanted}; give the reduction that it was trained with"
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(torch.from_numpy(np.asarray(tensors[name], dtype=np.float32)))

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template, "reduction": self.reduction, "ratio": self.ratio}


def _start(name: str, shape: tuple[int, int], seed: int) -> Tensor:
    """Uniform numbers within 1 / sqrt(fan in), as torch starts a linear layer."""
    bound = shape[1] ** -0.5
    drawn = rng.generator(f"clip_adapter/{name}", seed).uniform(-bound, bound, shape)
    return torch.from_numpy(drawn.astype(np.float32))


def _check_reduction(reduction: int, dim: int) -> int:
    if not isinstance(reduction, int) or isinstance(reduction, bool) or not 1 <= reduction <= dim:
        raise OptionError(
            f"reduction={reduction!r} is outside 1..{dim}; give a whole number that the {dim} features are "
            "divided by"
        )
    return reduction


def _check_ratio(ratio: float) -> float:
    if not 0.0 <= ratio <= 1.0:
        raise OptionError(f"ratio={ratio!r} is outside 0..1; 0 leaves the image features as they are")
    return float(ratio)
