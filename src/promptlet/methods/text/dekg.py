"""DeKg: KgCoOp with a term for independence of the hand-written prompts (Li et al., ICLR 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.methods.anchored import TEXTURES, AnchoredPrompt
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.new_names import LEARNED
from promptlet.methods.official import BASE_TO_NEW, Official
from promptlet.methods.templates import TEMPLATE
from promptlet.methods.text_prompt import (
    LOW_RANK_DROPOUT,
    LOW_RANK_STD,
    LOW_RANK_V_RATE,
    check_weight,
    make_context,
)
from promptlet.papers import bibtex
from promptlet.prompts import LowRank

OFFICIAL = frozen(
    **{BASE_TO_NEW: Official("DeKg's repository", schedule=frozen(epochs=100, batch_size=128))},
)


@final
class DeKg(AnchoredPrompt):
    """Cross-entropy plus ``weight`` times KgCoOp's mean distance plus ``independence`` times `dependence`.

    The distance 1 - cos holds each class to its hand-written prompt; the second term wants that how the
    learned classes differ tells little of how the hand-written ones do.
    """

    info = MethodInfo(
        name="dekg",
        title="DeKg",
        summary="KgCoOp whose class features shall also depend less on the hand-written ones",
        paper="ICLR 2025 (openreview 6wOmHdwCC4)",
        trains="n_ctx x d numbers (rank x (n_ctx + d) with rank)",
        unseen_classes=True,
        in_text_tower=True,
        official=OFFICIAL,
        templates=TEXTURES,
        bibtex=bibtex("dekg"),
        notes="weight 8 and independence 6 are official, the same for every data set; on DTD the anchor is "
        "KgCoOp's own, as in its code. With sampled classes the dependence is that of the classes of a step. "
        "rank, dropout, init_std, v_rate: RLP's low-rank context, our defaults",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        weight: float = 8.0,
        independence: float = 6.0,
        template: str = TEMPLATE,
        new_names: str = LEARNED,
        rank: int | None = None,
        dropout: float = LOW_RANK_DROPOUT,
        init_std: float = LOW_RANK_STD,
        v_rate: float = LOW_RANK_V_RATE,
        seed: int = 1,
    ) -> None:
        low_rank = LowRank(rank, dropout, init_std, v_rate)
        context, init = make_context(backbone, ctx_init, n_ctx, seed, low_rank)
        self.weight = check_weight("weight", weight)
        self.independence = check_weight("independence", independence)
        super().__init__(backbone, class_names, context, init, n_ctx, new_names, template, between)
        self.rank = rank

    def loss(self, image_features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes, anchor = self.class_features(), self.anchor()
        loss, logits = self.cross_entropy(image_features, labels, classes)
        distance = 1.0 - torch.linalg.vecdot(classes, anchor).mean()
        return loss + self.weight * distance + self.independence * dependence(classes, anchor), logits


def dependence(classes: Tensor, anchor: Tensor) -> Tensor:
    """The Hilbert-Schmidt independence criterion, with linear kernels, of features (C, D) and (C, D'), each
    divided by its Frobenius norm: tr(H K H K') with H = I - 1/C, which is |W' H W|^2 without any (C, C)."""
    one, other = (each / torch.linalg.matrix_norm(each) for each in (classes, anchor))
    together: Tensor = (one - one.mean(0)).T @ other
    return together.square().sum()
