"""A frozen dual encoder: a text side, an image side, a logit scale, and an identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.fingerprint import differing_parts, tokenizer_digest, weights_digest
from promptlet.backbones.image_encoder import ImageEncoder
from promptlet.backbones.text_encoder import TextEncoder
from promptlet.errors import WrongBackboneError


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


class Backbone:
    """What `load_backbone` returns. Shared, never copied, never trained.

    Attributes: ``name`` (as given), ``framework``, ``model`` (the framework's own), ``text``, ``images``,
    ``logit_scale`` (the factor itself, 100 for CLIP), ``logit_bias`` (0 for CLIP), ``device``, ``dtype``.
    """

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
        self.name = name
        self.framework = framework
        self.model = model
        self.towers = towers
        self.text = text
        self.images = images
        self.logit_scale = logit_scale
        self.logit_bias = logit_bias

    @property
    def device(self) -> torch.device:
        """Where the towers live."""
        return self.images.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return self.images.dtype

    @cached_property
    def feature_dim(self) -> int:
        """Number of features D that both towers end in."""
        return int(self.text.encode_texts(["a."]).shape[-1])

    @property
    def image_fingerprint(self) -> str:
        """Identity of the image tower and its preprocessing alone: what cached image features depend on."""
        return self.towers.image_digest

    @cached_property
    def fingerprint(self) -> str:
        """``text-tokenizer-image``, 12 hexadecimal digits each; see `promptlet.backbones.fingerprint`."""
        return f"{self.towers.text_digest}-{tokenizer_digest(self.text.tokenizer)}-{self.image_fingerprint}"

    def check_fingerprint(self, expected: str, made_with: str, what: str) -> None:
        """Raise WrongBackboneError when ``expected`` is another backbone's fingerprint."""
        if expected == self.fingerprint:
            return
        parts = ", ".join(differing_parts(expected, self.fingerprint)) or "format of the fingerprint"
        raise WrongBackboneError(
            f"{what} was made with backbone {made_with!r} ({expected}); the one given is {self.name!r} "
            f"({self.fingerprint}). Different: {parts}. Load the backbone that the file names."
        )

    def logits(self, image_features: Tensor, class_features: Tensor) -> Tensor:
        """Logits (B, C) of features that are both normalised already: scale * cosine + bias."""
        return self.logit_scale * image_features @ class_features.t() + self.logit_bias

    def __deepcopy__(self, _memo: dict[int, Any]) -> Backbone:
        """Itself: a frozen backbone is shared, also by `sklearn.base.clone`."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled (by joblib, for processes) as its name and fingerprint; loaded again on the other side."""
        from promptlet.backbones.pickling import reduce_backbone

        return reduce_backbone(self)

    def __repr__(self) -> str:
        return f"Backbone({self.name!r}, {self.framework}, {self.dtype}, {self.device})"


def freeze(model: nn.Module) -> nn.Module:
    """No parameter trains, no dropout acts."""
    return model.requires_grad_(False).eval()


def settle(model: nn.Module, towers: Towers, device: torch.device, dtype: torch.dtype) -> None:
    """Move a float32 model to its device and dtype; its identity is taken before precision is lost.

    Views into the weights must be made afterwards: they would keep the old numbers."""
    if dtype != torch.float32:
        _ = towers.text_digest, towers.image_digest
    model.to(device=device, dtype=dtype)
