"""Dual encoders of the open_clip library (an optional extra)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.libraries.addresses import CONFIG, Address, address_of
from promptlet.backbones.libraries.asked import check_folder, read_asked
from promptlet.backbones.libraries.building import own_building
from promptlet.backbones.libraries.built import no_larger_than
from promptlet.backbones.libraries.described import check_described, check_text
from promptlet.backbones.libraries.no_code import no_foreign_code
from promptlet.backbones.libraries.open_clip_towers import causal_tower, image_tower
from promptlet.backbones.libraries.quiet import offline, quiet
from promptlet.backbones.libraries.read_as import ReadAs, read_as
from promptlet.backbones.libraries.refusal import REASON, refusing
from promptlet.backbones.libraries.texts.in_open_clip import (
    TowerParts,
    built_from_sizes,
    config_of,
    forget_the_place,
    parts_of,
)
from promptlet.backbones.libraries.tokenizer_files import check_tokenizer_files
from promptlet.backbones.libraries.weights import check_weights
from promptlet.backbones.parts import Towers, freeze, settle
from promptlet.backbones.sound import bias_of, scale_of
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.backbones.text.reference import PlainTower
from promptlet.backbones.text.tokenizer import PROBE, Tokenizer, split_special
from promptlet.backbones.towers import TowerBackbone
from promptlet.errors import BackboneError, MissingExtraError
from promptlet.preprocessing.libraries import spec_from_open_clip

WORDS = 49408
"""Of CLIP's own tokenizer."""


def load_open_clip(source: str, device: torch.device, dtype: torch.dtype) -> TowerBackbone:
    """Load ``open_clip:NAME/PRETRAINED``; PRETRAINED is a tag or a checkpoint's path, behind which ``?`` may
    say how images are to be read (`read_as`).

    ``open_clip:FOLDER`` takes a folder with open_clip_config.json, ``open_clip:hf-hub:OWNER/NAME`` a hub id.
    """
    open_clip = _import_open_clip()
    address = address_of(source, open_clip)
    fails = (
        f"cannot load {source!r}: {REASON}. The weights must be in the local cache, at the path given, or "
        "the network must be reachable."
    )
    with quiet(), no_foreign_code(source), own_building(), refusing(source, fails):
        if address.file is not None:
            known = read_as(address, source, open_clip)
            model = _from_file(address.file, known, source, open_clip)
            tokenizer = _from_cache_first(lambda: open_clip.get_tokenizer(known.name))
            return wrap_open_clip(model, tokenizer, source, device, dtype, known.remarks)
        model, tokenizer = _from_known_place(address, source, open_clip)
        return wrap_open_clip(model, tokenizer, source, device, dtype)


def _from_file(file: Path, known: ReadAs, source: str, open_clip: Any) -> Any:
    text = open_clip.get_model_config(known.name)["text_cfg"]
    check_text(text, source)
    config = _from_cache_first(partial(config_of, text))
    weights = check_weights([file], source)
    with no_larger_than(weights, source), built_from_sizes(text, config, source) as built:
        return open_clip.create_model(
            known.name,
            pretrained=str(file),
            require_pretrained=True,
            precision="fp32",
            force_quick_gelu=known.quick_gelu,
            force_preprocess_cfg=known.preprocessing,
            **built,
        )


def _from_known_place(address: Address, source: str, open_clip: Any) -> tuple[Any, Any]:
    def create() -> tuple[Any, Any]:
        weights, text = _checked(address.name, source, open_clip)
        config = _from_cache_first(partial(config_of, text))
        with no_larger_than(weights, source), built_from_sizes(text, config, source) as built:
            model = open_clip.create_model(
                address.name,
                pretrained=address.pretrained,
                require_pretrained=True,
                precision="fp32",
                **built,
            )
        return model, open_clip.get_tokenizer(address.name)

    if address.pretrained is not None:
        _check_activation(address.name, address.pretrained, source, open_clip)
    return create() if address.name.startswith("local-dir:") else _from_cache_first(create)


