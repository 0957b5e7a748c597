"""Prompts at the text input that are held to the hand-written ones in training: KgCoOp, ProGrad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from torch import Tensor

from promptlet.methods.templates import hand_written
from promptlet.methods.text_prompt import TextPrompt

TEXTURES: Mapping[str, str] = MappingProxyType({"dtd": "a photo of a {}, a type of texture."})
"""The anchors of KgCoOp's and DeKg's code that are not CoOp's hand-written prompts."""


class AnchoredPrompt(TextPrompt):
    """A context whose training looks at the features of the hand-written prompts, its `anchor`."""

    reads_template = True

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._anchor: Tensor | None = None

    @contextmanager
    def among(self, places: Sequence[int]) -> Iterator[None]:
        whole = self.anchor()
        self._anchor = whole[list(places)]
        try:
            with super().among(places):
                yield
        finally:
            self._anchor = whole

    def anchor(self) -> Tensor:
        """Normalised features (C, D) of the hand-written prompts of the current classes; no gradient."""
        if self._anchor is None:
            self._anchor = hand_written(self.backbone, self.template, self.class_names)
        return self._anchor
