"""What a fit is given: a folder of JPEGs per class, and a CLIP folder with random weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks import models

QUALITY = 90
TINY_VISION = {**models.TINY, "image_size": 32, "patch_size": 16}


@dataclass(frozen=True)
class Photos:
    """classes x shots JPEGs of ``size`` (width, height); bytes: of all files."""

    folder: Path
    classes: int
    shots: int
    size: tuple[int, int]
    bytes: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.classes * self.shots


def make_photos(folder: Path, classes: int, shots: int, size: tuple[int, int]) -> Photos:
    """Made-up pictures: large soft fields of colour, of a kind by class, under fine grain."""
    draw = np.random.default_rng(0)
    written = 0
    for name in models.class_names(classes):
        kind = draw.uniform(0, 255, (6, 8, 3))
        place = folder / name.replace("/", " ")
        place.mkdir(parents=True)
        for shot in range(shots):
            field = np.clip(kind + draw.normal(0, 60, kind.shape), 0, 255).astype(np.uint8)
            large = np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BICUBIC), np.float32)
            grain = draw.normal(0, 10, (size[1], size[0], 1))
            path = place / f"{shot:03d}.jpg"
            Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(path, quality=QUALITY)
            written += path.stat().st_size
    return Photos(folder, classes, shots, size, written)


def make_clip(folder: Path, quick: bool) -> Path:
    """A CLIP folder as `save_pretrained` leaves it: ViT-B/16's size (``quick``: tiny towers), random weights,
    CLIP's own vocabulary."""
    from transformers import CLIPConfig, CLIPModel

    text = models.TINY if quick else models.TEXT
    vision: dict[str, Any] = TINY_VISION if quick else models.VIT
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
