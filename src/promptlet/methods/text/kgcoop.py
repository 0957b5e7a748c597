"""KgCoOp: knowledge-guided context optimisation (Yao et al., CVPR 2023, arXiv 2303.13283)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.methods.anchored import TEXTURES, AnchoredPrompt
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.new_names import LEARNED
from promptlet.methods.official import BASE_TO_NEW, CROSS_DATASET, Official
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
    **{
        BASE_TO_NEW: Official(
            "KgCoOp's repository, KgCoOp/vit_b16_ep100_ctxv1.yaml",
            schedule=frozen(epochs=100, batch_size=128),
        ),
        CROSS_DATASET: Official(
            "KgCoOp's repository, KgCoOp/vit_b16_ep100_ctxv1.yaml and xd_train.sh",
            schedule=frozen(epochs=100, batch_size=128),
            told="the script takes 4 shots of ImageNet",
        ),
    }
)


@final
class KgCoOp(AnchoredPrompt):
    """Cross-entropy plus ``weight`` times the mean distance 1 - cos to the hand-written prompts' features."""

    info = MethodInfo(
        name="kgcoop",
        title="KgCoOp",
        summary="a context held near the hand-written prompt by the cosine of their class features",
        paper="arXiv 2303.13283, equation 5",
        trains="n_ctx x d numbers (rank x (n_ctx + d) with rank)",
        unseen_classes=True,
        in_text_tower=True,
        fast_whole=frozen(epochs=40, optimizer="lbfgs"),
        official=OFFICIAL,
        templates=TEXTURES,
        bibtex=bibtex("kgcoop"),
        notes="weight 8 is official; on DTD the anchor is its code's own, not CoOp's; rank, dropout, "
        "init_std and v_rate make RLP's low-rank context, our defaults",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        weight: float = 8.0,
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
        super().__init__(backbone, class_names, context, init, n_ctx, new_names, template, between)
        self.rank = rank

    def loss(self, image_features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes = self.class_features()
        loss, logits = self.cross_entropy(image_features, labels, classes)
        distance = 1.0 - torch.linalg.vecdot(classes, self.anchor()).mean()
        return loss + self.weight * distance, logits
