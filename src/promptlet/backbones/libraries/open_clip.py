"""Dual encoders of the open_clip library (an optional extra)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.image.preprocess import spec_from_open_clip
from promptlet.backbones.libraries.building import own_building
from promptlet.backbones.libraries.no_code import ForeignCodeError, check_no_code, no_foreign_code
from promptlet.backbones.libraries.open_clip_towers import causal_tower, image_tower
from promptlet.backbones.libraries.quiet import offline, quiet
from promptlet.backbones.numbers import bias_of, scale_of
from promptlet.backbones.parts import Towers, freeze, settle
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.backbones.text.reference import PlainTower
from promptlet.backbones.text.tokenizer import PROBE, Tokenizer, split_special
from promptlet.backbones.towers import TowerBackbone
from promptlet.errors import BackboneError, MissingExtraError, did_you_mean

PREFIX = "open_clip:"


def load_open_clip(source: str, device: torch.device, dtype: torch.dtype) -> TowerBackbone:
    """Load ``open_clip:NAME/PRETRAINED``; PRETRAINED is a tag or a checkpoint's path.

    ``open_clip:FOLDER`` takes a folder with open_clip_config.json, ``open_clip:hf-hub:OWNER/NAME`` a hub id.
    """
    open_clip = _import_open_clip()
    name, pretrained = _split_source(source, open_clip)
    try:
        with quiet(), no_foreign_code(source), own_building():
            model, tokenizer = _load_parts(name, pretrained, open_clip)
    except Exception as error:  # the library raises many kinds: RuntimeError, OSError, hub errors, ...
        check_no_code(source, error)
        raise BackboneError(
            f"cannot load {source!r}: {type(error).__name__}: {str(error).strip()[:300]}. The weights must "
            "be in the local cache, at the path given, or the network must be reachable."
        ) from error
    return wrap_open_clip(model, tokenizer, source, device, dtype)


def _load_parts(name: str, pretrained: str | None, open_clip: Any) -> tuple[Any, Any]:
    """What is in the local cache is taken from there; else the hub is asked once, which raises when it cannot
    be reached: the library would try for 23 seconds."""
    from huggingface_hub import constants, get_session

    def create() -> tuple[Any, Any]:
        model = open_clip.create_model(name, pretrained=pretrained, require_pretrained=True, precision="fp32")
        return model, open_clip.get_tokenizer(name)

    if name.startswith("local-dir:") or Path(pretrained or "").is_file():
        return create()
    try:
        with offline():
            return create()
    except ForeignCodeError:
        raise
    except Exception:  # mostly: not in the cache
        get_session().head(constants.ENDPOINT, timeout=10)
    return create()


def wrap_open_clip(
    model: Any, tokenizer: Any, name: str, device: torch.device, dtype: torch.dtype
) -> TowerBackbone:
    """A backbone over an open_clip model that is already in memory (its weights are frozen in place)."""
    from open_clip import get_model_preprocess_cfg

    text = getattr(model, "text", model)
    if not hasattr(text, "token_embedding") or not hasattr(text, "transformer"):
        raise BackboneError(
            f"{name!r} has a text tower of kind {type(text).__name__}, which Promptlet does not know; "
            "supported are open_clip's own text transformers (CLIP, SigLIP)"
        )
    freeze(model).float()
    spec = spec_from_open_clip(dict(get_model_preprocess_cfg(model)), name)
    towers = Towers([_TextParts(text, model) if text is model else text], [model.visual], spec.as_dict())
    tokens = _tokenizer(tokenizer, int(text.context_length), name)
    _check_pooling(text, model, tokens, name)

    def forward(ids: Tensor) -> Tensor:
        features: Tensor = model.encode_text(ids)
        return features

    def forward_images(pixels: Tensor) -> Tensor:
        features: Tensor = model.encode_image(pixels)
        return features

    towers.ask(forward, tokens, forward_images, spec)
    settle(model, towers, device, dtype)
    transformer, kind = text.transformer, type(model.visual).__name__
    tower = towers.read("text", partial(causal_tower, text, model))
    prompted, eyes = towers.read("image", partial(image_tower, model.visual, forward_images)) or (None, None)
    plain = PlainTower(
        forward, text.token_embedding, list(transformer.resblocks), getattr(transformer, "batch_first", True)
    )
    return TowerBackbone(
        name=name,
        framework="open_clip",
        model=model,
        towers=towers,
        text=TextEncoder(plain, tower, tokens, text.token_embedding.weight, towers.text_watch),
        images=ImageEncoder(forward_images, spec, device, dtype, kind, prompted, eyes, towers.image_watch),
        logit_scale=scale_of(name, model.logit_scale),
        logit_bias=bias_of(name, getattr(model, "logit_bias", None)),
    )


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


def _split_source(source: str, open_clip: Any) -> tuple[str, str | None]:
    rest = source[len(PREFIX) :]
    if rest.startswith(("hf-hub:", "local-dir:")):
        return rest, None
    folder = Path(rest).expanduser()
    if folder.is_dir() or rest.startswith((".", "/", "~")):
        if not (folder / "open_clip_config.json").is_file():
            lack = "no open_clip_config.json in this folder" if folder.is_dir() else "no such folder"
            raise BackboneError(
                f"{source!r}: {lack}; give open_clip:FOLDER with open_clip_config.json and weights, "
                "or open_clip:NAME/PRETRAINED"
            )
        return f"local-dir:{folder}", None
    name, _, pretrained = rest.partition("/")
    known = open_clip.list_models()
    if name not in known:
        raise BackboneError(
            f"open_clip has no model {name!r}.{did_you_mean(name, known)} Give open_clip:NAME/PRETRAINED, "
            "such as open_clip:ViT-B-16/laion2b_s34b_b88k, or open_clip:FOLDER with open_clip_config.json."
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained not in tags and not Path(pretrained).is_file():
        raise BackboneError(
            f"{source!r}: {pretrained!r} is neither a checkpoint file nor known weights of {name}; known: "
            f"{', '.join(tags) or 'none'}.{did_you_mean(pretrained, tags)}"
        )
    _check_activation(name, pretrained, source, open_clip)
    return name, pretrained


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


def _tokenizer(tokenizer: Any, length: int, name: str) -> Tokenizer:
    if hasattr(tokenizer, "sot_token_id"):  # SimpleTokenizer, CLIP's own

        def simple(text: str) -> list[int]:
            return list(tokenizer.encode(text))

        ends = tokenizer.sot_token_id, tokenizer.eot_token_id
        return Tokenizer(simple, *ends, 0, length, None, lambda ids: [tokenizer.decoder[one] for one in ids])
    inner, clean = getattr(tokenizer, "tokenizer", None), getattr(tokenizer, "clean_fn", None)
    if inner is None or clean is None or tokenizer.tokenizer_mode or tokenizer.strip_sep_token:
        raise BackboneError(
            f"{name!r} uses a tokenizer of kind {type(tokenizer).__name__}, which is not known"
        )

    def words(text: str) -> list[int]:
        return list(inner(clean(text), add_special_tokens=False).input_ids)

    start, end = split_special(list(inner(clean(PROBE)).input_ids), words(PROBE))
    pieces = inner.convert_ids_to_tokens
    return Tokenizer(words, start, end, int(inner.pad_token_id), length, inner.unk_token_id, pieces)


def _check_pooling(text: Any, model: Any, tokens: Tokenizer, name: str) -> None:
    pool = getattr(text, "pool_type", None) or getattr(model, "text_pool_type", None)
    eos = getattr(text, "eos_id", None) if text is not model else getattr(model, "text_eos_id", None)
    if pool == "eos" and eos != tokens.end:
        raise BackboneError(
            f"the text tower of {name!r} pools at token {eos} but the tokenizer ends a text with "
            f"{tokens.end}: they do not belong together"
        )
