"""A CLIP folder with random weights, as `save_pretrained` leaves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from benchmarks import models


def make_clip(folder: Path, quick: bool) -> Path:
    """A CLIP folder as `save_pretrained` leaves it: ViT-B/16's size (``quick``: tiny towers), random weights,
    CLIP's own vocabulary."""
    from transformers import CLIPConfig, CLIPModel

    text = models.TINY if quick else models.TEXT
    vision: dict[str, Any] = models.VISION if quick else models.VIT
    ends = {"bos_token_id": models.VOCABULARY - 2, "eos_token_id": models.VOCABULARY - 1}
    config = CLIPConfig(
        text_config={**text, **ends, "vocab_size": models.VOCABULARY, "projection_dim": text["hidden_size"]},
        vision_config=vision,
        projection_dim=text["hidden_size"],
    )
    torch.manual_seed(models.SEED)
    CLIPModel(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    side = vision["image_size"]
    pixels = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side},
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "do_resize": True,
        "do_center_crop": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "do_convert_rgb": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder


def _tokenizer() -> Any:
    """transformers' CLIPTokenizer with the vocabulary that open_clip brings."""
    import open_clip
    from transformers import CLIPTokenizer

    inner = open_clip.SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    words = {names.get(word, word): number for word, number in inner.encoder.items()}
    merges = sorted(inner.bpe_ranks, key=inner.bpe_ranks.__getitem__)
    return CLIPTokenizer(vocab=words, merges=merges)
