"""RLP: re-parameterised low-rank prompt (arXiv 2312.10813): P = P0 + dropout(U V), merged after training.

Known from the paper: the factorisation, the frozen full-rank start beside it, dropout on the low-rank branch,
merging, about half a thousand numbers. Unknown: learning rate, length, dropout rate, scale of the factors.
These are ours, chosen on validation images and validation classes (docs/explanation/rlp-defaults.md), and not
the paper's; so is how names never taught are answered (`new_names`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.new_names import ZERO_SHOT
from promptlet.methods.templates import TEMPLATE
from promptlet.methods.text_prompt import (
    LOW_RANK_DROPOUT,
    LOW_RANK_STD,
    LOW_RANK_V_RATE,
    TextPrompt,
    make_context,
)
from promptlet.papers import bibtex
from promptlet.prompts import LowRank

N_CTX = 4
HALF_A_THOUSAND = 600
"""Numbers that a rank may cost where none is asked for: rank 1 at CLIP ViT-B/16's width of 512."""


@final
class RLP(TextPrompt):
    """A low-rank update of a frozen context, learned with cross-entropy: r (n_ctx + d) numbers.

    rank: None takes the largest that costs at most ``budget`` numbers, up to half of n_ctx.
    budget: numbers that may be learned; None: 600, or what rank 1 costs in a tower too wide for that.
    """

    info = MethodInfo(
        name="rlp",
        title="RLP",
        summary="a low-rank update of a frozen context, merged after training",
        paper="arXiv 2312.10813",
        trains="rank x (n_ctx + d) numbers",
        unseen_classes=True,
        in_text_tower=True,
        fast=frozen(epochs=200),
        fast_whole=frozen(epochs=60, optimizer="lbfgs"),
        bibtex=bibtex("rlp"),
        notes="dropout, init_std, v_rate, the schedule and new_names are our choices; the paper's are not "
        "public. As in version 0.1.0: rlp:rank=1,dropout=0.3,v_rate=1,new_names=learned --epochs 120",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        rank: int | None = None,
        n_ctx: int = N_CTX,
        ctx_init: str | None = None,
        between: str | None = None,
        dropout: float = LOW_RANK_DROPOUT,
        init_std: float = LOW_RANK_STD,
        v_rate: float = LOW_RANK_V_RATE,
        budget: int | None = None,
        new_names: str = ZERO_SHOT,
        template: str = TEMPLATE,
        seed: int = 1,
    ) -> None:
        rank = resolve_rank(rank, budget, n_ctx, backbone.text.dim)
        low_rank = LowRank(rank, dropout, init_std, v_rate)
        context, init = make_context(backbone, ctx_init, n_ctx, seed, low_rank)
        super().__init__(backbone, class_names, context, init, n_ctx, new_names, template, between)
        self.rank = rank


def resolve_rank(rank: int | None, budget: int | None, n_ctx: int, dim: int) -> int:
    """The rank of a context of ``n_ctx`` vectors of width ``dim``: as asked, or as ``budget`` numbers allow.

    Raises OptionError where the asked rank, or any, costs more than an asked budget.
    """
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        raise OptionError(f"budget={budget!r} is not allowed; give how many numbers may be learned, or None")
    if not isinstance(rank, int | None) or isinstance(rank, bool):
        raise OptionError(f"rank={rank!r} is not allowed; give a whole number, or None for the budget's")
    costs = n_ctx + dim
    if rank is None:
        most = min((HALF_A_THOUSAND if budget is None else budget) // costs, max(1, n_ctx // 2))
        rank = max(1, most) if budget is None else most
    if budget is not None and (rank < 1 or rank * costs > budget):
        raise OptionError(
            f"budget={budget} numbers do not allow rank {max(rank, 1)} here: it costs "
            f"{max(rank, 1) * costs:,} (n_ctx={n_ctx}, d={dim}); give a budget of at least that, a lower "
            "rank or a shorter context, or leave budget out"
        )
    return rank
