"""The learned part of a prompt: a context of ``n_ctx`` vectors of width d, in one of two parametrisations.

``FullContext``: every number is free, as in CoOp (arXiv 2109.01134, section 3.2).
``LowRankContext``: ``P = P0 + dropout(U V)`` with P0 frozen, as RLP describes it (arXiv 2312.10813): U starts
at zero, so that training starts exactly at P0; dropout acts on the low-rank branch alone; afterwards both
branches merge into one plain matrix. The scale of V and the dropout rate are our own choices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from promptlet import rng
from promptlet.errors import OptionError
from promptlet.session import without_waiting

START_STD = 0.02  # CoOp's random start, and the scale of a CLIP token embedding's random start
DEFAULT_WORDS = "a photo of a"


def start_from_seed(n_ctx: int, dim: int, seed: int, classes: int | None = None) -> Tensor:
    """A random start (n_ctx, d) of standard deviation 0.02, from the library's own generator.

    classes: (classes, n_ctx, d), one draw after the other, of which the first is that without ``classes``.
    """
    shape = (n_ctx, dim) if classes is None else (classes, n_ctx, dim)
    return torch.from_numpy(rng.normal("context", seed, shape, START_STD))


def deep_start(stream: str, seed: int, shape: tuple[int, int, int]) -> Tensor:
    """A random start (depth, n_ctx, d) of contexts below the input, of standard deviation 0.02."""
    return torch.from_numpy(rng.normal(f"deep-context/{stream}", seed, shape, START_STD))


def load_tensors(own: Mapping[str, Tensor], given: Mapping[str, np.ndarray], whose: str) -> None:
    """Copy ``given`` into ``own``. Raises OptionError for other names or shapes; nothing is taken then."""
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
    found = {name: tuple(np.shape(array)) for name, array in given.items()}
    if found != wanted:
        raise OptionError(f"the learned tensors have shapes {found}; {whose} has {wanted}")
    with torch.no_grad():
        for name, target in own.items():
            target.copy_(torch.from_numpy(np.asarray(given[name], dtype=np.float32)))


class Context(nn.Module, ABC):
    """A parametrisation: called without arguments, gives the context (..., n_ctx, d)."""

    @abstractmethod
    def forward(self) -> Tensor:
        """The context of this training step."""

    @abstractmethod
    def merged(self) -> Tensor:
        """The one plain matrix used after training, detached."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What a prompt file stores, by name; `load` takes it back."""

    def begin_step(self, step: int) -> None:
        """Called before each training step; parametrisations with randomness draw here."""

    def rates(self) -> dict[str, float]:
        """What the schedule's learning rate is multiplied with, by parameter; 1 for those not named."""
        return {}

    def load(self, tensors: dict[str, np.ndarray]) -> None:
        """Take what `tensors` gave. Raises OptionError for other names or shapes; nothing is taken then."""
        load_tensors(self.tensors(), tensors, "this context")


