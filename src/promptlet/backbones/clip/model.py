"""CLIP (arXiv 2103.00020) as modules, with the names of parts and the order of operations of transformers.

Weights of its folders fit by name, and features are the library's own to the last bit on the same machine
(by test). This is the plain path of a folder that Promptlet reads by itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones.clip.settings import ClipSettings, TextSettings, VisionSettings

NOWHERE: dict[str, Any] = {"device": "meta", "dtype": torch.float32}
"""Weights are put in after the modules are built: neither filled nor held before."""
LARGEST_ID = 2
"""An ``eos_token_id`` of older configurations, which means: pool at the largest id."""


class Pooled(NamedTuple):
    """What a tower answers: the state (B, d) that its features are read from."""

    pooler_output: Tensor


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x)."""

    def forward(self, states: Tensor) -> Tensor:
        """Of each number."""
        return states * torch.sigmoid(1.702 * states)


class Attention(nn.Module):
    """Multi-head attention; ``is_causal``: a token sees those before it and itself."""

    def __init__(self, tower: TextSettings | VisionSettings, is_causal: bool) -> None:
        super().__init__()
        self.num_heads = tower.num_attention_heads
        self.head_dim = tower.hidden_size // tower.num_attention_heads
        self.is_causal = is_causal
        self.k_proj = nn.Linear(tower.hidden_size, tower.hidden_size, **NOWHERE)
        self.v_proj = nn.Linear(tower.hidden_size, tower.hidden_size, **NOWHERE)
        self.q_proj = nn.Linear(tower.hidden_size, tower.hidden_size, **NOWHERE)
        self.out_proj = nn.Linear(tower.hidden_size, tower.hidden_size, **NOWHERE)

    def forward(self, states: Tensor) -> Tensor:
        """States (B, N, d) to states (B, N, d)."""
        batch, rows, _ = states.shape
        query, key, value = (
            layer(states).view(batch, rows, -1, self.head_dim).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen = F.scaled_dot_product_attention(
            query, key, value, scale=self.head_dim**-0.5, is_causal=self.is_causal and rows > 1
        )
        out: Tensor = self.out_proj(seen.transpose(1, 2).reshape(batch, rows, -1))
        return out


class MLP(nn.Module):
    """Two layers with an activation between them."""

    def __init__(self, tower: TextSettings | VisionSettings) -> None:
        super().__init__()
        self.activation_fn = QuickGELU() if tower.hidden_act == "quick_gelu" else nn.GELU()
        self.fc1 = nn.Linear(tower.hidden_size, tower.intermediate_size, **NOWHERE)
        self.fc2 = nn.Linear(tower.intermediate_size, tower.hidden_size, **NOWHERE)

    def forward(self, states: Tensor) -> Tensor:
        """States (B, N, d) to states (B, N, d)."""
        out: Tensor = self.fc2(self.activation_fn(self.fc1(states)))
        return out


class Layer(nn.Module):
    """Pre-norm attention and perceptron, each added to what enters it."""

    def __init__(self, tower: TextSettings | VisionSettings, is_causal: bool) -> None:
        super().__init__()
        self.self_attn = Attention(tower, is_causal)
        self.layer_norm1 = _norm(tower)
        self.mlp = MLP(tower)
        self.layer_norm2 = _norm(tower)

    def forward(self, states: Tensor) -> Tensor:
        """States (B, N, d) to states (B, N, d)."""
        states = states + self.self_attn(self.layer_norm1(states))
        out: Tensor = states + self.mlp(self.layer_norm2(states))
        return out


class Encoder(nn.Module):
    """The layers, one after the other."""

    def __init__(self, tower: TextSettings | VisionSettings, is_causal: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(tower, is_causal) for _ in range(tower.num_hidden_layers))

    def forward(self, states: Tensor) -> Tensor:
        """States (B, N, d) to states (B, N, d)."""
        for layer in self.layers:
            states = layer(states)
        return states


class TextEmbeddings(nn.Module):
    """Vectors of tokens and of positions."""

    def __init__(self, tower: TextSettings) -> None:
        super().__init__()
        self.token_embedding = _table(tower.vocab_size, tower.hidden_size)
        self.position_embedding = _table(tower.max_position_embeddings, tower.hidden_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, L) to states (B, L, d)."""
        out: Tensor = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[-1]]
        return out


class ImageEmbeddings(nn.Module):
    """Vectors of patches behind a class token, and of positions."""

    def __init__(self, tower: VisionSettings) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(
            torch.empty(tower.hidden_size, dtype=torch.float32, device="meta")
        )
        self.patch_embedding = nn.Conv2d(
            tower.num_channels, tower.hidden_size, tower.patch_size, tower.patch_size, bias=False, **NOWHERE
        )
        places = (tower.image_size // tower.patch_size) ** 2 + 1
        self.position_embedding = _table(places, tower.hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) to states (B, N, d)."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(pixels.shape[0], 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class TextTower(nn.Module):
    """CLIP's text tower, without its projection."""

    def __init__(self, tower: TextSettings) -> None:
        super().__init__()
        self.config = tower
        self.embeddings = TextEmbeddings(tower)
        self.encoder = Encoder(tower, is_causal=True)
        self.final_layer_norm = _norm(tower)

    def forward(self, input_ids: Tensor) -> Pooled:
        """Ids (B, L), each row with an end of text, to its state."""
        states = self.final_layer_norm(self.encoder(self.embeddings(input_ids)))
        end = self.config.eos_token_id
        ends = input_ids if end == LARGEST_ID else (input_ids == end).int()
        rows = torch.arange(len(states), dtype=torch.int64, device=states.device)
        return Pooled(states[rows, ends.argmax(-1)])


class ImageTower(nn.Module):
    """CLIP's image tower, without its projection."""

    def __init__(self, tower: VisionSettings) -> None:
        super().__init__()
        self.config = tower
        self.embeddings = ImageEmbeddings(tower)
        self.pre_layrnorm = _norm(tower)
        self.encoder = Encoder(tower, is_causal=False)
        self.post_layernorm = _norm(tower)

    def forward(self, pixel_values: Tensor) -> Pooled:
        """Pixels (B, 3, H, W) to the class token's state."""
        states = self.encoder(self.pre_layrnorm(self.embeddings(pixel_values)))
        return Pooled(self.post_layernorm(states[:, 0]))


class Clip(nn.Module):
    """Both towers, their projections, and the logarithm of the logit scale."""

    def __init__(self, settings: ClipSettings) -> None:
        super().__init__()
        self.config = settings
        text, vision = settings.text_config, settings.vision_config
        self.text_model = TextTower(text)
        self.vision_model = ImageTower(vision)
        self.visual_projection = nn.Linear(vision.hidden_size, settings.projection_dim, bias=False, **NOWHERE)
        self.text_projection = nn.Linear(text.hidden_size, settings.projection_dim, bias=False, **NOWHERE)
        self.logit_scale = nn.Parameter(torch.empty((), dtype=torch.float32, device="meta"))


def _norm(tower: TextSettings | VisionSettings) -> nn.LayerNorm:
    return nn.LayerNorm(tower.hidden_size, eps=tower.layer_norm_eps, **NOWHERE)


def _table(rows: int, width: int) -> nn.Embedding:
    """Not filled: torch loads its compiler, for a second, to draw numbers that are nowhere."""
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width, dtype=torch.float32, device="meta"))
