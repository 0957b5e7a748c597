"""Small random models of the real classes, and folders to load them from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

MERGES = [
    "p h",
    "ph o",
    "pho t",
    "phot o</w>",
    "o f</w>",
    "d o",
    "do g</w>",
    "c a",
    "ca t</w>",
    "t h",
    "th e</w>",
]
CLIP_PIXELS = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
SIGLIP_PIXELS = {
    "image_processor_type": "SiglipImageProcessor",
    "size": {"height": 32, "width": 32},
    "resample": 3,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
NAFLEX_PIXELS = {
    "image_processor_type": "Siglip2ImageProcessor",
    "patch_size": 8,
    "max_num_patches": 20,
    "resample": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
EYES = {**TOWER, "num_hidden_layers": 2, "image_size": 32, "patch_size": 16}
OPEN_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 3},
}


def shaken(model: Any, seed: int = 0) -> Any:
    """``model`` with weights large enough that every part of it shows in the features."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=draw)
            if parameter.dim() > 1:
                parameter.copy_(noise * (0.4 if "token_embedding" in name else parameter[0].numel() ** -0.5))
            elif parameter.dim() == 1:
                scales = name.endswith("weight")  # of a norm
                parameter.copy_(0.1 * noise + scales)
    return model.eval()


def clip_tokenizer() -> Any:
    """CLIP's own kind: all bytes, inside and at the end of a word, a few merges, two special tokens."""
    from transformers import CLIPTokenizer

    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in kept] + [chr(256 + i) for i in range(256 - len(kept))]
    words = [*letters, *(c + "</w>" for c in letters), *(m.replace(" ", "") for m in MERGES)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    merges = [tuple(merge.split()) for merge in MERGES]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=merges)


def gemma_pieces() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A small vocabulary of Gemma's kind, and its merges."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{b:02X}>" for b in range(256)), "▁"]
    pieces += list("abcdefghijklmnopqrstuvwxyz.,0123456789")
    merges = [("▁", "a"), ("▁", "d"), ("▁d", "o"), ("▁do", "g"), ("d", "o"), ("do", "g"), ("▁", "p")]
    pieces += ["".join(merge) for merge in merges]
    return {piece: i for i, piece in enumerate(pieces)}, merges


def gemma_tokenizer() -> Any:
    """SigLIP 2's kind: lower case, spaces marked on the word behind them, bytes for what is unknown."""
    from tokenizers.processors import TemplateProcessing
    from transformers import Siglip2Tokenizer

    vocabulary, merges = gemma_pieces()
    tokenizer = Siglip2Tokenizer(vocab=vocabulary, merges=merges, padding_side="right")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return tokenizer


def save(folder: Path, model: Any, tokenizer: Any, pixels: dict[str, Any]) -> Path:
    """A folder as `save_pretrained` of the three parts leaves it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder


def clip_model(seed: int = 0, **text: Any) -> Any:
    """A CLIPModel, text width 32, 3 layers, images of 32 pixels, 16 features."""
    from transformers import CLIPConfig, CLIPModel

    end = len(clip_tokenizer()) - 1
    text = {
        **TOWER,
        "vocab_size": end + 1,
        "eos_token_id": end,
        "bos_token_id": end - 1,
        "pad_token_id": end,
        **text,
    }
    return shaken(CLIPModel(CLIPConfig(text_config=text, vision_config=EYES, projection_dim=16)), seed)


def save_open_clip(folder: Path, config: dict[str, Any], pixels: dict[str, Any], seed: int = 0) -> Path:
    """A folder for ``open_clip:FOLDER``."""
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    from safetensors.torch import save_file

    kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    kind = open_clip.CoCa if "multimodal_cfg" in config else kind
    model = shaken(kind(**{k: v for k, v in config.items() if k != "custom_text"}), seed)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": pixels}))
    return folder
