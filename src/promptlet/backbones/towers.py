"""A backbone with towers: a model of transformers or open_clip that encodes texts and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn

from promptlet.backbones.backbone import Backbone
from promptlet.backbones.fingerprint import tokenizer_digest, weights_digest
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.text.encoder import TextEncoder


@dataclass(frozen=True)
class Towers:
    """The modules whose weights make up each tower, and the image preprocessing (for the fingerprint)."""

    text: Sequence[nn.Module]
    image: Sequence[nn.Module]
    preprocessing: dict[str, Any]

    @cached_property
    def text_digest(self) -> str:
        """Identity of the text tower."""
        return weights_digest(self.text)

    @cached_property
    def image_digest(self) -> str:
        """Identity of the image tower and its preprocessing."""
        return weights_digest(self.image, [self.preprocessing])


@final
class TowerBackbone(Backbone):
    """Attributes beside `Backbone`'s: ``towers``. ``remarks``: what its loader took from where, as notes."""

    has_towers = True

    def __init__(
        self,
        name: str,
        framework: str,
        model: nn.Module,
        towers: Towers,
        text: TextEncoder,
        images: ImageEncoder,
        logit_scale: float,
        logit_bias: float = 0.0,
        remarks: tuple[str, ...] = (),
    ) -> None:
        super().__init__(name, framework, logit_scale, logit_bias)
        self.towers = towers
        self._model = model
        self._text = text
        self._images = images
        self._remarks = remarks

    @property
    def device(self) -> torch.device:
        return self._images.device

    @property
    def dtype(self) -> torch.dtype:
        return self._images.dtype

    @cached_property
    def feature_dim(self) -> int:
        return int(self._text.encode_texts(["a."]).shape[-1])

    @property
    def text(self) -> TextEncoder:
        return self._text

    @property
    def images(self) -> ImageEncoder:
        return self._images

    @property
    def model(self) -> nn.Module:
        return self._model

    @property
    def image_fingerprint(self) -> str:
        return self.towers.image_digest

    @cached_property
    def fingerprint(self) -> str:
        return f"{self.towers.text_digest}-{tokenizer_digest(self._text.tokenizer)}-{self.image_fingerprint}"

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"dim": self._text.dim, "parameters": sum(p.numel() for p in self._model.parameters())}

    def notes(self, templates: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        return self._remarks

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self._text.encode_texts(texts)


def freeze(model: nn.Module) -> nn.Module:
    """No parameter trains, no dropout acts."""
    return model.requires_grad_(False).eval()


def settle(model: nn.Module, towers: Towers, device: torch.device, dtype: torch.dtype) -> None:
    """Move a float32 model to its device and dtype; its identity is taken before precision is lost.

    Views into the weights must be made afterwards: they would keep the old numbers."""
    if dtype != torch.float32:
        _ = towers.text_digest, towers.image_digest
    model.to(device=device, dtype=dtype)
