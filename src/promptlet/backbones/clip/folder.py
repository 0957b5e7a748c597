"""A CLIP folder read by Promptlet itself: its own modules over the weights in place, its own tokenizer.

Why: transformers takes seconds to import for what is an embedding table, some layers and a vocabulary. When:
only where every file says nothing that is not known here (`settings`, `tokens`), weights are one safetensors
file with exactly CLIP's tensors, and nothing else in the folder could have a say. For anything odd, also
for anything that goes wrong here, the answer is None: the library then reads the folder, with its checks and
its errors, as it always did. So no folder is accepted that the library would not have been asked about
in the same way before: the checks that come before the library's reading (`asked`, `tokenizer_files`,
`weights`) run here as well, and those behind it (`sound`, `agreement`, `words`, sizes) run on what is read.

That features, ids and preprocessing are the library's own, to the last bit, is held by tests
(tests/backbones/test_backbones_clip.py), and not asked on each machine: a folder that passes leaves no room
for another meaning, and `backbone.model`, once somebody asks for it, is compared by its fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptlet.backbones.clip.model import Clip
from promptlet.backbones.clip.settings import ClipSettings, UnknownError, settings_of
from promptlet.backbones.clip.tokens import ClipTokens, tokens_of
from promptlet.backbones.found import Found
from promptlet.backbones.libraries.asked import check_folder, read_asked
from promptlet.backbones.libraries.refusal import PANIC
from promptlet.backbones.libraries.tokenizer_files import check_tokenizer_files
from promptlet.backbones.libraries.transformers import check_words, load_transformers, wrap_transformers
from promptlet.backbones.libraries.weights import check_header
from promptlet.backbones.libraries.whole_weights import CONFIGURATION as ADAPTER
from promptlet.backbones.towers import TowerBackbone
from promptlet.preprocessing.libraries import spec_from_transformers
from promptlet.preprocessing.spec import ImageSpec

CONFIG, WEIGHTS, PIXELS = "config.json", "model.safetensors", "preprocessor_config.json"
OTHERS = ("processor_config.json", ADAPTER)
"""Files that would have a say in what is read here."""
NUMBERS = (torch.float32, torch.float16, torch.bfloat16)
COMMIT = re.compile("[0-9a-f]{7,64}")
NO_WEIGHTS = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")
"""What older versions stored beside the weights."""


def load_clip(
    folder: Path, name: str, source: str, device: torch.device, dtype: torch.dtype
) -> TowerBackbone | None:
    """A backbone of the CLIP in ``folder``, which is called ``name``; None where the library is to read it,
    for which ``source`` is its name or place."""
    try:
        weights = (folder / WEIGHTS).resolve()  # once: a link may lead elsewhere by the next look
        found = Found([weights])
        model, tokens, spec = _read(folder, weights, source)
        found.settle()
        backbone = wrap_transformers(model, tokens, spec, name, device, dtype, found)
        backbone.check()
    except BaseException as error:  # whatever it is, the library says it as it always did
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        return None
    backbone.by_library = lambda: load_transformers(source, device, dtype, name)
    return backbone


def cached_folder(name: str) -> Path | None:
    """Where a model of the hub lies in the local cache, if it does."""
    from huggingface_hub import constants  # names of places: its other modules take long to import

    place = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    try:
        commit = (place / "refs" / "main").read_text("ascii").strip()
        folder = place / "snapshots" / commit
        return folder if COMMIT.fullmatch(commit) and folder.is_dir() else None
    except (OSError, ValueError):
        return None


def _read(folder: Path, weights: Path, source: str) -> tuple[Clip, ClipTokens, ImageSpec]:
    """Raises UnknownError, or whatever goes wrong."""
    for other in OTHERS:
        if (folder / other).exists():
            raise UnknownError(other)
    settings = settings_of(read_asked(folder / CONFIG, source))
    check_folder(folder, source, settings.text_config.vocab_size)
    if any(folder.glob("*.index.json")) or not weights.is_file():
        raise UnknownError("weights in several files, or none")
    check_header(weights, source)
    check_tokenizer_files(folder, source)
    tokens = tokens_of(folder, source)
    check_words(source, tokens, settings.text_config.vocab_size)
    spec = spec_from_transformers(read_asked(folder / PIXELS, source), source)
    return _model(weights, settings), tokens, spec


def _model(path: Path, settings: ClipSettings) -> Clip:
    """Modules over the tensors of a file, which are mapped: they are read when they are used, and not held
    twice. Raises UnknownError for other tensors than CLIP's, RuntimeError for other shapes."""
    weights = _weights(path, set(_names(settings)))
    model = Clip(settings)
    model.load_state_dict(weights, strict=True, assign=True)
    return model


def _weights(path: Path, names: set[str]) -> dict[str, Tensor]:
    from safetensors import safe_open

    with safe_open(path, framework="pt", device="cpu") as file:
        stored = set(file.keys())
        if (
            stored - names - set(NO_WEIGHTS)
            or names - stored
            or (file.metadata() or {}).get("format") != "pt"
        ):
            raise UnknownError("other tensors than CLIP's")
        weights: dict[str, Any] = {name: file.get_tensor(name) for name in names}
    if any(tensor.dtype not in NUMBERS for tensor in weights.values()):
        raise UnknownError("numbers of another kind")
    return weights


def _names(settings: ClipSettings) -> Iterator[str]:
    """Of all tensors; known before a module is built, so that no file can make many be built."""
    yield from ("logit_scale", "text_projection.weight", "visual_projection.weight")
    yield from (f"text_model.embeddings.{part}_embedding.weight" for part in ("token", "position"))
    yield "vision_model.embeddings.class_embedding"
    yield from (f"vision_model.embeddings.{part}_embedding.weight" for part in ("patch", "position"))
    layers = {
        "text": settings.text_config.num_hidden_layers,
        "vision": settings.vision_config.num_hidden_layers,
    }
    parts = [
        *(f"self_attn.{part}_proj" for part in "qkv"),
        *("self_attn.out_proj", "layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"),
    ]
    for kind in ("weight", "bias"):
        yield f"text_model.final_layer_norm.{kind}"
        yield from (f"vision_model.{norm}.{kind}" for norm in ("pre_layrnorm", "post_layernorm"))
        for side, count in layers.items():
            for layer in range(count):
                yield from (f"{side}_model.encoder.layers.{layer}.{part}.{kind}" for part in parts)
