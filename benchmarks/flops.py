"""Floating-point work of the matrix products that the engine executes: by formula, and counted as it runs.

Two per multiply-add. Products only: no norm, softmax, activation or addition. Attention's empty slots are
executed, hence counted; work done a second time (chunks recomputed in the backward) is counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from promptlet.backbones.text_engine import PackedChunk, Plan, TextEngine

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
        once = _forward(engine, chunk, prefix)
        forward += once
        backward += _backward(engine, chunk, prefix)
        needed = engine._kept_bytes(chunk)
        if needed <= budget:
            budget -= needed
        else:
            recomputed, again = recomputed + once, again + 1
    return Work(forward, backward, recomputed, plan.rows + prefix * len(plan.chunks), len(plan.chunks), again)


def _sizes(engine: TextEngine, chunk: PackedChunk, prefix: int) -> tuple[int, int, int, int, int, int]:
    """Width d, hidden width, output width, rows, leaves, (query, key) pairs of one head."""
    tower = engine.tower
    hidden, out = tower.blocks[0].up.weight.shape[0], tower.projection.weight.shape[0]
    rows = prefix + int(chunk.tokens.numel())
    return tower.dim, hidden, out, rows, int(chunk.leaves.numel()), int(chunk.slots.seen.numel())


def _forward(engine: TextEngine, chunk: PackedChunk, prefix: int) -> int:
    d, hidden, out, rows, leaves, pairs = _sizes(engine, chunk, prefix)
    blocks = len(engine.tower.blocks)
    reach = (blocks - 1) * rows + leaves  # rows that go on after attention, all blocks
    qkv = blocks * rows * 3 * d * d
    attention = blocks * 2 * pairs * d  # scores, weighted values
    return 2 * (qkv + attention + reach * (d * d + 2 * d * hidden) + leaves * d * out)


def _backward(engine: TextEngine, chunk: PackedChunk, prefix: int) -> int:
    d, hidden, out, rows, leaves, pairs = _sizes(engine, chunk, prefix)
    blocks = len(engine.tower.blocks)
    reach = (blocks - 1) * rows + leaves
    qkv = ((blocks - 1) * rows + prefix) * 3 * d * d  # first block: prefix rows only
    attention = blocks * 4 * pairs * d  # gradients of weights, values, queries, keys
    return 2 * (qkv + attention + reach * (d * d + 2 * d * hidden) + leaves * d * out)


class _Counter(TorchDispatchMode):
    """Counts the products that reach the kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in PRODUCTS:
            at = PRODUCTS[name]
            self.total += 2 * math.prod(args[at].shape) * args[at + 1].shape[-1]
        elif name == "_linear_pointwise":  # oneDNN's: input, (what is added,) weight (out, in), ...
            weight = args[2 if func._overloadname == "binary" else 1]
            self.total += 2 * math.prod(args[0].shape) * weight.shape[0]
        return func(*args, **(kwargs or {}))


def counted(step: Callable[[], object]) -> int:
    """Work of the products that ``step`` executes, recomputation included: the check on the formulas."""
    with _Counter() as counter:
        step()
    return counter.total
