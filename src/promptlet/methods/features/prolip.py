"""RLA, ProLIP's linear adapter (Fahes et al., WACV 2026, arXiv 2410.05270): one map of image features."""

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
from promptlet.methods.features.by_class import BesideZeroShot, images_a_class
from promptlet.methods.inputs import TrainingData
from promptlet.methods.many import over_images
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.text_prompt import check_weight
from promptlet.numbers import check_number
from promptlet.papers import bibtex


@final
class LinearAdapter(BesideZeroShot):
    """Image features norm(x + x M), the class features stay hand-written; the loss adds ``weight`` * |M|^2.

    x (I + M) is the map of the paper, which starts at I and is held to it by the squared Frobenius norm of
    the difference M (D, D). With ``r`` M is up @ down, ``up`` (D, r) zero at the start and ``down``
    (r, D) drawn.
    """

    info = MethodInfo(
        name="prolip",
        title="RLA (ProLIP)",
        summary="one linear map of the image features, held to leaving them as they are",
        paper="arXiv 2410.05270, its regularized linear adapter",
        trains="D x D numbers (2 x r x D with r)",
        unseen_classes=True,
        fast=frozen(weight_decay=0.0),
        bibtex=bibtex("prolip"),
        notes="weight not given: 1 / K of K images a class, the published choice without validation images. "
        "ProLIP itself trains the tower's last projection, on what comes before it; RLA is its form for "
        "features that were computed once. Published learning rates are 1e-5 to 1e-2; the official code has "
        "no licence and was not read, so there is no official schedule. r, the map's rank, is ours",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        weight: float | None = None,
        r: int | None = None,
        seed: int = 1,
    ) -> None:
        self.template = check_template(template)
        self.given, self.r = _check_weight(weight), _check_rank(r, backbone.feature_dim)
        self.weight = 1.0 if self.given is None else self.given
        super().__init__(backbone, class_names)
        for name, shape in self._shapes().items():
            self.register_parameter(name, nn.Parameter(_start(name, shape, seed).to(backbone.device)))

    def _shapes(self) -> dict[str, tuple[int, int]]:
        dim = self.backbone.feature_dim
        if self.r is None:
            return {"change": (dim, dim)}
        return {"up": (dim, self.r), "down": (self.r, dim)}

    def extra_repr(self) -> str:
        return f"template={self.template!r}, weight={self.given}, r={self.r}"

    def image_features(self, inputs: Tensor) -> Tensor:
        return self._mapped(inputs, *self.trainables().values())

    def _mapped(self, inputs: Tensor, *factors: Tensor) -> Tensor:
        """Normalised features (B, D); factors: M, or the two that make it."""
        moved = inputs
        for factor in factors:
            moved = moved @ factor
        return F.normalize((inputs + moved).float(), dim=-1)

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes, factors = self.class_features(), tuple(self.trainables().values())
        loss, logits = over_images(self._cross_entropy, inputs, labels, len(classes), classes, *factors)
        return loss + self.weight * squared_norm(*factors), logits

    def _cross_entropy(
        self, inputs: Tensor, labels: Tensor, classes: Tensor, *factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = self.backbone.logits(self._mapped(inputs, *factors), classes)
        return F.cross_entropy(logits, labels), logits

    def begin_training(self, data: TrainingData) -> None:
        self.class_features()  # in full precision, not in that of the steps
        if self.given is None:
            self.weight = 1 / max(1.0, images_a_class(data.labels, len(self.class_names)))

    def state(self) -> dict[str, np.ndarray]:
        return {name: p.detach().cpu().numpy().copy() for name, p in self.trainables().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        given = {name: tuple(np.shape(array)) for name, array in tensors.items()}
        if given != self._shapes():
            raise OptionError(
                f"the learned tensors have shapes {given}; this map (r={self.r}) has {self._shapes()}; "
                "give the r that it was trained with"
            )
        with torch.no_grad():
            for name, parameter in self.trainables().items():
                parameter.copy_(torch.from_numpy(np.asarray(tensors[name], dtype=np.float32)))

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template, **({} if self.r is None else {"r": self.r})}


def squared_norm(*factors: Tensor) -> Tensor:
    """|M|^2 of M, or of up @ down, which is never made: the sum over (up' up) * (down down')."""
    if len(factors) == 1:
        return factors[0].square().sum()
    up, down = factors
    return ((up.T @ up) * (down @ down.T)).sum()


def _start(name: str, shape: tuple[int, int], seed: int) -> Tensor:
    """Zeros, but for the factor that is drawn: rows of length about 1."""
    if name != "down":
        return torch.zeros(shape, dtype=torch.float32, device="cpu")
    return torch.from_numpy(rng.normal("prolip/down", seed, shape, shape[1] ** -0.5))


def _check_weight(weight: float | None) -> float | None:
    if weight is None or (isinstance(weight, int | float) and not isinstance(weight, bool)):
        return None if weight is None else check_weight("weight", weight)
    raise OptionError(
        f"weight={weight!r} is no number, 0 or more; leave it out for 1 / K of K images a class"
    )


def _check_rank(r: int | None, dim: int) -> int | None:
    r = check_number("r", r, "rank")
    if r is not None and r > dim:
        raise OptionError(f"r={r} is outside 1..{dim}, the features' own; leave it out for the whole map")
    return r
