"""Dual encoders of transformers: CLIP, SigLIP, SigLIP 2, and VisionTextDualEncoder with a CLIP text tower.

SigLIP 2 of fixed resolution has SigLIP's own model type. Its NaFlex variants ("siglip2") read patches of
images of any aspect. The library pads those to one length and masks the padding; here the images of a batch
are of one size, which gives the same features without padding.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.image.preprocess import ImageSpec, spec_from_transformers
from promptlet.backbones.libraries.building import own_building
from promptlet.backbones.libraries.no_code import (
    ForeignCodeError,
    check_no_code,
    check_own_tokenizer,
    no_foreign_code,
)
from promptlet.backbones.libraries.quiet import offline, quiet
from promptlet.backbones.libraries.transformers_towers import causal_tower, image_tower
from promptlet.backbones.libraries.whole_weights import check_no_adapter, check_not_quantised
from promptlet.backbones.numbers import bias_of, scale_of
from promptlet.backbones.parts import Towers, freeze, settle
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.backbones.text.reference import PlainTower
from promptlet.backbones.text.tokenizer import PROBE, Tokenizer, split_special
from promptlet.backbones.towers import TowerBackbone
from promptlet.errors import BackboneError

OWN_ATTENTION = ("sdpa", "eager")
SUPPORTED = ("clip", "siglip", "siglip2", "vision-text-dual-encoder")


def load_transformers(
    source: str, device: torch.device, dtype: torch.dtype, name: str | None = None
) -> TowerBackbone:
    """Load a folder or hub id; what is in the local cache is taken from there, without asking the network.

    Raises BackboneError that says what is missing and what to do.
    """
    with quiet(), no_foreign_code(source), own_building():
        try:
            with offline():  # beside peft, the library looks for adapters on the hub, whatever it is told
                model, tokenizer, spec = _load_parts(source, local=True)
        except ForeignCodeError:
            raise
        except BackboneError:
            if Path(source).is_dir():
                raise
            _check_reachable(source)
            model, tokenizer, spec = _load_parts(source, local=False)
    return wrap_transformers(model, tokenizer, spec, name or source, device, dtype)


def _load_parts(source: str, local: bool) -> tuple[nn.Module, Any, ImageSpec]:
    config = _load_config(source, local)
    check_no_adapter(source, local)
    check_not_quantised(source, config)
    return (
        _load_model(source, config, local),
        _load_tokenizer(source, config, local),
        _load_spec(source, local),
    )


def _check_reachable(source: str) -> None:
    """Ask the hub once: the library would try six times, for 23 seconds, before it gives up."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        get_hf_file_metadata(hf_hub_url(source, "config.json"))
    except Exception as error:  # no network, no such repository, no permission, an id of the wrong form
        raise BackboneError(
            f"cannot load backbone {source!r} ({_first_line(error)}). {_advice(source)}"
        ) from error


def wrap_transformers(
    model: Any, tokenizer: Any, spec: ImageSpec, name: str, device: torch.device, dtype: torch.dtype
) -> TowerBackbone:
    """A backbone over a transformers model that is already in memory (its weights are frozen in place)."""
    text_config = model.config.text_config
    text_model = model.text_model
    text_model = getattr(text_model, "text_model", text_model)  # older transformers wrap it once more
    projection, visual = (getattr(model, f"{side}_projection", None) for side in ("text", "visual"))

    def forward(ids: Tensor) -> Tensor:
        pooled: Tensor = text_model(input_ids=ids).pooler_output
        return pooled if projection is None else projection(pooled)

    def forward_images(pixels: Tensor) -> Tensor:
        inputs = {"pixel_values": pixels} if spec.patch_size is None else patches(pixels, spec.patch_size)
        pooled: Tensor = model.vision_model(**inputs).pooler_output
        return pooled if visual is None else visual(pooled)

    _check_patches(model.config.vision_config, spec, name)
    causal = text_config.model_type == "clip_text_model"
    tokens = _tokenizer(tokenizer, int(text_config.max_position_embeddings), text_config, causal)
    embedding = text_model.embeddings.token_embedding
    freeze(model).float()
    towers = Towers(
        _present(text_model, projection),
        _present(model.vision_model, visual),
        spec.as_dict(),
    )
    towers.ask(forward, tokens, forward_images, spec)
    settle(model, towers, device, dtype)
    plain, kind = (
        PlainTower(forward, embedding, list(text_model.encoder.layers)),
        type(model.vision_model).__name__,
    )
    tower = (
        towers.read("text", partial(causal_tower, text_model, projection, text_config)) if causal else None
    )
    found = towers.read("image", partial(image_tower, model.vision_model, visual, forward_images))
    prompted, eyes = found or (None, None)
    return TowerBackbone(
        name=name,
        framework="transformers",
        model=model,
        towers=towers,
        text=TextEncoder(plain, tower, tokens, embedding.weight, towers.text_watch),
        images=ImageEncoder(forward_images, spec, device, dtype, kind, prompted, eyes, towers.image_watch),
        logit_scale=scale_of(name, model.logit_scale),
        logit_bias=bias_of(name, getattr(model, "logit_bias", None)),
    )


def patches(pixels: Tensor, size: int) -> dict[str, Tensor]:
    """What a tower of patches reads, for pixels (B, 3, H, W): values (B, N, size * size * 3), no padding."""
    batch, channels, height, width = pixels.shape
    rows, columns = height // size, width // size
    cut = pixels.reshape(batch, channels, rows, size, columns, size).permute(0, 2, 4, 3, 5, 1)
    return {
        "pixel_values": cut.reshape(batch, rows * columns, size * size * channels),
        "pixel_attention_mask": torch.ones(batch, rows * columns, dtype=torch.int32, device=pixels.device),
        "spatial_shapes": torch.tensor(
            [[rows, columns]] * batch, dtype=torch.int64, device="cpu"
        ),  # read as numbers
    }


