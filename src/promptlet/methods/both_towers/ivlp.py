"""IVLP: independent vision-language prompting, MaPLe's baseline (arXiv 2210.03117, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from promptlet.backbones import Backbone
from promptlet.methods.both_towers.deep_prompt import IndependentPrompt, depth_in_both
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.official import BASE_TO_NEW, Official
from promptlet.methods.text_prompt import LOW_RANK_DROPOUT, LOW_RANK_STD, LOW_RANK_V_RATE
from promptlet.papers import bibtex
from promptlet.prompts import LowRank

DEPTH = 12
OFFICIAL = frozen(
    **{
        BASE_TO_NEW: Official(
            "MaPLe's repository, IVLP/vit_b16_c2_ep5_batch4_2+2ctx.yaml",
            schedule=frozen(epochs=5, batch_size=4, lr=0.0035),
            told="PromptSRC's repository runs IVLP with 4 vectors in 9 layers, 20 epochs at lr 0.0025: "
            "n_ctx=4, depth=9",
        )
    }
)


@final
class IVLP(IndependentPrompt):
    """Deep contexts in both towers, nothing between them, learned with cross-entropy."""

    info = MethodInfo(
        name="ivlp",
        title="IVLP",
        summary="deep contexts in both towers, independent of each other",
        paper="arXiv 2210.03117, section 4.2",
        trains="depth x n_ctx x (d + d_v) numbers (depth x rank x (2 n_ctx + d + d_v) with rank)",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        fast=frozen(epochs=10, batch_size=32, lr=0.005),
        official=OFFICIAL,
        bibtex=bibtex("ivlp"),
        notes='official: 2 vectors ("a photo", with "of a" frozen behind them) in 12 layers (depth None: 12, '
        "or all of a shallower tower); rank, dropout, init_std, v_rate make low-rank contexts, our defaults",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 2,
        ctx_init: str | None = None,
        depth: int | None = None,
        between: str | None = None,
        rank: int | None = None,
        dropout: float = LOW_RANK_DROPOUT,
        init_std: float = LOW_RANK_STD,
        v_rate: float = LOW_RANK_V_RATE,
        seed: int = 1,
    ) -> None:
        shape = n_ctx, depth_in_both(backbone, depth, DEPTH)
        low_rank = LowRank(rank, dropout, init_std, v_rate)
        super().__init__(backbone, class_names, shape, (ctx_init, between), low_rank, seed)
