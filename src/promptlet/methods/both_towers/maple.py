"""MaPLe: multi-modal prompt learning (Khattak et al., CVPR 2023, arXiv 2210.03117).

Text contexts in the first layers; the image tower's contexts are linear maps of them, one map per layer
(equation 8). As in the official code, all maps below the first layer start alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.methods.both_towers.deep_prompt import (
    DEPTH,
    TwoTowerPrompt,
    current,
    depth_in_both,
    resolve_between,
    text_start,
)
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.official import BASE_TO_NEW, CROSS_DATASET, DOMAIN_SHIFT, Official
from promptlet.methods.text_prompt import LOW_RANK_DROPOUT, LOW_RANK_STD, LOW_RANK_V_RATE
from promptlet.papers import bibtex
from promptlet.prompts import LowRank, context_from

FROM_IMAGENET = Official(
    "MaPLe's repository, docs/RUN.md; MaPLe/vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml",
    schedule=frozen(epochs=2, batch_size=4, lr=0.0026),
    options=frozen(depth=3),
    told="published from 16 shots of ImageNet",
)
OFFICIAL = frozen(
    **{
        BASE_TO_NEW: Official(
            "MaPLe's repository, MaPLe/vit_b16_c2_ep5_batch4_2ctx.yaml",
            schedule=frozen(epochs=5, batch_size=4, lr=0.0035),
        ),
        CROSS_DATASET: FROM_IMAGENET,
        DOMAIN_SHIFT: FROM_IMAGENET,
    }
)


@final
class MaPLe(TwoTowerPrompt):
    """Deep text contexts, and image contexts coupled to them by learned linear maps."""

    info = MethodInfo(
        name="maple",
        title="MaPLe",
        summary="deep text contexts, and image contexts that are linear maps of them",
        paper="arXiv 2210.03117, equations 5 to 8",
        trains="depth x (n_ctx x d + d x d_v + d_v) numbers (rank x (n_ctx + d) for n_ctx x d with rank)",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        fast=frozen(epochs=10, batch_size=32, lr=0.005),
        official=OFFICIAL,
        bibtex=bibtex("maple"),
        notes='official: 2 vectors ("a photo", with "of a" frozen behind them) in 9 layers (depth None: 9, '
        "or all of a shallower tower); rank makes the text contexts low-rank, the linear maps stay full: our "
        "reading of RLP on MaPLe, with our dropout, init_std and v_rate",
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
        self.depth = depth_in_both(backbone, depth, DEPTH)
        super().__init__(backbone, class_names)
        start, self.init = text_start(backbone, ctx_init, n_ctx, self.depth, seed)
        self.between = resolve_between(between, ctx_init, n_ctx)
        self.text = context_from(start, LowRank(rank, dropout, init_std, v_rate), seed, "/text")
        self.coupling = Coupling(self.depth, backbone.text.dim, backbone.images.dim, seed).to(start.device)
        self.n_ctx, self.rank, self.seed = n_ctx, rank, seed

    def text_context(self) -> Tensor:
        return current(self.text)

    def image_context(self) -> Tensor:
        return self.coupling(current(self.text))  # type: ignore[no-any-return]

    def tensors(self) -> dict[str, Tensor]:
        return {**super().tensors(), **{f"coupling.{n}": p for n, p in self.coupling.named_parameters()}}

    def stored_options(self) -> dict[str, str | int | float | bool]:
        start = {} if self.rank is None else {"seed": self.seed}  # of the frozen starts below the input
        return {"depth": self.depth, "between": self.between, **start}


class Coupling(nn.Module):
    """One linear map per layer from text contexts (depth, n_ctx, d) to image contexts (depth, n_ctx, d_v)."""

    def __init__(self, depth: int, dim: int, image_dim: int, seed: int) -> None:
        super().__init__()
        draws = [_drawn(f"coupling/{i}", seed, dim, image_dim) for i in range(min(depth, 2))]
        maps = np.stack([draws[min(layer, 1)] for layer in range(depth)])
        self.weight = nn.Parameter(torch.from_numpy(maps[..., :dim].copy()))  # (depth, d_v, d)
        self.bias = nn.Parameter(torch.from_numpy(maps[..., dim].copy()))  # (depth, d_v)

    def extra_repr(self) -> str:
        return f"shape={tuple(self.weight.shape)}"

    def forward(self, context: Tensor) -> Tensor:
        return context @ self.weight.transpose(1, 2) + self.bias[:, None]


def _drawn(purpose: str, seed: int, dim: int, image_dim: int) -> np.ndarray:
    """Weight and bias (d_v, d + 1) as torch's own linear layers start: uniform within 1 / sqrt(d)."""
    draw = rng.generator(purpose, seed).uniform(-(dim**-0.5), dim**-0.5, (image_dim, dim + 1))
    return draw.astype(np.float32)
