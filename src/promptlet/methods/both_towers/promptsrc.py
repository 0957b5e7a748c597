"""PromptSRC: self-regulating prompts (Khattak et al., ICCV 2023, arXiv 2307.06948).

IVLP whose features and predictions are held near the frozen model's (equations 3 to 6), with class features
of many templates for text diversity, and whose prompts are averaged over the epochs with Gaussian weights
(equation 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.both_towers.consistency import (
    checked_weights,
    consistency,
    frozen_classes,
    frozen_images,
)
from promptlet.methods.both_towers.deep_prompt import DEPTH, IndependentPrompt, depth_in_both
from promptlet.methods.inputs import TrainingData
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.official import BASE_TO_NEW, CROSS_DATASET, DOMAIN_SHIFT, FEW_SHOT, Case, Official
from promptlet.methods.text_prompt import LOW_RANK_DROPOUT, LOW_RANK_STD, LOW_RANK_V_RATE
from promptlet.papers import bibtex
from promptlet.prompts import LowRank

FROM_IMAGENET = Official(
    "PromptSRC's repository, docs/TRAIN.md; PromptSRC/vit_b16_c2_ep20_batch4_4+4ctx_cross_datasets.yaml",
    schedule=frozen(epochs=20, batch_size=4, lr=0.0025),
    options=frozen(depth=3, average_mean=0.3, average_std=0.5),
    told="averaging 6 and 10 of 20 epochs; published from 16 shots of ImageNet",
)
OFFICIAL = frozen(
    **{
        BASE_TO_NEW: Official(
            "PromptSRC's repository, docs/TRAIN.md; PromptSRC/vit_b16_c2_ep20_batch4_4+4ctx.yaml",
            schedule=frozen(epochs=20, batch_size=4, lr=0.0025),
        ),
        FEW_SHOT: Official(
            "PromptSRC's repository, docs/TRAIN.md; PromptSRC/vit_b16_c2_ep50_batch4_4+4ctx_few_shot.yaml",
            schedule=frozen(epochs=50, batch_size=4, lr=0.0025),
            options=frozen(average_mean=0.6, average_std=0.6),
            cases=(
                Case(
                    datasets=("imagenet", "caltech101", "oxford_pets", "food101", "ucf101", "sun397"),
                    options=frozen(average_mean=0.6, average_std=0.6),
                ),
                Case(
                    datasets=("stanford_cars", "oxford_flowers", "fgvc_aircraft", "dtd", "eurosat"),
                    options=frozen(average_mean=0.9, average_std=0.1),
                ),
            ),
            told="averaging is 30 and 30 of 50 epochs, or 45 and 5, by data set; others get the first",
        ),
        CROSS_DATASET: FROM_IMAGENET,
        DOMAIN_SHIFT: FROM_IMAGENET,
    }
)


@final
class PromptSRC(IndependentPrompt):
    """Deep contexts in both towers, held to the frozen model, averaged over the epochs."""

    info = MethodInfo(
        name="promptsrc",
        title="PromptSRC",
        summary="deep contexts in both towers, held to the frozen model's features and predictions",
        paper="arXiv 2307.06948, equations 3 to 7",
        trains="depth x n_ctx x (d + d_v) numbers (depth x rank x (2 n_ctx + d + d_v) with rank)",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        fast=frozen(epochs=5, batch_size=32, lr=0.002),
        official=OFFICIAL,
        bibtex=bibtex("promptsrc"),
        notes="weights and 4 vectors in 9 layers are official (depth None: 9, or all of a shallower tower). "
        "average_mean and average_std are shares of the epochs, 0 for no averaging: 0.75 and 0.05 are the "
        "official 15 and 1 of 20 epochs from base to new. The frozen image tower is run beside the "
        "prompted one. rank, dropout, init_std, v_rate: low-rank contexts, our defaults",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        depth: int | None = None,
        between: str | None = None,
        text_weight: float = 25.0,
        image_weight: float = 10.0,
        logit_weight: float = 1.0,
        average_mean: float = 0.75,
        average_std: float = 0.05,
        rank: int | None = None,
        dropout: float = LOW_RANK_DROPOUT,
        init_std: float = LOW_RANK_STD,
        v_rate: float = LOW_RANK_V_RATE,
        seed: int = 1,
    ) -> None:
        shape = n_ctx, depth_in_both(backbone, depth, DEPTH)
        low_rank = LowRank(rank, dropout, init_std, v_rate)
        super().__init__(backbone, class_names, shape, (ctx_init, between), low_rank, seed)
        self.weights = checked_weights(text_weight, image_weight, logit_weight)
        self.average = _check_average(average_mean, average_std)
        self._epoch_weights: list[float] = []
        self._sums: dict[str, Tensor] = {}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, weights={self.weights}, average={self.average}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._fixed: Tensor | None = None

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes, images = self.class_features(), self.image_features(inputs)
        logits = self.backbone.logits(images, classes)
        loss = F.cross_entropy(logits, labels)
        if any(self.weights):
            if self._fixed is None:
                self._fixed = frozen_classes(self.backbone, self.class_names)
            fixed = self._fixed, frozen_images(self.backbone, inputs)
            loss = loss + consistency(self.backbone, (classes, images, logits), fixed, self.weights)
        return loss, logits

    # -- averaging over the epochs -----------------------------------------------------------------------

    def begin_training(self, data: TrainingData) -> None:
        self._epoch_weights = gaussian_weights(data.epochs, *self.average)
        self._sums = {name: torch.zeros_like(p) for name, p in self.trainables().items()}

    def training_state(self) -> dict[str, Tensor]:
        return self._sums

    def after_epoch(self, epoch: int) -> None:
        if self._epoch_weights:
            for name, parameter in self.trainables().items():
                self._sums[name] += self._epoch_weights[epoch] * parameter.detach()

    def end_training(self, data: TrainingData) -> None:
        if self._epoch_weights:
            with torch.no_grad():
                for name, parameter in self.trainables().items():
                    parameter.copy_(self._sums[name])
        self._sums = {}


def gaussian_weights(epochs: int, mean: float, std: float) -> list[float]:
    """Weights of the epochs 1 ... n, which sum to 1: a Gaussian at ``mean`` x n of width ``std`` x n.

    Empty for no averaging, where ``mean`` or ``std`` is 0.
    """
    if not mean or not std:
        return []
    exponents = [
        -((epoch - mean * epochs) ** 2) / (2 * (std * epochs) ** 2) for epoch in range(1, epochs + 1)
    ]
    largest = max(exponents)  # so that the nearest epoch counts, however narrow the Gaussian
    heights = [math.exp(exponent - largest) for exponent in exponents]
    return [height / sum(heights) for height in heights]


def _check_average(mean: float, std: float) -> tuple[float, float]:
    for name, value in (("average_mean", mean), ("average_std", std)):
        if not 0.0 <= value < float("inf"):
            raise OptionError(f"{name}={value!r} must be a share of the epochs, 0 or more, and finite")
    return float(mean), float(std)
