"""A frozen dual encoder: comparable features of texts and images, a logit scale, and an identity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from promptlet.backbones.fingerprint import PART_NAMES, differing_parts
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.readings import NameRead, check_distinct
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.errors import WrongBackboneError
from promptlet.session import without_autocast


class Backbone(ABC):
    """What `load_backbone` returns. Shared, never copied, never trained.

    Attributes: ``name`` (as given), ``framework``, ``logit_scale`` (the factor itself, 100 for CLIP),
    ``logit_bias`` (0 for CLIP), ``has_towers`` (else texts have ready vectors, and images none; ``text``,
    ``images`` and ``model`` then raise BackboneError).
    """

    has_towers: ClassVar[bool]
    reduced: ClassVar[Callable[[Backbone], tuple[Any, ...]]]
    """What `pickle` is told of a backbone; set by `promptlet.backbones.pickling`."""
    part_names: ClassVar[tuple[str, str, str]] = PART_NAMES
    """What the parts of the fingerprint are of, in words."""

    def __init__(self, name: str, framework: str, logit_scale: float, logit_bias: float = 0.0) -> None:
        self.name = name
        self.framework = framework
        self.logit_scale = logit_scale
        self.logit_bias = logit_bias

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where features are computed."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""

    @property
    def arithmetic(self) -> str:
        """What it computes in, as records and caches call it: ``float32``, ``bfloat16``, ``float16`` where
        weights and products are in it; ``mixed`` for products in bfloat16 beside float32 weights, states,
        norms and sums; ``mixed_text`` and ``mixed_images`` where one tower's are; ``float32_engine`` for
        images that the engine encodes, not the library."""
        return str(self.dtype).removeprefix("torch.")

    @property
    @abstractmethod
    def feature_dim(self) -> int:
        """Number of features D of texts and of images."""

    @property
    @abstractmethod
    def text(self) -> TextEncoder:
        """The text tower."""

    @property
    @abstractmethod
    def images(self) -> ImageEncoder:
        """The image tower."""

    @property
    @abstractmethod
    def model(self) -> nn.Module:
        """The framework's own model."""

    @property
    @abstractmethod
    def image_fingerprint(self) -> str:
        """Identity of the image tower and its preprocessing alone: what cached image features depend on."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """``text-tokenizer-image``, 12 hexadecimal digits each; see `promptlet.backbones.fingerprint`."""

    @property
    def former_fingerprint(self) -> str:
        """What older versions called it, which looked at less: files of theirs are still read."""
        return self.fingerprint

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What else is to be said of it, for people: plain values."""

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Features (N, D) of sentences such as ``"a photo of a dog."``, not normalised, no gradient."""

    def encode_templates(self, templates: Sequence[str], class_names: Sequence[str]) -> Tensor:
        """Features (T, C, D) of each template with each name in the place of ``{}``, as `encode_texts`."""
        texts = [template.replace("{}", name) for template in templates for name in class_names]
        return self.encode_texts(texts).view(len(templates), len(class_names), -1)

    def check(self) -> None:  # noqa: B027 - there may be nothing to check
        """Raise BackboneError for a model whose numbers cannot be trusted: done when it is loaded, or
        else when it is used for the first time."""

    def check_images(self) -> None:
        """Raise BackboneError where images cannot be encoded."""
        _ = self.images

    def check_names(self, class_names: Sequence[str]) -> None:
        """Raise DataError for class names of which no prompt tells two apart, because they are read alike,
        and for one of which nothing is read."""
        check_distinct(self.names_read(class_names), self.name)

    def names_read(self, class_names: Sequence[str]) -> Iterable[NameRead]:
        """What is read of each name; here, nothing is known of it."""
        return [NameRead(name, None, "") for name in class_names]

    def notes(self, templates: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """What must be known of numbers that come of it, and of class names in these templates."""
        return ()

    def check_fingerprint(self, expected: str, made_with: str, what: str, is_former: bool = False) -> None:
        """Raise WrongBackboneError when ``expected`` is another backbone's fingerprint; ``is_former``: it may
        be as older versions made it."""
        if expected == self.fingerprint or (is_former and expected == self.former_fingerprint):
            return
        different = differing_parts(expected, self.fingerprint, self.part_names)
        parts = ", ".join(different) or "format of the fingerprint"
        advice = (
            "It has changed since: give it as it was, or train again."
            if made_with == self.name
            else "Load the backbone that the file names."
        )
        raise WrongBackboneError(
            f"{what} was made with backbone {made_with!r} ({expected}); the one given is {self.name!r} "
            f"({self.fingerprint}). Different: {parts}. {advice}"
        )

    def logits(self, image_features: Tensor, class_features: Tensor) -> Tensor:
        """Logits (B, C) of features that are both normalised already: scale * cosine + bias. Never in the low
        precision of a training step."""
        with without_autocast(image_features.device):
            return self.logit_scale * image_features @ class_features.t() + self.logit_bias

    def __deepcopy__(self, _memo: dict[int, Any]) -> Backbone:
        """Itself: a frozen backbone is shared, also by `sklearn.base.clone`."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled (by joblib, for processes) as `pickling` says, which lies above the loaders."""
        return type(self).reduced(self)

    def __repr__(self) -> str:
        return f"Backbone({self.name!r}, {self.framework}, {self.arithmetic}, {self.device})"
