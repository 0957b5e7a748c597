"""The towers of transformers' models as plain data: views of their parameters, made after `settle`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from promptlet.backbones.arithmetic.layers import Block, linear_of, norm_of
from promptlet.backbones.image.reference import PlainImageTower
from promptlet.backbones.image.tower import ImageTower
from promptlet.backbones.text.tower import CausalTower

CLIP_EYES = tuple(f"{name}_vision_model" for name in ("clip", "metaclip_2", "chinese_clip", "altclip"))
"""CLIP's own image tower, by the names that its kin have it under."""
ACTIVATIONS = {"quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh"}

# norm1, query, key, value, out, norm2, up, down: where each library layer keeps them
CLIP_PARTS = (
    *("layer_norm1", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
    *("layer_norm2", "mlp.fc1", "mlp.fc2"),
)
VIT_PARTS = (
    *("layernorm_before", "attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"),
    *("layernorm_after", "mlp.fc1", "mlp.fc2"),
)
OLDER_VIT_PARTS = (  # transformers 5.0
    *("layernorm_before", "attention.attention.query", "attention.attention.key"),
    *("attention.attention.value", "attention.output.dense"),
    *("layernorm_after", "intermediate.dense", "output.dense"),
)


def causal_tower(text_model: Any, projection: Any, config: Any, is_plain: bool) -> CausalTower | None:
    """CLIP's text tower, MetaCLIP 2's, or None where its activation is not known, or a layer is not plain."""
    if not is_plain or config.hidden_act not in ACTIVATIONS:
        return None
    return CausalTower(
        token_embedding=text_model.embeddings.token_embedding.weight,
        position_embedding=text_model.embeddings.position_embedding.weight,
        blocks=tuple(_block(layer, CLIP_PARTS) for layer in text_model.encoder.layers),
        final_norm=norm_of(text_model.final_layer_norm),
        projection=linear_of(projection),
        heads=int(config.num_attention_heads),
        activation=ACTIVATIONS[config.hidden_act],
    )


def image_tower(
    vision_model: Any, projection: Any, forward: Callable[[Tensor], Tensor], is_plain: bool
) -> tuple[PlainImageTower, ImageTower | None] | None:
    """CLIP's image tower, or ViT's; None where prompts have no place: other kinds, other poolings. The second
    is None where a layer is not plain.

    ``forward`` is the way from pixels to features, ``projection`` its last step.
    """
    config = vision_model.config
    if projection is None or getattr(config, "hidden_act", None) not in ACTIVATIONS:
        return None
    if config.model_type in CLIP_EYES:
        return _clip_tower(vision_model, projection, forward, is_plain)
    if config.model_type == "vit" and getattr(vision_model, "pooler", None) is not None:
        return _vit_tower(vision_model, projection, forward, is_plain)
    return None


def _clip_tower(
    vision_model: Any, projection: Any, forward: Callable[[Tensor], Tensor], is_plain: bool
) -> tuple[PlainImageTower, ImageTower | None]:
    vision_model = getattr(vision_model, "vision_model", vision_model)  # older transformers wrap it once more
    layers, config = list(vision_model.encoder.layers), vision_model.config
    plain = PlainImageTower(forward, vision_model.embeddings, layers, int(config.hidden_size))
    if not is_plain:
        return plain, None
    return plain, ImageTower(
        embed=vision_model.embeddings,
        tokens=int(vision_model.embeddings.position_embedding.weight.shape[0]),
        pre_norm=norm_of(vision_model.pre_layrnorm),
        blocks=tuple(_block(layer, CLIP_PARTS) for layer in layers),
        final_norm=norm_of(vision_model.post_layernorm),
        head=projection,
        heads=int(config.num_attention_heads),
        activation=ACTIVATIONS[config.hidden_act],
    )


def _vit_tower(
    vision_model: Any, projection: Any, forward: Callable[[Tensor], Tensor], is_plain: bool
) -> tuple[PlainImageTower, ImageTower | None] | None:
    layers = list(vision_model.layers if hasattr(vision_model, "layers") else vision_model.encoder.layer)
    config, pooler = vision_model.config, vision_model.pooler
    parts = next((parts for parts in (VIT_PARTS, OLDER_VIT_PARTS) if _has(layers[0], parts)), None)
    if parts is None:
        return None
    plain = PlainImageTower(forward, vision_model.embeddings, layers, int(config.hidden_size))
    if not is_plain:
        return plain, None

    def head(states: Tensor) -> Tensor:
        features: Tensor = projection(pooler(states[:, None]))  # the pooler takes the first token
        return features

    return plain, ImageTower(
        embed=vision_model.embeddings,
        tokens=int(vision_model.embeddings.position_embeddings.shape[1]),
        pre_norm=None,
        blocks=tuple(_block(layer, parts) for layer in layers),
        final_norm=norm_of(vision_model.layernorm),
        head=head,
        heads=int(config.num_attention_heads),
        activation=ACTIVATIONS[config.hidden_act],
    )


def _has(layer: nn.Module, parts: tuple[str, ...]) -> bool:
    names = {name for name, _ in layer.named_modules()}
    return names.issuperset(parts)


def _block(layer: nn.Module, parts: tuple[str, ...]) -> Block:
    norm1, query, key, value, out, norm2, up, down = (layer.get_submodule(part) for part in parts)
    return Block(
        norm1=norm_of(norm1),
        query=linear_of(query),
        key=linear_of(key),
        value=linear_of(value),
        out=linear_of(out),
        norm2=norm_of(norm2),
        up=linear_of(up),
        down=linear_of(down),
    )
