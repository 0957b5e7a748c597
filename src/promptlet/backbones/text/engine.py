"""Exact, shared-prefix encoding of class prompts: the plain path's numbers at a fraction of its work.

A prompt is ``[start] context class-name "." [end]``. In a causal tower, positions after end-of-text cannot
influence it and are never computed; the start token and the context are the same for every class and are
computed once per chunk; class names that begin alike share their first tokens; tokens of all classes run
packed through the linear layers; after the last attention only the end-of-text rows go on. Memory is bounded:
classes are encoded in chunks, whose activations are kept up to ``keep_bytes`` and recomputed beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, TypeVar
from weakref import WeakSet

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones.arithmetic import pointwise
from promptlet.backbones.arithmetic.layers import Sample
from promptlet.backbones.arithmetic.precision import compute_dtype
from promptlet.backbones.arithmetic.products import linear, linear_backward
from promptlet.backbones.text import blocks
from promptlet.backbones.text.attention import Slots, make_leaf_slots, make_slots
from promptlet.backbones.text.packing import Chunk, choose_tiles, make_chunks
from promptlet.backbones.text.tower import CausalTower
from promptlet.session import without_autocast

MAX_PLANS = 8
LAYOUT_BYTES = 32 << 20
"""Of the layouts that a plan keeps: those of 8,000 classes. Others are made at each step, which takes a
three-hundredth of it on a CPU."""
ROWS, ROWS_ELSEWHERE = 1024, 8192
"""In a chunk. On a CPU few, whose states stay in its caches; elsewhere many: each kernel's start costs."""


@dataclass(frozen=True, eq=False)
class PackedChunk:
    """A `Chunk` on the device, with the constant states of its class tokens added when it is used."""

    tokens: Tensor
    positions: Tensor
    slots: Slots
    leaf_slots: Slots
    leaves: Tensor
    classes: Tensor
    context_rows: Tensor | None  # contexts among the class tokens: rows that hold one of their vectors ...
    context_vector: Tensor | None  # ... which vector ...
    context_class: Tensor | None  # ... and of which class


@dataclass(frozen=True, eq=False)
class Plan:
    """How one list of class-token sequences is encoded. What is once in ``layouts``, by chunk, number of
    contexts and dtype, stays there for as long as the plan: a CUDA graph knows it by its address."""

    chunks: tuple[PackedChunk, ...]
    order: Tensor  # which of all chunks' features each class reads
    count: int
    layouts: dict[tuple[int, int, torch.dtype], blocks.Layout] = field(default_factory=dict, init=False)

    @property
    def rows(self) -> int:
        """Token positions computed per context, without the shared prefix."""
        return sum(int(chunk.tokens.numel()) for chunk in self.chunks)

    def layout(self, place: int, b: int, dtype: torch.dtype) -> blocks.Layout:
        """The layout of the chunk at ``place`` for ``b`` contexts: kept while `LAYOUT_BYTES` are not full."""
        key = place, b, dtype
        found = self.layouts.get(key)
        if found is None:
            found = _make_layout(self.chunks[place], b, dtype)
            if sum(_bytes_of(one) for one in (*self.layouts.values(), found)) <= LAYOUT_BYTES:
                self.layouts[key] = found
        return found


def _make_layout(chunk: PackedChunk, b: int, dtype: torch.dtype) -> blocks.Layout:
    slots, leaf_slots = chunk.slots, chunk.leaf_slots
    with torch.inference_mode(False):
        return blocks.Layout(
            slots.repeated(b),
            slots.mask(dtype, b),
            leaf_slots.repeated(b),
            leaf_slots.mask(dtype, b),
            chunk.leaves + slots.prefix,
        )


def _bytes_of(layout: blocks.Layout) -> int:
    """Of its masks, which are most of it."""
    return layout.mask.nbytes + layout.leaf_mask.nbytes


Record = TypeVar("Record", PackedChunk, Slots)


