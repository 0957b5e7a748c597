"""Tokenizers of transformers as the encoders need them: words, special ids, and SigLIP's own lower case."""

from __future__ import annotations

import copy
from typing import Any

from promptlet.backbones.libraries.texts.kinds import room, text_kind
from promptlet.backbones.text.tokenizer import PROBE, Tokenizer, split_special
from promptlet.errors import BackboneError

CAPITALS = "A Photo of a Dog"


def words_of(tokenizer: Any, config: Any) -> Tokenizer:
    """The tokenizer of the text tower of a dual encoder of transformers. Raises BackboneError where the two
    do not fit."""
    kind, text_config = text_kind(config), config.text_config
    tokenizer = in_lower_case(tokenizer) if kind.lower_case else tokenizer

    def words(text: str) -> list[int]:
        # not verbose: whether a text is too long is for `Tokenizer` to say
        return list(tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    start, end = split_special(list(tokenizer(PROBE).input_ids), words(PROBE))
    pad = tokenizer.pad_token_id
    if (kind.causal or kind.hides_padding) and (start is None or end is None):
        raise BackboneError(
            f"the tokenizer of a text tower of kind {text_config.model_type} must add a start and an end "
            "token; it does not. Save the model's own tokenizer beside it."
        )
    if kind.causal and end is not None:
        _check_pooling(text_config, end, tokenizer)
        pad = end if pad is None else pad
    if kind.hides_padding and pad != text_config.pad_token_id:
        raise BackboneError(
            f"the text tower hides the padding token {text_config.pad_token_id} and the tokenizer's is "
            f"{pad}: they do not belong together. Save the model's own tokenizer beside it."
        )
    tokens = Tokenizer(
        words,
        start,
        end,
        int(pad if pad is not None else 0),
        room(kind, text_config, tokenizer),
        tokenizer.unk_token_id,
        tokenizer.convert_ids_to_tokens,
        vocabulary=int(text_config.vocab_size),
        hides_padding=kind.hides_padding,
    )
    tokens.check_vectors()
    tokens.check_length()
    return tokens


def in_lower_case(tokenizer: Any) -> Any:
    """A tokenizer of a SigLIP text tower that reads capitals as its authors do: in lower case.

    SigLIP's own class does so by itself, and leaves out punctuation. SigLIP 2 has Gemma's vocabulary, whose
    tokenizer keeps capitals; its authors lower all texts first (`lower(key="text")|tok(..., model="gemma")`
    in big_vision's SigLIP2_demo.ipynb), and transformers does since its class Siglip2Tokenizer (pull request
    43101), which models saved before, under the type "siglip", do not name. What that class adds is added
    here; the tokenizer given stays as it is.
    """
    upper, lower = (
        tokenizer(text, add_special_tokens=False).input_ids for text in (CAPITALS, CAPITALS.lower())
    )
    if list(upper) == list(lower):
        return tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise BackboneError(
            f"a tokenizer of kind {type(tokenizer).__name__} reads capitals apart, and SigLIP's texts are in "
            "lower case; save SigLIP's or SigLIP 2's own tokenizer beside the model"
        )
    from tokenizers import normalizers

    own = copy.deepcopy(tokenizer)
    backend = own.backend_tokenizer
    after = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *after])
    return own


def _check_pooling(text_config: Any, end: int, tokenizer: Any) -> None:
    """CLIPTextModel pools the first ``eos_token_id``, or (id 2, old configurations) the largest id. MetaCLIP
    2's end token may have the id 2 in earnest."""
    pools_at, last = text_config.eos_token_id, len(tokenizer) - 1
    at_largest = pools_at == 2 and text_config.model_type == "clip_text_model"
    added = [word for word, at in tokenizer.get_added_vocab().items() if at > end]
    if at_largest and added and len(added) == last - end:
        raise BackboneError(
            f"{len(added)} words such as {added[0][:40]!r} were added to the tokenizer, behind token {end}, "
            "at which a text ends. With eos_token_id 2, as in old configurations, the text tower reads its "
            "features at the largest token, which would be such a word. Write "
            f'"eos_token_id": {end} under text_config in config.json, or take the tokenizer as it was.'
        )
    if end != (last if at_largest else pools_at):
        raise BackboneError(
            f"the text tower pools at token {pools_at} but the tokenizer ends a text with {end}: they do not "
            "belong together. Save the model's own tokenizer beside it."
        )
