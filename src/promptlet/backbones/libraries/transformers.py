"""Dual encoders of transformers: CLIP and its kin, whatever their text towers see (`texts.kinds`).

SigLIP 2 of fixed resolution has SigLIP's own model type. Its NaFlex variants ("siglip2") read patches of
images of any aspect. The library pads those to one length and masks the padding; here the images of a batch
are of one size, which gives the same features without padding.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.found import Found
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.libraries.asked import check_folder, read_asked
from promptlet.backbones.libraries.building import own_building
from promptlet.backbones.libraries.built import no_larger_than
from promptlet.backbones.libraries.no_code import ForeignCodeError, check_own_tokenizer, no_foreign_code
from promptlet.backbones.libraries.quiet import offline, quiet
from promptlet.backbones.libraries.refusal import REASON, reason, refusing
from promptlet.backbones.libraries.texts.kinds import (
    BESIDE_ANY_EYES,
    TEXT_KINDS,
    forward_of,
    layers_of,
    text_kind,
    text_type,
    token_embedding,
)
from promptlet.backbones.libraries.texts.words import words_of
from promptlet.backbones.libraries.tokenizer_files import check_tokenizer_files
from promptlet.backbones.libraries.transformers_towers import CLIP_EYES, causal_tower, image_tower
from promptlet.backbones.libraries.weights import weights_in
from promptlet.backbones.libraries.whole_weights import check_no_adapter, check_not_quantised
from promptlet.backbones.parts import Towers, freeze, settle
from promptlet.backbones.sound import bias_of, scale_of, scale_of_temperature
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.backbones.text.reference import PlainTower
from promptlet.backbones.text.tokenizer import PROBE
from promptlet.backbones.towers import TowerBackbone
from promptlet.errors import BackboneError
from promptlet.preprocessing.libraries import spec_from_transformers
from promptlet.preprocessing.spec import ImageSpec

OWN_ATTENTION = ("sdpa", "eager")
LOOKED_AT = (
    *("tokenizer_config.json", "tokenizer.json", "preprocessor_config.json", "processor_config.json"),
    *("model.safetensors", "model.safetensors.index.json"),
)
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
MOST_WORDS = 1 << 18
ONE_SIZE = (*CLIP_EYES, "siglip_vision_model", "vit", "deit", "beit", "vit_msn", "vit_mae")
DUAL = "vision-text-dual-encoder"
SUPPORTED = ("clip", "siglip", "siglip2", "metaclip_2", "chinese_clip", "altclip", "align", DUAL)


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
        except BackboneError as found:
            if Path(source).is_dir():
                raise
            _check_reachable(source, found)
            model, tokenizer, spec = _load_parts(source, local=False)
        with refusing(source, f"cannot use {source!r} as a backbone ({REASON}). {_advice(source)}"):
            return wrap_transformers(model, tokenizer, spec, name or source, device, dtype)


def _load_parts(source: str, local: bool) -> tuple[nn.Module, Any, ImageSpec]:
    config, folder = _load_config(source, local)
    check_no_adapter(source, local)
    check_not_quantised(source, config)
    return (
        _load_model(source, config, folder, local),
        _load_tokenizer(source, config, folder, local),
        _load_spec(source, folder, local),
    )


def _check_reachable(source: str, found: BackboneError) -> None:
    """Ask the hub once: the library would try six times, for 23 seconds, before it gives up. ``found``: what
    is wrong with what lies in the local cache."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    is_there = not isinstance(found.__cause__, OSError)  # else the cache does not have it
    cached = f" What lies in the local cache is refused: {found}" if is_there else ""
    try:
        get_hf_file_metadata(hf_hub_url(source, "config.json"))
    except Exception as error:  # no network, no such repository, no permission, an id of the wrong form
        raise BackboneError(
            f"cannot load backbone {source!r} ({reason(error)}). {_advice(source)}{cached}"
        ) from error


def wrap_transformers(
    model: Any,
    tokenizer: Any,
    spec: ImageSpec,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    found: Found | None = None,
) -> TowerBackbone:
    """A backbone over a transformers model that is already in memory (its weights are frozen in place).

    found: what is known of the files with its weights, as they are."""
    kind, text_config = text_kind(model.config), model.config.text_config
    text_model = model.text_model
    text_model = getattr(text_model, "text_model", text_model)  # older transformers wrap it once more
    projection, visual = (getattr(model, f"{side}_projection", None) for side in ("text", "visual"))

    def forward_images(pixels: Tensor) -> Tensor:
        inputs = {"pixel_values": pixels} if spec.patch_size is None else patches(pixels, spec.patch_size)
        pooled: Tensor = model.vision_model(**inputs).pooler_output
        return pooled if visual is None else visual(pooled)

    _check_patches(model.config.vision_config, spec, name)
    _check_size(model.config.vision_config, spec, name)
    tokens = words_of(tokenizer, model.config)
    forward = forward_of(text_model, projection, kind, tokens.pad)
    embedding: Any = token_embedding(text_model)
    freeze(model).float()
    towers = Towers(
        _present(text_model, projection),
        _present(model.vision_model, visual),
        spec.as_dict(),
        found,
    )
    towers.ask(forward, tokens, forward_images, spec)
    settle(model, towers, device, dtype)
    plain = PlainTower(forward, embedding, layers_of(text_model))
    reading = partial(causal_tower, text_model, projection, text_config)
    tower = towers.read("text", reading) if kind.causal else None
    seeing = towers.read("image", partial(image_tower, model.vision_model, visual, forward_images))
    prompted, eyes = seeing or (None, None)
    return TowerBackbone(
        name=name,
        framework="transformers",
        model=model,
        towers=towers,
        text=TextEncoder(plain, tower, tokens, embedding.weight, towers.text_watch),
        images=ImageEncoder(
            forward_images,
            spec,
            device,
            dtype,
            type(model.vision_model).__name__,
            prompted,
            eyes,
            towers.image_watch,
        ),
        logit_scale=_scale(name, model),
        logit_bias=bias_of(name, getattr(model, "logit_bias", None)),
    )


