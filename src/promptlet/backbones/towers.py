"""A backbone with towers: a model of transformers or open_clip that encodes texts and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn

from promptlet.backbones.agreement import compare_once
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.fingerprint import tokenizer_digest
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.numbers import check_normalisation, check_weights
from promptlet.backbones.parts import Towers
from promptlet.backbones.text.encoder import TextEncoder


@final
class TowerBackbone(Backbone):
    """Attributes beside `Backbone`'s: ``towers``."""

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
    ) -> None:
        super().__init__(name, framework, logit_scale, logit_bias)
        self.towers = towers
        self._model = model
        self._text = text
        self._images = images
        self._tokenizer_digest = tokenizer_digest(text.tokenizer)
        check_weights(name, [*towers.text, *towers.image])
        check_normalisation(name, images.spec.mean, images.spec.std)
        compare_once(name, towers, text, images, self._tokenizer_digest)

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

    @property
    def fingerprint(self) -> str:
        return f"{self.towers.text_digest}-{self._tokenizer_digest}-{self.image_fingerprint}"

    @property
    def former_fingerprint(self) -> str:
        return f"{self.towers.weights_of_text}-{self._tokenizer_digest}-{self.towers.weights_of_image}"

    def notes(self, templates: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:
        return (
            *super().notes(templates, class_names),
            *(
                f"the {side} tower of {self.name} takes the plain path, the library's own forward, which is "
                f"slower: {why}"
                for side, why in self.towers.why_odd().items()
            ),
        )

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"dim": self._text.dim, "parameters": sum(p.numel() for p in self._model.parameters())}

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self._text.encode_texts(texts)
