"""Exact encoding of images beside prompts in the image tower, in bounded memory.

The prompts are those of VPT, IVLP, MaPLe and PromptSRC: ``n_ctx`` tokens behind the patches, normalised with
them before the first layer, and replaced before each further layer of the prompts' depth. The image tokens
are embedded without a gradient; prompts whose states are replaced, or not read, after a layer only add keys
and values there; in the last block only the class token asks. Images are encoded in chunks, whose activations
are kept up to ``keep_bytes`` and recomputed from the pixels beyond.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from promptlet.backbones.arithmetic.layers import Sample
from promptlet.backbones.arithmetic.pointwise import norm
from promptlet.backbones.arithmetic.precision import compute_dtype
from promptlet.backbones.image.blocks import forward_block
from promptlet.backbones.image.tower import ImageTower
from promptlet.session import without_autocast

ROWS, ROWS_ELSEWHERE = 1024, 16384
"""In a chunk: on a CPU few, whose states stay in its caches."""


class ImageEngine:
    """Encodes images through an `ImageTower`. Not normalised features, autograd to the context alone.

    Attributes: ``products``, the dtype of the matrix products; the weights' own at first.
    """

    def __init__(self, tower: ImageTower, max_rows: int | None = None, keep_bytes: int = 3 << 30) -> None:
        self.products = tower.dtype
        self._sample = Sample(tower.products)
        self.tower = tower
        self.max_rows = max_rows or (ROWS if tower.device.type == "cpu" else ROWS_ELSEWHERE)
        self.keep_bytes = keep_bytes

    def encode(self, pixels: Tensor, context: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) beside a context (depth, n_ctx, d) -> features (B, D), float32."""
        rows = self.tower.tokens + context.shape[1]
        dtype = self._dtype(context, self.products)
        records = torch.is_grad_enabled() and context.requires_grad
        budget = self.keep_bytes
        parts = []
        step = max(1, self.max_rows // rows)
        for begin in range(0, pixels.shape[0], step):
            chunk = pixels[begin : begin + step]
            needed = chunk.shape[0] * self._kept_bytes(rows, dtype.itemsize)
            keep = needed <= budget or not records
            budget -= needed if keep else 0
            parts.append(self._encode(chunk, context, dtype, keep))
        return torch.cat(parts).float()

    def encode_alone(self, pixels: Tensor, products: torch.dtype) -> Tensor:
        """Pixels (B, 3, H, W) -> features (B, D), float32, without a gradient."""
        dtype = self._dtype(pixels, products)
        step = max(1, self.max_rows // self.tower.tokens)
        with torch.no_grad():
            begins = range(0, pixels.shape[0], step)
            parts = [self._forward(pixels[at : at + step], None, dtype) for at in begins]
        return torch.cat(parts).float()

    def _dtype(self, x: Tensor, products: torch.dtype) -> torch.dtype:
        """That of the products, of layers whose copies are good."""
        dtype = compute_dtype(x, products)
        if dtype != self.tower.dtype and self.tower.device.type == "cpu":
            self._sample.look()
        return dtype

    def _encode(self, pixels: Tensor, context: Tensor, dtype: torch.dtype, keep: bool) -> Tensor:
        if keep:
            return self._forward(pixels, context, dtype)
        features: Tensor = checkpoint(
            self._forward, pixels, context, dtype, use_reentrant=False, preserve_rng_state=False
        )
        return features

    def _forward(self, pixels: Tensor, context: Tensor | None, dtype: torch.dtype) -> Tensor:
        """One chunk through all blocks."""
        tower = self.tower
        final = len(tower.blocks) - 1
        with without_autocast(tower.final_norm.weight.device):
            prompts = [] if context is None else list(context.to(tower.dtype).unbind())
            x = self._embed(pixels)
            if prompts:
                prompts[0] = self._normed(prompts[0])
            for i, block in enumerate(tower.blocks):
                beside = prompts[i] if i < len(prompts) else None
                if beside is not None and i == len(prompts) - 1 < final:  # the last ones' states go on
                    x, beside = torch.cat([x, beside.expand(x.shape[0], *beside.shape)], dim=1), None
                asking = 1 if i == final else x.shape[1]
                x = forward_block(block, x, beside, asking, tower.heads, tower.activation, dtype)
            return tower.head(norm(tower.final_norm, x[:, 0])[0])

    def _embed(self, pixels: Tensor) -> Tensor:
        """States of the image tokens before the first block (b, N, d), constant."""
        tower = self.tower
        with torch.no_grad():
            return self._normed(tower.embed(pixels.to(tower.device, tower.dtype)))

    def _normed(self, states: Tensor) -> Tensor:
        return states if self.tower.pre_norm is None else norm(self.tower.pre_norm, states)[0]

    def _kept_bytes(self, rows: int, size: int = 4) -> int:
        """Activations kept for one image of ``rows`` tokens, all blocks, in bytes.

        A block keeps its input and its middle, of 4 bytes a number, and queries, keys, values, what attention
        returns and its hidden layer, of ``size``.
        """
        d, hidden = self.tower.dim, self.tower.blocks[0].up.weight.shape[0]
        return len(self.tower.blocks) * rows * (4 * 2 * d + size * (4 * d + hidden))
