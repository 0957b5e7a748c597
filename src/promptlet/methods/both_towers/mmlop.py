"""MMLoP: multi-modal low-rank prompting (Ghiasvand et al., arXiv 2602.21397), as far as it is known.

Known from the abstract and a published summary: in each layer the text context is ``U V_t`` and the image
context ``U V_v`` with one shared ``U``; about 11.5K numbers, which rank 1 in 9 layers makes; consistency with
the frozen model in features and logits, with 60 templates; and a uniform drift correction: the mean over the
classes of (prompted - frozen) class features is taken away. No code is public. The start, the weights of the
terms (PromptSRC's), where features are normalised and the schedule are our choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.both_towers.consistency import (
    checked_weights,
    consistency,
    frozen_classes,
    frozen_images,
)
from promptlet.methods.both_towers.deep_prompt import DEPTH, TwoTowerPrompt, depth_in_both, resolve_between
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.text_prompt import resolve_init
from promptlet.papers import bibtex
from promptlet.prompts import START_STD


@final
class MMLoP(TwoTowerPrompt):
    """Low-rank contexts in the layers of both towers, with one factor in common."""

    info = MethodInfo(
        name="mmlop",
        title="MMLoP",
        summary="deep low-rank contexts in both towers with a shared factor, held to the frozen model",
        paper="arXiv 2602.21397",
        trains="depth x rank x (n_ctx + d + d_v) numbers",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        fast=frozen(epochs=10, batch_size=32, lr=0.002),
        bibtex=bibtex("mmlop"),
        notes="no code and no list of settings is public: start, weights of the terms, normalisation and "
        "schedule are our choices; depth None: 9, or all layers of a shallower tower",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        rank: int = 1,
        n_ctx: int = 4,
        ctx_init: str | None = None,
        depth: int | None = None,
        between: str | None = None,
        text_weight: float = 25.0,
        image_weight: float = 10.0,
        logit_weight: float = 1.0,
        drift_correction: bool = True,
        seed: int = 1,
    ) -> None:
        self.depth = depth_in_both(backbone, depth, DEPTH)
        super().__init__(backbone, class_names)
        words, self.init = resolve_init(backbone, ctx_init, n_ctx, seed)
        self.between = resolve_between(between, ctx_init, n_ctx)
        self.factors = SharedFactors(words, self.depth, rank, backbone.images.dim, seed)
        self.weights = checked_weights(text_weight, image_weight, logit_weight)
        self.drift_correction = bool(drift_correction)
        self.n_ctx, self.rank = n_ctx, rank

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, weights={self.weights}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._fixed: Tensor | None = None

    def text_context(self) -> Tensor:
        return self.factors.text()

    def image_context(self) -> Tensor:
        return self.factors.image()

    def fixed_classes(self) -> Tensor:
        """The frozen model's normalised features (C, D) of the current classes; no gradient."""
        if self._fixed is None:
            self._fixed = frozen_classes(self.backbone, self.class_names)
        return self._fixed

    def class_features(self) -> Tensor:
        prompted = super().class_features()
        return without_drift(prompted, self.fixed_classes()) if self.drift_correction else prompted

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes, images = self.class_features(), self.image_features(inputs)
        logits = self.backbone.logits(images, classes)
        loss = F.cross_entropy(logits, labels)
        if any(self.weights):
            fixed = self.fixed_classes(), frozen_images(self.backbone, inputs)
            loss = loss + consistency(self.backbone, (classes, images, logits), fixed, self.weights)
        return loss, logits

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.factors.named_parameters())

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"depth": self.depth, "between": self.between, "drift_correction": self.drift_correction}


class SharedFactors(nn.Module):
    """U (depth, n_ctx, r), shared; V_text (depth, r, d) and V_image (depth, r, d_v).

    The first layer's text context is the frozen words plus ``U V_text``; all others are the products alone.
    U starts with standard deviation 1, both V with 0.02: contexts start as random ones of 0.02 (our choice).
    """

    words: Tensor

    def __init__(self, words: Tensor, depth: int, rank: int, image_dim: int, seed: int) -> None:
        super().__init__()
        n_ctx, dim = words.shape
        if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= n_ctx:
            raise OptionError(f"rank={rank!r} is outside 1..{n_ctx} (n_ctx={n_ctx})")
        self.register_buffer("words", words.detach().clone())

        def drawn(name: str, shape: tuple[int, ...], std: float) -> nn.Parameter:
            numbers = torch.from_numpy(rng.normal(f"mmlop/{name}", seed, shape, std))
            return nn.Parameter(numbers.to(words.device))

        self.U = drawn("U", (depth, n_ctx, rank), 1.0)
        self.V_text = drawn("V_text", (depth, rank, dim), START_STD)
        self.V_image = drawn("V_image", (depth, rank, image_dim), START_STD)

    def text(self) -> Tensor:
        """(depth, n_ctx, d)."""
        product = self.U @ self.V_text
        return torch.cat([product[:1] + self.words, product[1:]])

    def image(self) -> Tensor:
        """(depth, n_ctx, d_v)."""
        return self.U @ self.V_image


def without_drift(prompted: Tensor, fixed: Tensor) -> Tensor:
    """Normalised ``prompted`` less the mean over the classes of ``prompted - fixed``; all (C, D)."""
    return F.normalize(prompted - (prompted - fixed).mean(0, keepdim=True), dim=-1)
