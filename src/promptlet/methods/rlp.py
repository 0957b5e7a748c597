"""RLP: re-parameterised low-rank prompt (arXiv 2312.10813): P = P0 + dropout(U V), merged after training.

Known from the paper: the factorisation, the frozen full-rank start beside it, dropout on the low-rank branch,
merging. Unknown: learning rate, dropout rate, scale of the factors. The defaults of the last two are ours,
chosen on validation images (docs/rlp-defaults.md), and are not the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from promptlet.backbones import Backbone
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.text_prompt import LOW_RANK_DROPOUT, LOW_RANK_STD, TextPrompt, make_context
from promptlet.papers import bibtex


@final
class RLP(TextPrompt):
    """A low-rank update of a frozen context, learned with cross-entropy: r (n_ctx + d) numbers."""

    info = MethodInfo(
        name="rlp",
        title="RLP",
        summary="a low-rank update of a frozen context, with dropout, merged after training",
        paper="arXiv 2312.10813",
        trains="rank x (n_ctx + d) numbers",
        unseen_classes=True,
        in_text_tower=True,
        options=frozen(
            rank=1, n_ctx=4, ctx_init=None, dropout=LOW_RANK_DROPOUT, init_std=LOW_RANK_STD, seed=1
        ),
        bibtex=bibtex("rlp"),
        notes="dropout, init_std and the learning rate are our choices; the paper's are not public",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        rank: int = 1,
        n_ctx: int = 4,
        ctx_init: str | None = None,
        dropout: float = LOW_RANK_DROPOUT,
        init_std: float = LOW_RANK_STD,
        seed: int = 1,
    ) -> None:
        context, init = make_context(backbone, ctx_init, n_ctx, seed, rank, dropout, init_std)
        super().__init__(backbone, class_names, context, init, n_ctx)
        self.rank = rank
