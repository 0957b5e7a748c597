"""The towers of open_clip's models as plain data: views of their parameters, made after `settle`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.arithmetic.layers import Block, Linear, linear_of, norm_of
from promptlet.backbones.image.reference import PlainImageTower
from promptlet.backbones.image.tower import ImageTower
from promptlet.backbones.text.tower import CausalTower


def causal_tower(text: Any, model: Any, is_plain: bool) -> CausalTower | None:
    """The tower as plain data, or None where sharing is not exact or a layer is not plain."""
    if not is_plain:
        return None
    pool = getattr(text, "pool_type", None) or getattr(model, "text_pool_type", None)
    blocks = list(text.transformer.resblocks)
    plain = all(_is_plain(block) for block in blocks)
    causal = (
        text.attn_mask is not None and pool in ("argmax", "eos") and getattr(text, "cls_emb", None) is None
    )
    projection = text.text_projection
    if not (plain and causal) or projection is None:
        return None
    activation = _activation(blocks[0].mlp.gelu)
    if activation is None:
        return None
    last = linear_of(projection) if isinstance(projection, nn.Linear) else Linear(projection.t(), None)
    return CausalTower(
        token_embedding=text.token_embedding.weight,
        position_embedding=text.positional_embedding,
        blocks=tuple(_block(block) for block in blocks),
        final_norm=norm_of(text.ln_final),
        projection=last,
        heads=int(blocks[0].attn.num_heads),
        activation=activation,
    )


def image_tower(
    visual: Any, forward: Callable[[Tensor], Tensor], is_plain: bool
) -> tuple[PlainImageTower, ImageTower | None] | None:
    """A ViT of plain blocks that reads features from its class token; None for every other tower. The second
    is None where a layer is not plain.

    ``forward`` is the way from pixels to features.
    """
    from open_clip.transformer import VisionTransformer

    if type(visual) is not VisionTransformer or not _reads_class_token(visual):
        return None
    blocks = list(visual.transformer.resblocks)
    # `patch_dropout`, nothing while predicting, is the last module before the first normalisation
    batch_first = bool(getattr(visual.transformer, "batch_first", True))
    width = int(visual.positional_embedding.shape[1])
    plain = PlainImageTower(forward, visual.patch_dropout, blocks, width, batch_first)
    if not is_plain:
        return plain, None
    if not all(_is_plain(block) for block in blocks):
        return None
    activation = _activation(blocks[0].mlp.gelu)
    if activation is None:
        return None

    def embed(pixels: Tensor) -> Tensor:
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
        token = visual.class_embedding.expand(patches.shape[0], 1, -1)
        states: Tensor = torch.cat([token, patches], dim=1) + visual.positional_embedding
        return states

    def head(states: Tensor) -> Tensor:
        features: Tensor = states if visual.proj is None else states @ visual.proj
        return features

    return plain, ImageTower(
        embed=embed,
        tokens=int(visual.positional_embedding.shape[0]),
        pre_norm=None if isinstance(visual.ln_pre, nn.Identity) else norm_of(visual.ln_pre),
        blocks=tuple(_block(block) for block in blocks),
        final_norm=norm_of(visual.ln_post),
        head=head,
        heads=int(blocks[0].attn.num_heads),
        activation=activation,
    )


def _reads_class_token(visual: Any) -> bool:
    return visual.attn_pool is None and visual.pool_type == "tok" and not visual.output_tokens


def _is_plain(block: Any) -> bool:
    return (
        type(getattr(block, "attn", None)) is nn.MultiheadAttention
        and isinstance(block.ls_1, nn.Identity)
        and isinstance(block.ls_2, nn.Identity)
        and block.attn.in_proj_weight is not None
        and block.attn.in_proj_bias is not None
    )


def _activation(layer: Any) -> str | None:
    if type(layer).__name__ == "QuickGELU":
        return "quick_gelu"
    if isinstance(layer, nn.GELU):
        return "gelu_tanh" if layer.approximate == "tanh" else "gelu"
    return None


def _block(block: Any) -> Block:
    """Views into the packed query-key-value weights; nothing is copied."""
    weights = block.attn.in_proj_weight.chunk(3)
    biases = block.attn.in_proj_bias.chunk(3)
    query, key, value = (Linear(w, b) for w, b in zip(weights, biases, strict=True))
    return Block(
        norm1=norm_of(block.ln_1),
        query=query,
        key=key,
        value=value,
        out=linear_of(block.attn.out_proj),
        norm2=norm_of(block.ln_2),
        up=linear_of(block.mlp.c_fc),
        down=linear_of(block.mlp.c_proj),
    )
