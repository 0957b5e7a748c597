"""What tests of methods inside the towers share: pictures in memory, the library model's own features."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise
from torch import Tensor

LABELS = torch.arange(len(NAMES)).repeat_interleave(2)
TEXT_LAYERS, IMAGE_LAYERS, WIDTH = 3, 2, 32  # of the tiny CLIP


class Pictures:
    """Pixel values (V, N, 3, 32, 32) in memory."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.views, self.images = pixels.shape[:2]

    def take(self, views: Tensor, rows: Tensor) -> Tensor:
        return self.pixels[views, rows]

    def digest(self) -> str:
        return hashlib.sha256(self.pixels.numpy().tobytes()).hexdigest()


def pixels(count: int = len(LABELS)) -> Tensor:
    return noise("lora pixels", (count, 3, 32, 32))


def digest(module: Any) -> str:
    parts = sorted(module.state_dict().items())
    return hashlib.sha256(b"".join(k.encode() + t.cpu().numpy().tobytes() for k, t in parts)).hexdigest()


def full_ids(
    backbone: Any, template: str = "a photo of a {}.", names: tuple[str, ...] = tuple(NAMES)
) -> Tensor:
    """Token ids at all 77 positions."""
    tokenizer = backbone.text.tokenizer
    return torch.tensor([tokenizer.full(tokenizer.text(template.replace("{}", name)), 0) for name in names])


def model_features(
    backbone: Any, model: Any, x: Tensor, names: tuple[str, ...] = tuple(NAMES)
) -> tuple[Tensor, Tensor]:
    """Class and image features by the library model alone, at all 77 positions."""
    classes = model.text_projection(model.text_model(input_ids=full_ids(backbone, names=names)).pooler_output)
    images = model.visual_projection(model.vision_model(pixel_values=x).pooler_output)
    return F.normalize(classes, dim=-1), F.normalize(images, dim=-1)
