"""Text towers of transformers inside open_clip's models, built from sizes that were looked at.

open_clip asks transformers for such a tower by a name, whose configuration may name code, or a kernel of
attention, which is code. Here a page of sizes is taken from that configuration, and the tower is built from
the page alone. Its weights are in the whole model's.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from promptlet.backbones.libraries.asked import read_asked
from promptlet.backbones.libraries.no_code import foreign_code
from promptlet.errors import BackboneError

CONFIG = "config.json"
KINDS = ("bert", "roberta", "xlm-roberta", "mt5", "m2m_100")
"""Transformers' names of the towers that open_clip can read."""
FROM_PADDING = ("roberta", "xlm-roberta")
"""Whose positions are counted from the padding token's id."""
SIZES = (
    *("vocab_size", "type_vocab_size", "max_position_embeddings", "hidden_size", "intermediate_size"),
    *("num_hidden_layers", "num_attention_heads", "d_model", "d_kv", "d_ff", "num_layers", "num_heads"),
    *("num_decoder_layers", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"),
    *("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim"),
    *("relative_attention_num_buckets", "relative_attention_max_distance"),
    *("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"),
    *("layer_norm_eps", "layer_norm_epsilon", "scale_embedding", "tie_word_embeddings"),
)
WORDS = ("hidden_act", "activation_function", "feed_forward_proj")
"""Names of activations, which transformers has a list of."""


def config_of(text: Mapping[str, Any]) -> Path | None:
    """The configuration of the tower that a ``text_cfg`` names, in a folder or of the hub; None where the
    tower is open_clip's own. Raises OSError where it is not there."""
    tower = text.get("hf_model_name")
    if tower is None:
        return None
    if Path(str(tower)).is_dir():
        return Path(tower) / CONFIG
    from transformers.utils import cached_file

    return Path(cached_file(str(tower), CONFIG))


@contextmanager
def built_from_sizes(text: Mapping[str, Any], config: Path | None, source: str) -> Iterator[dict[str, Any]]:
    """Around what builds a model with this ``text_cfg``: options for `open_clip.create_model`.

    config: of the tower (`config_of`). Raises BackboneError for one that is not known.
    """
    if config is None:
        yield {}
        return
    sizes = sizes_of(config, source)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / CONFIG).write_text(json.dumps(sizes), encoding="utf-8")
        yield {"text_cfg": {**text, "hf_model_name": folder, "hf_model_pretrained": False}}


def sizes_of(config: Path, source: str) -> dict[str, Any]:
    """What is taken of the configuration of a tower."""
    found = read_asked(config, source)
    if "auto_map" in found:
        raise foreign_code(source)
    kind = found.get("model_type")
    if kind not in KINDS:
        raise BackboneError(
            f"{source!r} has a text tower of transformers of kind {str(kind)[:40]!r}, which is not "
            f"known; known are {', '.join(KINDS)}, and open_clip's own text transformers"
        )
    numbers = {name: found[name] for name in SIZES if isinstance(found.get(name), int | float)}
    words = {name: found[name] for name in WORDS if isinstance(found.get(name), str)}
    return {"model_type": kind, **numbers, **words}


def forget_the_place(text: Any) -> None:
    """The tower keeps the name of the folder that it was built from, which is gone."""
    text.transformer.name_or_path = ""
    text.config._name_or_path = ""


@dataclass(frozen=True)
class TowerParts:
    """Where tokens enter a text tower of open_clip, its layers, and what its tokenizer must know: how long a
    text may be, for how many tokens there are vectors, and which token is padding that none sees, if any."""

    embedding: Any
    layers: Sequence[nn.Module]
    batch_first: bool
    length: int
    vocabulary: int
    hidden_pad: int | None = None


def parts_of(text: Any, context_length: int) -> TowerParts:
    """The parts of a tower of transformers. context_length: as the tokenizer is told."""
    tower, config = text.transformer, text.config
    kind, pad = str(config.model_type), int(config.pad_token_id)
    if kind == "mt5":
        embedding, layers = tower.embed_tokens, tower.block
        room = context_length  # positions relative to each other, of any distance
    elif kind == "m2m_100":
        embedding, layers = tower.embed_tokens, tower.layers
        room = int(config.max_position_embeddings)
    else:
        embedding, layers = tower.embeddings.word_embeddings, tower.encoder.layer
        room = int(config.max_position_embeddings) - (pad + 1 if kind in FROM_PADDING else 0)
    return TowerParts(
        embedding, list(layers), True, min(context_length, room), embedding.weight.shape[0], pad
    )
