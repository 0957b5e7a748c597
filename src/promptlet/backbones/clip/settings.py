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
NOTHING = type(None)
NUMBER = (int, float, bool, NOTHING)
NO_MATTER: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("initializer_factor", "initializer_range"), (float,)),  # before weights are read
    **dict.fromkeys(("logit_scale_init_value", "attention_dropout", "dropout"), (int, float, NOTHING)),
    "projection_dim": (int, NOTHING),  # of a tower: the model's own counts
    **dict.fromkeys(
        ("bos_token_id", "pad_token_id", "sep_token_id"), (int, NOTHING)
    ),  # the tokenizer's count
    **dict.fromkeys(("decoder_start_token_id", "cross_attention_hidden_size"), (int, NOTHING)),
    "chunk_size_feed_forward": (int,),
    **dict.fromkeys(("transformers_version", "_name_or_path"), (str, NOTHING)),
    "tie_word_embeddings": (bool,),
    # what older versions wrote of generation, beside every model
    **dict.fromkeys(("max_length", "min_length", "do_sample", "early_stopping", "num_beams"), NUMBER),
    **dict.fromkeys(("num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p"), NUMBER),
    **dict.fromkeys(("typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size"), NUMBER),
    **dict.fromkeys(("encoder_no_repeat_ngram_size", "num_return_sequences", "output_scores"), NUMBER),
    **dict.fromkeys(("return_dict_in_generate", "remove_invalid_values"), NUMBER),
    **dict.fromkeys(("forced_bos_token_id", "forced_eos_token_id"), NUMBER),
    **dict.fromkeys(("exponential_decay_length_penalty", "suppress_tokens"), (list, NOTHING)),
    "begin_suppress_tokens": (list, NOTHING),
}
"""Fields that decide nothing of what a CLIP answers, with the types of which the library takes them."""
LABELS: dict[str, type] = {"id2label": str, "label2id": int}
"""Tables that decide nothing either, and what they hold."""


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
        elif not (
            type(value) in NO_MATTER.get(name, ())
            or (name in LABELS and _is_table(value, LABELS[name]))
            or is_one_of(value, MUST_BE.get(name, ()))
        ):
            raise UnknownError(f"{name}={str(value)[:60]}")
    if kind is TextSettings and "eos_token_id" not in config:
        raise UnknownError("eos_token_id is not said")
    return {name: value for name, value in config.items() if name in own}


def _is_table(value: Any, kind: type) -> bool:
    """Of labels: their numbers, which are keys as text, or what they are called."""
    if value is None:
        return True
    if not isinstance(value, dict) or not all(type(one) is kind for one in value.values()):
        return False
    return kind is not str or all(key.isdecimal() and key.isascii() for key in value)


def is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Equal, and of the same type: 0 is not False."""
    return any(type(value) is type(one) and value == one for one in allowed)


def _is_a(value: Any, kind: str) -> bool:
    return type(value).__name__ == kind and (kind == "str" or value > 0)
