"""QCoOp: quantised prompts (Hao et al., ECCV 2024, arXiv 2407.10704): a context of a few different numbers.

Known from published summaries: CoOp with the context quantised in training by k-means, 2^bits clusters, and a
straight-through gradient; 0.26 KB for 4 x 512 numbers, which is one bit a number and two centres in fp16.
There, clusters are made anew only now and then (the thresholds are not public); here, at every step. The
summaries' z-score before k-means is left out: the clusters of an affine map are the map of the clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.method import MethodInfo
from promptlet.methods.new_names import LEARNED
from promptlet.methods.templates import TEMPLATE
from promptlet.methods.text_prompt import LOW_RANK_STD, LOW_RANK_V_RATE, TextPrompt, make_context
from promptlet.papers import bibtex
from promptlet.promptfile.kmeans import cluster
from promptlet.prompts import Context, LowRank

BITS = (1, 2, 4)


@final
class QCoOp(TextPrompt):
    """A context, or the two factors of a low-rank update, of at most 2^bits different numbers each."""

    info = MethodInfo(
        name="qcoop",
        title="QCoOp",
        summary="a context quantised in training: 1, 2 or 4 bits a number, files of some hundred bytes",
        paper="arXiv 2407.10704",
        trains="n_ctx x d numbers of 2^bits values (rank x (n_ctx + d) with rank)",
        unseen_classes=True,
        in_text_tower=True,
        bibtex=bibtex("qcoop"),
        notes="no code is public: clusters are made anew at every step, and the schedule is CoOp's, by our "
        "choice; rank quantises the factors of RLP's update, without dropout: ours",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        bits: int = 1,
        rank: int | None = None,
        init_std: float = LOW_RANK_STD,
        v_rate: float = LOW_RANK_V_RATE,
        new_names: str = LEARNED,
        template: str = TEMPLATE,
        seed: int = 1,
    ) -> None:
        if isinstance(bits, bool) or bits not in BITS:
            raise OptionError(f"bits={bits!r} is not allowed; give one of {', '.join(map(str, BITS))}")
        low_rank = LowRank(rank, 0.0, init_std, v_rate)
        inner, init = make_context(backbone, ctx_init, n_ctx, seed, low_rank)
        context = Quantised(inner, bits)
        super().__init__(backbone, class_names, context, init, n_ctx, new_names, template, between)
        self.rank, self.bits = rank, bits

    asks_host = "NumPy finds its clusters, so that a file holds the very numbers that were trained"

    def state(self) -> dict[str, np.ndarray]:
        assert isinstance(self.context, Quantised)
        return {name: t.cpu().numpy().copy() for name, t in self.context.quantised().items()}

    def stored_options(self) -> dict[str, str | int | float | bool]:
        bits = {} if self.bits == 1 else {"bits": self.bits}
        return {**super().stored_options(), **bits}

    def stored_precision(self) -> str:
        return f"kmeans{self.bits}"


class Quantised(Context):
    """Another parametrisation, each tensor rounded to 2^bits centres of its own; gradients pass through."""

    def __init__(self, inner: Context, bits: int) -> None:
        super().__init__()
        self.inner = inner
        self.bits = bits

    def extra_repr(self) -> str:
        return f"bits={self.bits}"

    def forward(self) -> Tensor:
        rounded = self.quantised()
        return self._joined({n: t + (rounded[n] - t).detach() for n, t in self.inner.tensors().items()})

    def merged(self) -> Tensor:
        return self._joined(self.quantised())

    def tensors(self) -> dict[str, Tensor]:
        return self.inner.tensors()

    def quantised(self) -> dict[str, Tensor]:
        """The tensors as they are stored: at most 2^bits values each, exact in fp16; no gradient."""
        return {name: _rounded(tensor.detach(), self.bits) for name, tensor in self.inner.tensors().items()}

    def _joined(self, tensors: dict[str, Tensor]) -> Tensor:
        if "P" in tensors:
            return tensors["P"]
        start = self.inner.P0
        assert isinstance(start, Tensor)
        return start + tensors["U"] @ tensors["V"]


def _rounded(tensor: Tensor, bits: int) -> Tensor:
    codebook, codes = cluster(tensor.cpu().float().numpy(), bits)
    return torch.from_numpy(codebook[codes]).to(tensor.device)