class FullContext(Context):
    """Every number is free. Shape (n_ctx, d); (C, n_ctx, d), one per class; or (depth, n_ctx, d)."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.P = nn.Parameter(start.detach().clone())

    def extra_repr(self) -> str:
        return f"shape={tuple(self.P.shape)}"

    def forward(self) -> Tensor:
        return self.P

    def merged(self) -> Tensor:
        return self.P.detach().clone()

    def tensors(self) -> dict[str, Tensor]:
        return {"P": self.P}


class LowRankContext(Context):
    """``P0 + dropout(U V)``: U (..., n_ctx, r) starts at zero, V (..., r, d) at random; for a start
    (n_ctx, d) that makes r (n_ctx + d) learned numbers, for (depth, n_ctx, d) as many in each layer.

    dropout: probability that one number of ``U V`` is left out of a step (the others are scaled up).
    init_std: standard deviation of V at the start. seed: for V and for what dropout leaves out. stream: tells
    apart what several contexts of one method draw. v_rate: V's learning rate over U's. One for each factor is
    LoRA+'s idea (Hayou et al., arXiv 2402.12354); the ratio is ours.
    """

    P0: Tensor

    def __init__(
        self,
        start: Tensor,
        rank: int,
        dropout: float,
        init_std: float,
        seed: int,
        stream: str = "",
        v_rate: float = 1.0,
    ) -> None:
        super().__init__()
        *layers, n_ctx, dim = start.shape
        if not 1 <= rank <= min(n_ctx, dim):
            raise OptionError(f"rank={rank} is outside 1..{min(n_ctx, dim)} (n_ctx={n_ctx}, d={dim})")
        if not (isinstance(dropout, float | int | np.number) and 0.0 <= dropout < 1.0):
            raise OptionError(f"dropout={dropout!r} is outside 0 <= dropout < 1")
        if not (isinstance(init_std, float | int | np.number) and 0.0 < init_std < float("inf")):
            raise OptionError(f"init_std={init_std!r} must be a number above 0 and finite")
        if not (isinstance(v_rate, float | int | np.number) and 0.0 < v_rate < float("inf")):
            raise OptionError(f"v_rate={v_rate!r} must be a number above 0 and finite")
        self.register_buffer("P0", start.detach().clone())
        self.U = nn.Parameter(torch.zeros(*layers, n_ctx, rank, dtype=torch.float32, device=start.device))
        factor = torch.from_numpy(rng.normal(f"low-rank{stream}", seed, (*layers, rank, dim), init_std))
        self.V = nn.Parameter(factor.to(start.device))
        self.dropout = dropout
        self.seed = seed
        self.stream = stream
        self.v_rate = float(v_rate)
        self._start = f"init_std={init_std}, seed={seed}"
        self._keep: Tensor | None = None

    def extra_repr(self) -> str:
        *layers, rank, dim = self.V.shape
        shape = f"n_ctx={self.P0.shape[-2]}, d={dim}, rank={rank}, dropout={self.dropout}, {self._start}"
        shape += "" if self.v_rate == 1 else f", v_rate={self.v_rate:g}"
        return f"layers={layers[0]}, {shape}" if layers else shape

    def begin_step(self, step: int) -> None:
        if self.dropout > 0:
            draw = rng.generator(f"dropout{self.stream}/{step}", self.seed).random(tuple(self.P0.shape))
            keep = torch.from_numpy((draw >= self.dropout).astype(np.float32) / (1 - self.dropout))
            keep = without_waiting(keep, self.P0.device)
            if self._keep is not None and keep.device.type == "cuda":  # a captured step reads it where it was
                self._keep.copy_(keep)
            else:
                self._keep = keep

    def rates(self) -> dict[str, float]:
        return {"V": self.v_rate}

    def forward(self) -> Tensor:
        update = self.U @ self.V
        if self.training and self._keep is not None:
            update = update * self._keep
        return self.P0 + update

    def merged(self) -> Tensor:
        return (self.P0 + self.U @ self.V).detach()

    def tensors(self) -> dict[str, Tensor]:
        return {"U": self.U, "V": self.V}


class LowRank(NamedTuple):
    """Options of a low-rank context, as methods take them; see `LowRankContext`. rank None: a full one."""

    rank: int | None
    dropout: float
    init_std: float
    v_rate: float


FULL = LowRank(None, 0.0, START_STD, 1.0)


def context_from(start: Tensor, low_rank: LowRank, seed: int, stream: str = "") -> Context:
    """A full context, or a low-rank one (in each layer, where there are several) where a rank is given."""
    rank = low_rank.rank
    if rank is None:
        return FullContext(start)
    if not isinstance(rank, int) or isinstance(rank, bool):
        raise OptionError(f"rank={rank!r} is not allowed; give a whole number, or None for a full context")
    return LowRankContext(start, rank, low_rank.dropout, low_rank.init_std, seed, stream, low_rank.v_rate)