def there(record: Record, device: torch.device) -> Record:
    """``record`` with its tensors on the device, and those of what it holds."""
    changed: dict[str, Any] = {}
    for name in (one.name for one in fields(record)):
        value = getattr(record, name)
        if isinstance(value, Tensor):
            changed[name] = value.to(device)
        elif isinstance(value, Slots):
            changed[name] = there(value, device)
    return replace(record, **changed)


@dataclass(frozen=True)
class Job:
    """Everything constant about one chunk's passage through the blocks."""

    tower: CausalTower
    layout: blocks.Layout
    dtype: torch.dtype
    keep: bool


class TextEngine:
    """Encodes prompts through a `CausalTower`. Not normalised features, full autograd to the context.

    Attributes: ``products``, the dtype of the matrix products; the weights' own at first. ``plans``, those
    that are kept now.
    """

    def __init__(
        self,
        tower: CausalTower,
        start_id: int,
        max_rows: int | None = None,
        keep_bytes: int = 1 << 30,
    ) -> None:
        self.products = tower.token_embedding.dtype
        self._sample = Sample(tower.products)
        on_cpu = tower.token_embedding.device.type == "cpu"
        self.tower = tower
        self.start_id = start_id
        self.max_rows = max_rows or (ROWS if on_cpu else ROWS_ELSEWHERE)
        self.keep_bytes = keep_bytes
        self._plan = lru_cache(MAX_PLANS)(self._make_plan)
        self.plans: WeakSet[Plan] = WeakSet()

    def encode(self, context: Tensor, sequences: Sequence[tuple[int, ...]]) -> Tensor:
        """Shared contexts (B, depth, n_ctx, d), one set per row of B -> class features (B, C, D)."""
        n_ctx = context.shape[2]
        plan = self._plan(tuple(sequences), n_ctx, False, self.max_rows)
        prefix = self._prefix(context[:, 0])
        deep = context[:, 1:] if context.shape[1] > 1 else None
        return self._run(plan, prefix, deep, None)

    def encode_among(self, context: Tensor, sequences: Sequence[tuple[int, ...]], before: int) -> Tensor:
        """One context (n_ctx, d) around the classes' tokens -> class features (C, D). Its first ``before``
        vectors stand before all of them, vector k of the others where a sequence holds -(k + 1)."""
        plan = self._plan(tuple(sequences), before, False, self.max_rows)
        return self._run(plan, self._prefix(context[None, :before]), None, context[None])[0]

    def encode_per_class(self, context: Tensor, sequences: Sequence[tuple[int, ...]]) -> Tensor:
        """One context per class (C, n_ctx, d) -> class features (C, D). Vector k of a class's context stands
        where its sequence holds -(k + 1); only the start token is shared."""
        plan = self._plan(tuple(sequences), 0, True, self.max_rows)
        prefix = self._prefix(context.new_zeros(1, 0, context.shape[2]))
        return self._run(plan, prefix, None, context)[0]

    def _prefix(self, context: Tensor) -> Tensor:
        """Start token and context with their positions added: (B, 1 + n_ctx, d)."""
        start = self.tower.token_embedding[self.start_id].expand(context.shape[0], 1, -1)
        prefix = torch.cat([start.to(context.dtype), context], dim=1)
        return prefix + self.tower.position_embedding[: prefix.shape[1]].to(context.dtype)

    def _make_plan(
        self, sequences: tuple[tuple[int, ...], ...], shared: int, per_class: bool, max_rows: int
    ) -> Plan:
        """``shared``: context vectors in the prefix, between the start token and ``sequences``.

        Made on the CPU, where a look at a number costs nothing, then sent to the device as it is.
        """
        tiles, size = choose_tiles(sequences, share=not per_class)
        device = self.tower.token_embedding.device
        with torch.inference_mode(False):  # a plan first made while predicting serves in training too
            chunks = [self._pack(chunk, 1 + shared) for chunk in make_chunks(tiles, size, max_rows)]
            order = torch.argsort(torch.cat([chunk.classes for chunk in chunks]))
            plan = Plan(tuple(there(chunk, device) for chunk in chunks), order.to(device), len(sequences))
        self.plans.add(plan)
        return plan

    def _pack(self, chunk: Chunk, first_position: int) -> PackedChunk:
        tokens = torch.from_numpy(chunk.tokens)
        positions = torch.from_numpy(chunk.depths + first_position)
        leaves = torch.from_numpy(chunk.leaf_rows)
        classes = torch.from_numpy(chunk.leaf_classes)
        rows = vector = owner = None
        if bool((tokens < 0).any()):
            rows = torch.nonzero(tokens < 0).flatten()
            vector = -1 - tokens[rows]
            # a class's own rows precede its leaf; the next leaf at or after a row names its class
            order = torch.argsort(leaves)
            owner = classes[order][torch.searchsorted(leaves[order], rows)]
            tokens = tokens.clamp_min(0)
        held, visible = (torch.from_numpy(x) for x in (chunk.slots, chunk.visible))
        heads = self.tower.heads
        slots = make_slots(held, visible, first_position, heads)
        leaf_slots = make_leaf_slots(held, visible, leaves, first_position, heads)
        return PackedChunk(tokens, positions, slots, leaf_slots, leaves, classes, rows, vector, owner)

    def _run(self, plan: Plan, prefix: Tensor, deep: Tensor | None, among: Tensor | None) -> Tensor:
        dtype = compute_dtype(prefix, self.products)
        if dtype != self.tower.token_embedding.dtype and prefix.device.type == "cpu":
            self._sample.look()
        total, p, _ = prefix.shape
        budget = self.keep_bytes
        parts = []
        for place, chunk in enumerate(plan.chunks):
            rows = p + int(chunk.tokens.numel())
            step = max(1, self.max_rows // rows)
            pieces = []
            for begin in range(0, total, step):
                end = min(total, begin + step)
                needed = (end - begin) * self._kept_bytes(chunk, dtype.itemsize)
                keep = needed <= budget
                budget -= needed if keep else 0
                job = Job(self.tower, plan.layout(place, end - begin, dtype), dtype, keep)
                suffix = self._suffix(chunk, prefix.dtype, among)
                cut = None if deep is None else deep[begin:end]
                pieces.append(_encode(prefix[begin:end], suffix, cut, job))
            parts.append(torch.cat(pieces) if len(pieces) > 1 else pieces[0])
        features = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        return features[:, plan.order]

    def _suffix(self, chunk: PackedChunk, dtype: torch.dtype, among: Tensor | None) -> Tensor:
        """States of the class tokens before the first block (R, d). ``among`` (C, n_ctx, d), or (1, n_ctx, d)
        for all classes: contexts of which vectors stand among them."""
        states = self.tower.token_embedding[chunk.tokens].to(dtype)
        if among is not None and chunk.context_rows is not None:
            assert chunk.context_vector is not None and chunk.context_class is not None
            owner = chunk.context_class if among.shape[0] > 1 else 0
            index = owner * among.shape[1] + chunk.context_vector
            # not among[index]: its backward adds in any order where several rows take one vector
            vectors = F.embedding(index, among.flatten(0, 1))
            states = states.index_copy(0, chunk.context_rows, vectors)
        return states + self.tower.position_embedding[chunk.positions].to(dtype)

    def _kept_bytes(self, chunk: PackedChunk, size: int = 4) -> int:
        """Activations kept for one context's passage, all blocks, in bytes: states, of 4 bytes a number, and
        what products read, of ``size``."""
        d, hidden = self.tower.dim, self.tower.blocks[0].up.weight.shape[0]
        n, tile, width = chunk.slots.seen.shape
        rows = chunk.slots.prefix + int(chunk.tokens.numel())
        attention = n * d * (tile + 2 * width) + n * tile * width * self.tower.heads
        return len(self.tower.blocks) * (4 * rows * 2 * d + size * (rows * hidden + attention))


def _forward(
    job: Job, prefix: Tensor, suffix: Tensor, deep: Tensor | None, keep: bool
) -> tuple[Tensor, list[blocks.Saved], tuple[Tensor, tuple[Tensor, Tensor]]]:
    """Features (b, L, D), what each block's backward needs, and input and statistics of the last norm."""
    tower, layout = job.tower, job.layout
    x = torch.cat([prefix, suffix.expand(prefix.shape[0], *suffix.shape)], dim=1)
    saved: list[blocks.Saved] = []
    final = len(tower.blocks) - 1
    for i, block in enumerate(tower.blocks):
        if deep is not None and 0 < i <= deep.shape[1]:
            x[:, 1 : layout.slots.prefix] = deep[:, i - 1]
        x, kept = blocks.forward_block(tower, block, x, layout, job.dtype, last=i == final)
        if keep:
            saved.append(kept)
    normed, stats = pointwise.norm(tower.final_norm, x)
    features = linear(tower.projection, normed.to(job.dtype)).to(x.dtype)
    return features, saved, (x, stats)


def _backward(
    job: Job,
    grad: Tensor,
    saved: list[blocks.Saved],
    end: tuple[Tensor, tuple[Tensor, Tensor]],
    n_deep: int,
    suffix_grad: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Gradients of prefix (b, P, d), suffix (R, d) if asked, deep contexts (b, n_deep, n_ctx, d) if any."""
    tower, layout = job.tower, job.layout
    grad = linear_backward(tower.projection, grad.to(job.dtype))
    grad = pointwise.norm_backward(tower.final_norm, grad, *end)
    deep: list[Tensor] = []
    final = len(tower.blocks) - 1
    for i in range(final, -1, -1):
        only = i == 0 and not suffix_grad
        kept = saved.pop()
        grad = blocks.backward_block(tower, tower.blocks[i], kept, grad, layout, job.dtype, i == final, only)
        if 0 < i <= n_deep:
            deep.append(grad[:, 1 : layout.slots.prefix].clone())
            grad[:, 1 : layout.slots.prefix] = 0
    p = layout.slots.prefix
    suffix = grad[:, p:].sum(0) if suffix_grad else None
    return grad[:, :p], suffix, torch.stack(deep[::-1], dim=1) if deep else None


class _Encode(torch.autograd.Function):
    """One chunk through all blocks. Keeps its activations, or only its inputs and recomputes."""

    @staticmethod
    def forward(ctx: Any, prefix: Tensor, suffix: Tensor, deep: Tensor | None, job: Job) -> Tensor:
        needs = any(ctx.needs_input_grad)
        with without_autocast(prefix.device):
            features, saved, end = _forward(job, prefix, suffix, deep, keep=needs and job.keep)
        ctx.job, ctx.n_deep = job, 0 if deep is None else deep.shape[1]
        if needs:
            ctx.kept = (saved, end) if job.keep else None
            ctx.save_for_backward(prefix, suffix, *(() if deep is None else (deep,)))
        return features

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(grad.device):
            if ctx.kept is None:
                prefix, suffix, *rest = ctx.saved_tensors
                _, saved, end = _forward(ctx.job, prefix, suffix, rest[0] if rest else None, keep=True)
            else:
                saved, end = ctx.kept
                saved = list(saved)
            grads = _backward(ctx.job, grad, saved, end, ctx.n_deep, ctx.needs_input_grad[1])
        return *grads, None


def _encode(prefix: Tensor, suffix: Tensor, deep: Tensor | None, job: Job) -> Tensor:
    features: Tensor = _Encode.apply(prefix, suffix, deep, job)  # type: ignore[no-untyped-call]
    return features