def _check_patches(vision_config: Any, spec: ImageSpec, name: str) -> None:
    """Patches or pixels, and patches of which size: the tower and the image preprocessor must agree."""
    reads = vision_config.patch_size if vision_config.model_type == "siglip2_vision_model" else None
    if reads != spec.patch_size:
        wants, gets = (
            f"patches of {size} pixels" if size else "whole images" for size in (reads, spec.patch_size)
        )
        raise BackboneError(
            f"the image tower of {name!r} reads {wants} but its image preprocessor makes {gets}: they do not "
            "belong together. Save the model's own image processor beside it."
        )


def _present(*modules: nn.Module | None) -> list[nn.Module]:
    return [module for module in modules if module is not None]


def _advice(source: str) -> str:
    if Path(source).is_dir():
        return (
            "Save the whole model there (model, tokenizer and image processor: save_pretrained of all three)."
        )
    return (
        "If it is a hub id, it must be in the local Hugging Face cache or the network must be reachable; "
        "if it is a folder, check the path."
    )


def _load_config(source: str, local: bool) -> Any:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source, local_files_only=local, trust_remote_code=False)
    except Exception as error:  # the library raises many kinds: OSError, ValueError, KeyError, hub errors
        check_no_code(source, error)
        raise BackboneError(
            f"cannot load backbone {source!r}: no readable config.json ({_first_line(error)}). "
            f"{_advice(source)}"
        ) from error
    text = getattr(getattr(config, "text_config", None), "model_type", None)
    if config.model_type not in SUPPORTED or (
        config.model_type == "vision-text-dual-encoder" and text != "clip_text_model"
    ):
        kind = config.model_type + (f" ({text})" if text else "")
        raise BackboneError(
            f"{source!r} is a {kind} model, not a dual encoder that Promptlet knows. Supported: CLIP, "
            "SigLIP, SigLIP 2, and VisionTextDualEncoder with a CLIP text tower; open_clip models as "
            "'open_clip:NAME/PRETRAINED'."
        )
    return config


def _load_model(source: str, config: Any, local: bool) -> nn.Module:
    from transformers import AutoModel

    try:
        model, info = AutoModel.from_pretrained(
            source,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=local,
            trust_remote_code=False,
            **_attention(config),
        )
    except Exception as error:  # a damaged file raises the reader's own kinds
        check_no_code(source, error)
        raise BackboneError(
            f"cannot load the weights of {source!r}: {_first_line(error)}. {_advice(source)}"
        ) from error
    absent = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
    if absent:
        raise BackboneError(
            f"the weights of {source!r} are incomplete: {len(absent)} tensors are missing or of another "
            f"shape, such as {absent[0]}. {_advice(source)}"
        )
    loaded: nn.Module = model
    return loaded


def _attention(config: Any) -> dict[str, Any]:
    """PyTorch's own attention in the place of any other that a configuration names: a kernel of somebody's
    repository is code, and others need hardware or packages that may not be here."""
    if getattr(config, "_attn_implementation", None) in (None, *OWN_ATTENTION):
        return {}
    config._attn_implementation = OWN_ATTENTION[0]
    return {"config": config, "attn_implementation": OWN_ATTENTION[0]}


def _load_tokenizer(source: str, config: Any, local: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local, trust_remote_code=False)
        usable = (
            len(set(tokenizer(PROBE, add_special_tokens=False).input_ids)) > 3
        )  # an empty one says "unknown"
    except Exception as error:  # the library raises many kinds here, TypeError among them
        check_no_code(source, error)
        raise BackboneError(
            f"{source!r} has no usable tokenizer ({_first_line(error)}). {_advice(source)}"
        ) from error
    check_own_tokenizer(source, tokenizer)
    if not usable or len(tokenizer) > config.text_config.vocab_size + 256:
        raise BackboneError(
            f"{source!r} has no tokenizer that fits its text tower ({len(tokenizer)} entries for a "
            f"vocabulary of {config.text_config.vocab_size}). {_advice(source)}"
        )
    return tokenizer


def _load_spec(source: str, local: bool) -> ImageSpec:
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        settings, _ = ImageProcessingMixin.get_image_processor_dict(source, local_files_only=local)
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"{source!r} has no image preprocessor ({_first_line(error)}). {_advice(source)}"
        ) from error
    return spec_from_transformers(settings, source)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _tokenizer(tokenizer: Any, length: int, text_config: Any, causal: bool) -> Tokenizer:
    def words(text: str) -> list[int]:
        # not verbose: whether a text is too long is for `Tokenizer` to say
        return list(tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    full = list(tokenizer(PROBE).input_ids)
    start, end = split_special(full, words(PROBE))
    pad = tokenizer.pad_token_id
    if causal and (start is None or end is None):
        raise BackboneError(
            "the tokenizer of a CLIP text tower must add a start and an end token; it does not"
        )
    if causal:
        _check_pooling(text_config, end, len(tokenizer))
        pad = end if pad is None else pad
    return Tokenizer(
        words,
        start,
        end,
        int(pad if pad is not None else 0),
        length,
        tokenizer.unk_token_id,
        tokenizer.convert_ids_to_tokens,
    )


def _check_pooling(text_config: Any, end: int | None, size: int) -> None:
    """CLIPTextModel pools the first ``eos_token_id``, or (id 2, old configurations) the largest id."""
    pools_at = text_config.eos_token_id
    if (pools_at == 2 and end != size - 1) or (pools_at != 2 and pools_at != end):
        raise BackboneError(
            f"the text tower pools at token {pools_at} but the tokenizer ends a text with {end}: they do not "
            "belong together. Save the model's own tokenizer beside it."
        )
