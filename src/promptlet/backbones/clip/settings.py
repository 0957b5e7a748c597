"""What a CLIP's config.json may say for Promptlet to read the folder by itself, and what it then means.

Only what is known passes: every field is one that decides the model and has a value that is known here, or
one that never reaches a CLIP's forward pass. A configuration with anything else (another attention, a
quantisation, code of its own, a field of a later version) is the library's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

ACTIVATIONS = ("quick_gelu", "gelu")


@dataclass(frozen=True)
class TextSettings:
    """Fields and defaults of transformers' CLIPTextConfig; ``eos_token_id`` has none, since it changed."""

    eos_token_id: int
    vocab_size: int = 49408
    hidden_size: int = 512
    intermediate_size: int = 2048
    num_hidden_layers: int = 12
    num_attention_heads: int = 8
    max_position_embeddings: int = 77
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    model_type: str = "clip_text_model"


@dataclass(frozen=True)
class VisionSettings:
    """Fields and defaults of transformers' CLIPVisionConfig."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 224
    patch_size: int = 32
    num_channels: int = 3
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    model_type: str = "clip_vision_model"


@dataclass(frozen=True)
class ClipSettings:
    """Both towers and the width of what they are projected to."""

    text_config: TextSettings
    vision_config: VisionSettings
    projection_dim: int = 512
    model_type: str = "clip"


MUST_BE: dict[str, tuple[Any, ...]] = {
    "architectures": (None, ["CLIPModel"]),
    **dict.fromkeys(("dtype", "torch_dtype"), (None, "float32", "float16", "bfloat16")),
    **dict.fromkeys(("text_config_dict", "vision_config_dict", "tokenizer_class", "prefix"), (None,)),
    **dict.fromkeys(("task_specific_params", "finetuning_task", "problem_type", "bad_words_ids"), (None,)),
    **dict.fromkeys(("is_decoder", "is_encoder_decoder", "add_cross_attention", "torchscript"), (False,)),
    **dict.fromkeys(("output_attentions", "output_hidden_states", "use_bfloat16"), (False,)),
    **dict.fromkeys(("tie_encoder_decoder", "tf_legacy_loss"), (False,)),
    "return_dict": (True,),
    "pruned_heads": ({},),
}
"""Fields that decide nothing while they have one of these values."""
NO_MATTER = frozenset(
    (
        *("initializer_factor", "initializer_range", "logit_scale_init_value"),  # before weights are read
        *("attention_dropout", "dropout"),  # in training
        *("transformers_version", "_name_or_path", "projection_dim"),  # of a tower: the model's own counts
        *("bos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id"),  # the tokenizer's count
        *("id2label", "label2id", "chunk_size_feed_forward", "cross_attention_hidden_size"),
        "tie_word_embeddings",
        # what older versions wrote of generation, beside every model
        *("max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups"),
        *("diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty"),
        *("length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "num_return_sequences"),
        *("output_scores", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id"),
        *("remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens"),
        "begin_suppress_tokens",
    )
)
"""Fields that decide nothing of what a CLIP answers."""


class UnknownError(Exception):
    """Something that Promptlet does not know for certain: the library is to read the folder."""


def settings_of(config: Mapping[str, Any]) -> ClipSettings:
    """What config.json says. Raises UnknownError."""
    text, vision = config.get("text_config"), config.get("vision_config")
    if not isinstance(text, dict) or not isinstance(vision, dict):
        raise UnknownError("text_config or vision_config is no object")
    settings = ClipSettings(
        TextSettings(**_known(text, TextSettings)),
        VisionSettings(**_known(vision, VisionSettings)),
        **_known(
            {name: value for name, value in config.items() if name not in ("text_config", "vision_config")},
            ClipSettings,
        ),
    )
    for tower in (settings.text_config, settings.vision_config):
        if tower.hidden_act not in ACTIVATIONS or tower.hidden_size % tower.num_attention_heads:
            raise UnknownError(f"hidden_act={tower.hidden_act}, or a width that heads do not divide")
    if (settings.vision_config.image_size % settings.vision_config.patch_size) or (
        settings.model_type,
        settings.text_config.model_type,
        settings.vision_config.model_type,
    ) != ("clip", "clip_text_model", "clip_vision_model"):
        raise UnknownError("another kind of model, or patches that do not fill an image")
    return settings


def _known(config: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The fields of ``kind``, each of its type. Raises UnknownError for any other that may matter."""
    own = {field.name: field.type for field in fields(kind)}
    for name, value in config.items():
        if name in own and name not in ("text_config", "vision_config"):
            if not _is_a(value, str(own[name])):
                raise UnknownError(f"{name}={str(value)[:60]}")
        elif not (name in NO_MATTER or (name in MUST_BE and _is_one_of(value, MUST_BE[name]))):
            raise UnknownError(f"{name}={str(value)[:60]}")
    if kind is TextSettings and "eos_token_id" not in config:
        raise UnknownError("eos_token_id is not said")
    return {name: value for name, value in config.items() if name in own}


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Equal, and of the same type: 0 is not False."""
    return any(type(value) is type(one) and value == one for one in allowed)


def _is_a(value: Any, kind: str) -> bool:
    return type(value).__name__ == kind and (kind == "str" or value > 0)