def _from_cache_first(create: Callable[[], Any]) -> Any:
    """What is in the local cache is taken from there; else the hub is asked once, which raises when it cannot
    be reached: the library would try for 23 seconds."""
    from huggingface_hub import constants, get_session

    try:
        with offline():
            return create()
    except BackboneError:
        raise
    except Exception:  # mostly: not in the cache
        get_session().head(constants.ENDPOINT, timeout=10)
    return create()


def _checked(name: str, source: str, open_clip: Any) -> tuple[int, dict[str, Any]]:
    """Bytes of the weights of a folder or a hub id, whose files may be read, or 0 for the library's own tags;
    and what is said of the text tower."""
    from open_clip import factory

    kind, _, place = name.partition(":")
    if kind == "local-dir":
        folder = Path(place)
        config = read_asked(folder / CONFIG, source)
        check_folder(folder, source, _vocabulary(config))
        check_tokenizer_files(folder, source)
        found = factory._find_checkpoint_in_dir(folder)
        if found is None:
            raise FileNotFoundError("no weights (.safetensors, .bin or .pth) in this folder")
    elif kind == "hf-hub":
        config = read_asked(Path(factory.download_pretrained_from_hf(place, filename=CONFIG)), source)
        found = factory.download_pretrained_from_hf(place)
    else:
        text = open_clip.get_model_config(name)["text_cfg"]
        check_text(text, source)
        return 0, text
    weights = check_weights([Path(found)], source)
    check_described(config, weights, source)
    return weights, config["model_cfg"]["text_cfg"]


def _vocabulary(config: Any) -> int:
    text = config.get("model_cfg")
    text = text.get("text_cfg") if isinstance(text, dict) else None
    size = text.get("vocab_size") if isinstance(text, dict) else None
    return size if isinstance(size, int) else WORDS


def wrap_open_clip(
    model: Any,
    tokenizer: Any,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    remarks: tuple[str, ...] = (),
) -> TowerBackbone:
    """A backbone over an open_clip model that is already in memory (its weights are frozen in place)."""
    from open_clip import get_model_preprocess_cfg

    text = getattr(model, "text", model)
    parts = _parts(text, tokenizer, name)
    freeze(model).float()
    spec = spec_from_open_clip(dict(get_model_preprocess_cfg(model)), name)
    towers = Towers([_TextParts(text, model) if text is model else text], [model.visual], spec.as_dict())
    tokens = _tokenizer(tokenizer, parts, name)
    tokens.check_vectors()
    tokens.check_length()
    _check_pooling(text, model, tokens, name)

    def forward(ids: Tensor) -> Tensor:
        features: Tensor = model.encode_text(ids, normalize=False)  # CoCa does it else
        return features

    def forward_images(pixels: Tensor) -> Tensor:
        features: Tensor = model.encode_image(pixels, normalize=False)
        return features

    towers.ask(forward, tokens, forward_images, spec)
    settle(model, towers, device, dtype)
    kind = type(model.visual).__name__
    tower = None if parts.hidden_pad is not None else towers.read("text", partial(causal_tower, text, model))
    prompted, eyes = towers.read("image", partial(image_tower, model.visual, forward_images)) or (None, None)
    plain = PlainTower(forward, parts.embedding, parts.layers, parts.batch_first)
    return TowerBackbone(
        name=name,
        framework="open_clip",
        model=model,
        towers=towers,
        text=TextEncoder(plain, tower, tokens, parts.embedding.weight, towers.text_watch),
        images=ImageEncoder(forward_images, spec, device, dtype, kind, prompted, eyes, towers.image_watch),
        logit_scale=scale_of(name, model.logit_scale),
        logit_bias=bias_of(name, getattr(model, "logit_bias", None)),
        remarks=remarks,
    )


