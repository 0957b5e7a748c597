"""The plain path of prompts in the image tower: the library model's own forward pass, with hooks.

One hook appends the first context to the embedded tokens, one before each deeper layer replaces the last
states (MaPLe, section 3.2; clip/model.py of its repository). It is the reference for `engine`.
Hooks make it unsafe to call from two threads at once on one model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.hooks import states_hook


@dataclass(frozen=True)
class PlainImageTower:
    """A library image tower: its forward (pixels (B, 3, H, W) -> features (B, D)) and where prompts enter.

    ``embeddings`` is the module that returns token states (B, N, d) before the first normalisation;
    ``dim`` is d.
    """

    forward: Callable[[Tensor], Tensor]
    embeddings: nn.Module
    layers: Sequence[nn.Module]
    dim: int
    batch_first: bool = True


def _behind(states: Tensor, context: Tensor) -> Tensor:
    """``states`` (B, N, d) followed by ``context`` (n_ctx, d)."""
    return torch.cat([states, context.to(states.dtype).expand(states.shape[0], *context.shape)], dim=1)


def _replacing(context: Tensor, batch_first: bool) -> Callable[[Tensor], Tensor]:
    """What puts ``context`` (n_ctx, d) in place of the last states."""

    def replace(states: Tensor) -> Tensor:
        rows = states if batch_first else states.transpose(0, 1)
        rows = _behind(rows[:, : rows.shape[1] - context.shape[0]], context)
        return rows if batch_first else rows.transpose(0, 1)

    return replace


@contextmanager
def _contexts_in_place(tower: PlainImageTower, context: Tensor) -> Iterator[None]:
    def append(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return _behind(output, context[0])

    handles = [tower.embeddings.register_forward_hook(append)]
    for layer, deeper in zip(tower.layers[1:], context[1:], strict=False):
        hook = states_hook(_replacing(deeper, tower.batch_first))
        handles.append(layer.register_forward_pre_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def encode_plain_images(tower: PlainImageTower, pixels: Tensor, context: Tensor) -> Tensor:
    """Features (B, D) of pixels (B, 3, H, W) beside a context (depth, n_ctx, d)."""
    with _contexts_in_place(tower, context):
        return tower.forward(pixels)