def _scale(name: str, model: Any) -> float:
    """ALIGN divides by a temperature where the others multiply."""
    if hasattr(model, "temperature"):
        return scale_of_temperature(name, model.temperature)
    return scale_of(name, model.logit_scale)


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


def _check_size(vision_config: Any, spec: ImageSpec, name: str) -> None:
    """Towers with a place for each patch read images of one size; others are tried when they are compared."""
    side = getattr(vision_config, "image_size", None)
    reads = (side, side) if isinstance(side, int) else tuple(side or ())
    if vision_config.model_type in ONE_SIZE and reads != spec.output_size:
        wants, gets = ("x".join(map(str, size)) for size in (reads, spec.output_size))
        raise BackboneError(
            f"the image tower of {name!r} reads images of {wants} pixels but its image preprocessor makes "
            f"{gets} (size, crop_size): they do not belong together. Save the model's own image processor "
            "beside it."
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


def _load_config(source: str, local: bool) -> tuple[Any, Path]:
    """The configuration, and the folder it lies in: of the disk, or of the hub's cache."""
    from transformers import AutoConfig
    from transformers.utils import cached_file

    lacks = f"cannot load backbone {source!r}: no readable config.json ({REASON}). {_advice(source)}"
    with refusing(source, lacks):
        found = cached_file(source, "config.json", local_files_only=local)
        if found is None:  # of a folder without one
            raise FileNotFoundError("there is none")
        path = Path(found)
        if not local:
            _fetch(source)
        vocabulary = (read_asked(path, source).get("text_config") or {}).get("vocab_size")
        check_folder(path.parent, source, vocabulary if isinstance(vocabulary, int) else MOST_WORDS)
        config = AutoConfig.from_pretrained(source, local_files_only=local, trust_remote_code=False)
        text = text_type(config)
    texts = BESIDE_ANY_EYES if config.model_type == DUAL else TEXT_KINDS
    if config.model_type not in SUPPORTED or text not in texts:
        kind = config.model_type + (f" ({text})" if text else "")
        raise BackboneError(
            f"{source!r} is a {kind} model, not a dual encoder that Promptlet knows. Supported: CLIP, "
            "MetaCLIP 2, SigLIP, SigLIP 2, Chinese-CLIP, AltCLIP, ALIGN, and VisionTextDualEncoder with a "
            "text tower of CLIP, BERT, RoBERTa, XLM-RoBERTa or CamemBERT; open_clip models as "
            "'open_clip:NAME/PRETRAINED'."
        )
    return config, path.parent


def _fetch(source: str) -> None:
    """What is looked at before it is read, brought into the hub's cache."""
    from transformers.utils import cached_file

    for name in LOOKED_AT:
        with suppress(OSError):  # there is no such file
            cached_file(source, name)


def _load_model(source: str, config: Any, folder: Path, local: bool) -> nn.Module:
    from transformers import AutoModel

    with (
        refusing(source, f"cannot load the weights of {source!r} ({REASON}). {_advice(source)}"),
        no_larger_than(weights_in(folder, source), source),
    ):
        model, info = AutoModel.from_pretrained(
            source,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=local,
            trust_remote_code=False,
            **_attention(config),
        )
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
    parts = config, config.text_config, config.vision_config
    if all(getattr(part, "_attn_implementation", None) in (None, *OWN_ATTENTION) for part in parts):
        return {}
    config._attn_implementation = OWN_ATTENTION[0]
    return {"config": config, "attn_implementation": OWN_ATTENTION[0]}


def _load_tokenizer(source: str, config: Any, folder: Path, local: bool) -> Any:
    from transformers import AutoTokenizer

    with refusing(source, f"{source!r} has no usable tokenizer ({REASON}). {_advice(source)}"):
        check_tokenizer_files(folder, source)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local, trust_remote_code=False)
        check_own_tokenizer(source, tokenizer)
        check_words(source, tokenizer, int(config.text_config.vocab_size))
    return tokenizer


def check_words(source: str, tokenizer: Any, vocabulary: int) -> None:
    """Raise BackboneError for a tokenizer that knows no words, or far more than the text tower."""
    words = set(tokenizer(PROBE, add_special_tokens=False).input_ids)  # an empty one says "unknown"
    size = len(tokenizer)
    if len(words) <= 3 or size > vocabulary + 256:
        raise BackboneError(
            f"{source!r} has no tokenizer that fits its text tower ({size} entries for a vocabulary of "
            f"{vocabulary}). {_advice(source)}"
        )


def _load_spec(source: str, folder: Path, local: bool) -> ImageSpec:
    from transformers.image_processing_base import ImageProcessingMixin

    with refusing(source, f"{source!r} has no image preprocessor ({REASON}). {_advice(source)}"):
        for name in PREPROCESSORS:
            if (folder / name).exists():
                read_asked(folder / name, source)
        settings, _ = ImageProcessingMixin.get_image_processor_dict(source, local_files_only=local)
        return spec_from_transformers(settings, source)
