"""Text towers of transformers by their kind: what they see, and where their features are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

OWN_TEXT = {"align": "align_text_model", "altclip": "altclip_text_model"}
"""Dual encoders with one kind of text tower, which older versions saved under the name of what it was made of
(BERT, XLM-RoBERTa)."""


@dataclass(frozen=True)
class TextKind:
    """Of a text tower.

    causal: a token sees those before it alone, and features are read at the end token. lower_case: texts are
    in lower case, whatever its tokenizer does. hides_padding: no token sees the padding. from_padding:
    positions are counted from the padding token's id, so that those up to it are taken. first: features are
    read at the first token's state, not from the library's pooler.
    """

    causal: bool = False
    lower_case: bool = False
    hides_padding: bool = False
    from_padding: bool = False
    first: bool = False


_CAUSAL = TextKind(causal=True)
_SIGLIP = TextKind(lower_case=True)
_BERT = TextKind(hides_padding=True)
_ROBERTA = TextKind(hides_padding=True, from_padding=True)
_FIRST = TextKind(hides_padding=True, first=True)

TEXT_KINDS = {
    **dict.fromkeys(("clip_text_model", "metaclip_2_text_model"), _CAUSAL),
    **dict.fromkeys(("siglip_text_model", "siglip2_text_model"), _SIGLIP),
    "bert": _BERT,
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert"), _ROBERTA),
    **dict.fromkeys(("chinese_clip_text_model", "align_text_model"), _FIRST),
    "altclip_text_model": TextKind(hides_padding=True, from_padding=True, first=True),
}
"""By transformers' name of the tower."""
BESIDE_ANY_EYES = ("clip_text_model", "bert", "roberta", "xlm-roberta", "camembert")
"""What may stand in a VisionTextDualEncoder."""


def text_type(config: Any) -> str:
    """Transformers' name of the text tower of a dual encoder with this configuration; "" for none."""
    named = getattr(getattr(config, "text_config", None), "model_type", None) or ""
    return OWN_TEXT.get(config.model_type, named)


def text_kind(config: Any) -> TextKind:
    """The kind of the text tower of a dual encoder that is known."""
    return TEXT_KINDS[text_type(config)]


def room(kind: TextKind, text_config: Any, tokenizer: Any) -> int:
    """How many tokens a text may have with its special ones.

    Where padding is hidden, the tokenizer may say less than there are positions: for how many a tower was
    trained.
    """
    positions = int(text_config.max_position_embeddings)
    if kind.from_padding:
        positions -= int(text_config.pad_token_id) + 1
    return min(positions, int(tokenizer.model_max_length)) if kind.hides_padding else positions


def token_embedding(text_model: Any) -> nn.Module:
    """The layer through which tokens enter."""
    embeddings = _inner(text_model).embeddings
    found: nn.Module = getattr(embeddings, "token_embedding", None) or embeddings.word_embeddings
    return found


def layers_of(text_model: Any) -> Sequence[nn.Module]:
    """The layers between the embeddings and what features are read from."""
    encoder = _inner(text_model).encoder
    return list(encoder.layers if hasattr(encoder, "layers") else encoder.layer)


def _inner(text_model: Any) -> Any:
    return getattr(text_model, "roberta", text_model)  # AltCLIP's has two more layers behind it


def forward_of(text_model: Any, projection: Any, kind: TextKind, pad: int) -> Callable[[Tensor], Tensor]:
    """The library's own way from whole rows of ids (C, L) to features (C, D)."""

    def forward(ids: Tensor) -> Tensor:
        masks = {"attention_mask": (ids != pad).long()} if kind.hides_padding else {}
        out = text_model(input_ids=ids, **masks)
        pooled: Tensor = out.last_hidden_state[:, 0] if kind.first else out.pooler_output
        return pooled if projection is None else projection(pooled)

    return forward
