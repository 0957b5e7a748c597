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

from promptlet.backbones.text.engine import PackedChunk, Plan, TextEngine

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


@dataclass(frozen=True)
class _Sizes:
    """Width d, hidden width, output width, blocks; rows, leaves; (query, key) pairs of one head."""

    d: int
    hidden: int
    out: int
    blocks: int
    prefix: int
    rows: int
    leaves: int
    pairs: int
    leaf_pairs: int

    @property
    def shared(self) -> int:
        """What forward and backward have in common: all but queries, keys, values and attention."""
        reach = (self.blocks - 1) * self.rows + self.leaves  # rows that go on after attention, all blocks
        return reach * (self.d * self.d + 2 * self.d * self.hidden) + self.leaves * self.d * self.out

    @property
    def all_pairs(self) -> int:
        return (self.blocks - 1) * self.pairs + self.leaf_pairs


def _sizes(engine: TextEngine, chunk: PackedChunk, prefix: int) -> _Sizes:
    tower = engine.tower
    return _Sizes(
        d=tower.dim,
        hidden=tower.blocks[0].up.weight.shape[0],
        out=tower.projection.weight.shape[0],
        blocks=len(tower.blocks),
        prefix=prefix,
        rows=prefix + int(chunk.tokens.numel()),
        leaves=int(chunk.leaves.numel()),
        pairs=int(chunk.slots.seen.numel()),
        leaf_pairs=int(chunk.leaf_slots.seen.numel()),
    )


def _forward(engine: TextEngine, chunk: PackedChunk, prefix: int) -> int:
    s = _sizes(engine, chunk, prefix)
    qkv = ((s.blocks - 1) * 3 * s.rows + 2 * s.rows + s.leaves) * s.d * s.d  # last block: leaves ask
    attention = 2 * s.all_pairs * s.d  # scores, weighted values
    return 2 * (qkv + attention + s.shared)


def _backward(engine: TextEngine, chunk: PackedChunk, prefix: int) -> int:
    """For two blocks at least."""
    s = _sizes(engine, chunk, prefix)
    first, last = 3 * s.prefix, 2 * s.rows + s.leaves
    qkv = (first + (s.blocks - 2) * 3 * s.rows + last) * s.d * s.d
    attention = 4 * s.all_pairs * s.d  # gradients of weights, values, queries, keys
    return 2 * (qkv + attention + s.shared)


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
