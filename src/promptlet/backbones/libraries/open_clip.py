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
    check_text(open_clip.get_model_config(known.name)["text_cfg"], source)
    with no_larger_than(check_weights([file], source), source):
        return open_clip.create_model(
            known.name,
            pretrained=str(file),
            require_pretrained=True,
            precision="fp32",
            force_quick_gelu=known.quick_gelu,
            force_preprocess_cfg=known.preprocessing,
        )


def _from_known_place(address: Address, source: str, open_clip: Any) -> tuple[Any, Any]:
    def create() -> tuple[Any, Any]:
        with no_larger_than(_checked(address.name, source, open_clip), source):
            model = open_clip.create_model(
                address.name, pretrained=address.pretrained, require_pretrained=True, precision="fp32"
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


def _checked(name: str, source: str, open_clip: Any) -> int:
    """Bytes of the weights of a folder or a hub id, whose files may be read; 0 for the library's own tags."""
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
        check_text(open_clip.get_model_config(name)["text_cfg"], source)
        return 0
    weights = check_weights([Path(found)], source)
    check_described(config, weights, source)
    return weights


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
    if not hasattr(text, "token_embedding") or not hasattr(text, "transformer"):
        raise BackboneError(
            f"{name!r} has a text tower of kind {type(text).__name__}, which Promptlet does not know; "
            "supported are open_clip's own text transformers (CLIP, SigLIP)"
        )
    freeze(model).float()
    spec = spec_from_open_clip(dict(get_model_preprocess_cfg(model)), name)
    towers = Towers([_TextParts(text, model) if text is model else text], [model.visual], spec.as_dict())
    tokens = _tokenizer(tokenizer, int(text.context_length), len(text.token_embedding.weight), name)
    tokens.check_vectors()
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
        remarks=remarks,
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


def _tokenizer(tokenizer: Any, length: int, vocabulary: int, name: str) -> Tokenizer:
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
    pieces = inner.convert_ids_to_tokens
    return Tokenizer(
        words, start, end, int(inner.pad_token_id), length, inner.unk_token_id, pieces, vocabulary
    )


def _check_pooling(text: Any, model: Any, tokens: Tokenizer, name: str) -> None:
    pool = getattr(text, "pool_type", None) or getattr(model, "text_pool_type", None)
    eos = getattr(text, "eos_id", None) if text is not model else getattr(model, "text_eos_id", None)
    if pool == "eos" and eos != tokens.end:
        raise BackboneError(
            f"the text tower of {name!r} pools at token {eos} but the tokenizer ends a text with "
            f"{tokens.end}: they do not belong together"
        )
