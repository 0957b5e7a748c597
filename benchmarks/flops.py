"""Floating-point work of the matrix products that the engine executes: by formula, and counted as it runs.

Two per multiply-add. Products only: no norm, softmax, activation or addition. Empty slots of tiles are
executed, hence counted; work done a second time (chunks recomputed in the backward) is counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from promptlet.backbones.text_engine import Plan, TextEngine

PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "addmm_": 1, "baddbmm": 1, "baddbmm_": 1}  # first operand's place


@dataclass(frozen=True)
class Work:
    """Products of one step, and the token positions computed (prefixes included, once per chunk)."""

    forward: int
    backward: int
    recomputed: int
    rows: int
    chunks: int
    recomputed_chunks: int

    @property
    def useful(self) -> int:
        """Forward and backward, each once."""
        return self.forward + self.backward


def engine_work(engine: TextEngine, sequences: Sequence[tuple[int, ...]], n_ctx: int) -> Work:
    """The work of `TextEngine.encode` for one shared context that enters at the input, and its backward."""
    plan: Plan = engine._plan(tuple(sequences), n_ctx, False, engine.max_rows)
    prefix, budget = 1 + n_ctx, engine.keep_bytes
    forward = backward = recomputed = again = 0
    for chunk in plan.chunks:
        rows = prefix + int(chunk.tokens.numel())
        once = _forward(engine, chunk, prefix)
        forward += once
        backward += _backward(engine, chunk, prefix)
        needed = rows * engine._bytes_per_row(chunk, prefix)
        if needed <= budget:
            budget -= needed
        else:
            recomputed, again = recomputed + once, again + 1
    return Work(forward, backward, recomputed, plan.rows + prefix * len(plan.chunks), len(plan.chunks), again)


def _sizes(engine: TextEngine, chunk: Any, prefix: int) -> tuple[int, int, int, int, int, int]:
    """Width d, hidden width, output width, rows, leaves, (query, key) pairs of one head."""
    tower = engine.tower
    tiles, tile, _ = chunk.visible.shape
    pairs = prefix * prefix + tiles * tile * (prefix + tile)
    hidden, out = tower.blocks[0].up.weight.shape[0], tower.projection.weight.shape[0]
    return tower.dim, hidden, out, prefix + tiles * tile, int(chunk.leaves.numel()), pairs


def _forward(engine: TextEngine, chunk: Any, prefix: int) -> int:
    d, hidden, out, rows, leaves, pairs = _sizes(engine, chunk, prefix)
    blocks = len(engine.tower.blocks)
    reach = (blocks - 1) * rows + leaves  # rows that go on after attention, all blocks
    qkv = blocks * rows * 3 * d * d
    attention = blocks * 2 * pairs * d  # scores, weighted values
    return 2 * (qkv + attention + reach * (d * d + 2 * d * hidden) + leaves * d * out)


def _backward(engine: TextEngine, chunk: Any, prefix: int) -> int:
    d, hidden, out, rows, leaves, pairs = _sizes(engine, chunk, prefix)
    blocks = len(engine.tower.blocks)
    reach = (blocks - 1) * rows + leaves
    qkv = ((blocks - 1) * rows + prefix) * 3 * d * d  # first block: prefix rows only
    attention = blocks * 4 * pairs * d - (pairs - prefix * prefix) * d  # first block: no tile queries
    return 2 * (qkv + attention + reach * (d * d + 2 * d * hidden) + leaves * d * out)


class _Counter(TorchDispatchMode):
    """Counts the products that reach the kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        at = PRODUCTS.get(func.overloadpacket.__name__)
        if at is not None:
            self.total += 2 * math.prod(args[at].shape) * args[at + 1].shape[-1]
        return func(*args, **(kwargs or {}))


def counted(step: Callable[[], object]) -> int:
    """Work of the products that ``step`` executes, recomputation included: the check on the formulas."""
    with _Counter() as counter:
        step()
    return counter.total