def _parts(text: Any, tokenizer: Any, name: str) -> TowerParts:
    if type(text).__name__ == "HFTextEncoder":
        forget_the_place(text)
        return parts_of(text, int(tokenizer.context_length))
    if not hasattr(text, "token_embedding") or not hasattr(text, "transformer"):
        raise BackboneError(
            f"{name!r} has a text tower of kind {type(text).__name__}, which Promptlet does not know; "
            "supported are open_clip's own text transformers and its towers of transformers"
        )
    transformer, embedding = text.transformer, text.token_embedding
    batch_first = bool(getattr(transformer, "batch_first", True))
    length, vocabulary = int(text.context_length), len(embedding.weight)
    return TowerParts(embedding, list(transformer.resblocks), batch_first, length, vocabulary)


class _TextParts(nn.Module):
    """The text side of open_clip's `CLIP`, whose parts hang on the model itself."""

    def __init__(self, text: Any, model: Any) -> None:
        super().__init__()
        self.token_embedding = text.token_embedding
        self.transformer = text.transformer
        self.ln_final = text.ln_final
        self.positional_embedding = text.positional_embedding
        projection = model.text_projection
        if isinstance(projection, nn.Parameter):  # (d, D) here, (D, d) in transformers: same fingerprint
            self.register_buffer("text_projection", projection.detach().t())
        else:
            self.text_projection = projection


def _import_open_clip() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise MissingExtraError(
            "open_clip models need the optional package open_clip_torch: pip install 'promptlet[open-clip]'"
        ) from error
    return open_clip


def _check_activation(name: str, tag: str, source: str, open_clip: Any) -> None:
    """open_clip only warns when weights were trained with the other GELU, and gives wrong features."""
    weights = open_clip.get_pretrained_cfg(name, tag)
    quick = bool(open_clip.get_model_config(name).get("quick_gelu", False))
    if weights and bool(weights.get("quick_gelu", False)) != quick:
        other = name.removesuffix("-quickgelu") if quick else f"{name}-quickgelu"
        raise BackboneError(
            f"{source!r}: these weights were trained with {'GELU' if quick else 'QuickGELU'}, which {name} "
            f"does not use; give open_clip:{other}/{tag}"
        )


def _tokenizer(tokenizer: Any, parts: TowerParts, name: str) -> Tokenizer:
    length, vocabulary, hidden = parts.length, parts.vocabulary, parts.hidden_pad
    if hasattr(tokenizer, "sot_token_id"):  # SimpleTokenizer, CLIP's own

        def simple(text: str) -> list[int]:
            return list(tokenizer.encode(text))

        ends = tokenizer.sot_token_id, tokenizer.eot_token_id

        def pieces(ids: Sequence[int]) -> list[str]:
            return [tokenizer.decoder[one] for one in ids]

        return Tokenizer(simple, *ends, 0, length, None, pieces, vocabulary)
    inner, clean = getattr(tokenizer, "tokenizer", None), getattr(tokenizer, "clean_fn", None)
    if inner is None or clean is None or tokenizer.tokenizer_mode or tokenizer.strip_sep_token:
        raise BackboneError(
            f"{name!r} uses a tokenizer of kind {type(tokenizer).__name__}, which is not known"
        )

    def words(text: str) -> list[int]:
        return list(inner(clean(text), add_special_tokens=False).input_ids)

    start, end = split_special(list(inner(clean(PROBE)).input_ids), words(PROBE))
    pad, pieces = int(inner.pad_token_id), inner.convert_ids_to_tokens
    if hidden not in (None, pad):
        raise BackboneError(
            f"the text tower of {name!r} hides the padding token {hidden} and the tokenizer's is {pad}: they "
            "do not belong together"
        )
    return Tokenizer(
        words, start, end, pad, length, inner.unk_token_id, pieces, vocabulary, hidden is not None
    )


def _check_pooling(text: Any, model: Any, tokens: Tokenizer, name: str) -> None:
    pool = getattr(text, "pool_type", None) or getattr(model, "text_pool_type", None)
    eos = getattr(text, "eos_id", None) if text is not model else getattr(model, "text_eos_id", None)
    if pool == "eos" and eos != tokens.end:
        raise BackboneError(
            f"the text tower of {name!r} pools at token {eos} but the tokenizer ends a text with "
            f"{tokens.end}: they do not belong together"
        )
