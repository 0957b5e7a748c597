"""The plain path: every class prompt in full length through the library model's own forward pass.

The context enters by hooks: one on the token embedding puts the input context in place of placeholder
tokens, one on each deeper layer replaces the context's states (deep prompts as in MaPLe, section 3.2).
It is the reference for `engine`, and the only path for towers where sharing is not exact.
Hooks are of a model, not of a thread: `IN_TURN` is held by whoever asks the library's own tower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.hooks import states_hook

IN_TURN = threading.RLock()
"""Threads ask one after the other: a server that trains answers meanwhile."""


@dataclass(frozen=True)
class PlainTower:
    """A library text tower: its forward (ids (C, L) -> features (C, D)) and where prompts enter."""

    forward: Callable[[Tensor], Tensor]
    token_embedding: nn.Module
    layers: Sequence[nn.Module]
    batch_first: bool = True


def _put(states: Tensor, context: Tensor, at: int, batch_first: bool = True) -> Tensor:
    """``states`` (C, L, d) with ``context`` (n_ctx, d) or (C, n_ctx, d) at positions from ``at``."""
    if not batch_first:
        return _put(states.transpose(0, 1), context, at).transpose(0, 1)
    context = context.to(states.dtype).expand(states.shape[0], *context.shape[-2:])
    return torch.cat([states[:, :at], context, states[:, at + context.shape[1] :]], dim=1)


@contextmanager
def _contexts_in_place(tower: PlainTower, first: Tensor, deep: Sequence[Tensor], at: int) -> Iterator[None]:
    def embed(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return _put(output, first, at)

    def replacing(context: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda states: _put(states, context, at, tower.batch_first)

    handles = [tower.token_embedding.register_forward_hook(embed)]
    for layer, context in zip(tower.layers[1:], deep, strict=False):
        handles.append(layer.register_forward_pre_hook(states_hook(replacing(context)), with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def encode_plain(tower: PlainTower, ids: Tensor, first: Tensor, deep: Sequence[Tensor], at: int) -> Tensor:
    """Features (C, D) of full-length ids (C, L).

    ``first`` (n_ctx, d) or (C, n_ctx, d) enters before the first layer, at position ``at``;
    ``deep`` holds one (n_ctx, d) for each further layer.
    """
    with IN_TURN, _contexts_in_place(tower, first, deep, at):
        return tower.forward(ids)


def encode_plain_at(tower: PlainTower, ids: Tensor, context: Tensor, positions: Tensor) -> Tensor:
    """Features (C, D) of full-length ids (C, L) with a context (n_ctx, d) or (C, n_ctx, d) put in before the
    first layer: vector k of class c at position ``positions[c, k]``, int64 (C, n_ctx)."""
    rows = torch.arange(len(ids), dtype=torch.int64, device=ids.device)[:, None]

    def embed(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        vectors = context.to(output.dtype).expand(*positions.shape, output.shape[-1])
        return output.index_put((rows, positions), vectors)

    with IN_TURN:
        handle = tower.token_embedding.register_forward_hook(embed)
        try:
            return tower.forward(ids)
        finally:
            handle.remove()
