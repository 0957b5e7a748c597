"""CLIP-LoRA: low-rank updates of both towers (Zanella and Ben Ayed, CVPRW 2024, arXiv 2405.18541)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, final

import numpy as np
from torch import nn

from promptlet.backbones import Backbone
from promptlet.backbones.libraries.changed.lora import PACKED, WHAT, StepDropout, add_lora, merge_lora
from promptlet.backbones.libraries.changed.towers import merged_image_tower
from promptlet.errors import OptionError, check_option
from promptlet.methods.method import IMAGES, Method, MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.weights.changed_towers import (
    TOWERS,
    ChangedTowers,
    both_or_one,
    built_again,
    by_place,
)
from promptlet.papers import bibtex


@final
class ClipLora(ChangedTowers):
    """Queries, keys, values of all layers get ``alpha / sqrt(r) * B A`` added; the prompt is hand-written."""

    info = MethodInfo(
        name="clip_lora",
        title="CLIP-LoRA",
        summary="low-rank updates of queries, keys and values in all layers of both towers",
        paper="arXiv 2405.18541",
        trains="2 r d numbers a matrix, three matrices a layer: 184,320 in ViT-B/16",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        own_template=True,
        fast=frozen(epochs=5, batch_size=32, weight_decay=0.01),
        bibtex=bibtex("clip_lora"),
        notes="needs promptlet[lora] and a CLIP model of transformers. r, alpha, dropout, template "
        "and the scale alpha / sqrt(r) are the official code's. It trains "
        "500 x shots steps of 32 images (AdamW, lr 2e-4, weight decay 0.01, cosine to 1e-6) whatever the "
        "number of classes: 16000 / classes epochs, so that no official schedule can be written down",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        r: int = 2,
        alpha: float = 1.0,
        dropout: float = 0.25,
        template: str = TEMPLATE,
        towers: str = "both",
        seed: int = 1,
    ) -> None:
        self.template = check_template(template)
        self.towers = check_option("towers", towers, TOWERS)
        self.r, self.alpha = _checked_rank(r), _checked_alpha(alpha)
        super().__init__(backbone, class_names)
        self.dropout = StepDropout(_checked_dropout(dropout), seed, backbone.device)
        self._text, self._image = both_or_one(
            backbone,
            towers,
            lambda side: partial(add_lora, r=r, alpha=alpha, dropout=self.dropout, seed=seed, side=side),
            WHAT,
            PACKED,
        )
        self.lora = by_place(self._text, self._image)

    asks_host = "its dropout draws anew at each step from a generator that the host sets"

    @property
    def inside(self) -> nn.ParameterDict:
        return self.lora

    def extra_repr(self) -> str:
        return f"r={self.r}, alpha={self.alpha}, towers={self.towers!r}, template={self.template!r}"

    def merged_image_tower(self) -> nn.Module | None:
        if self._image is None:
            return None
        matrices, scale = self._image.learned, self.alpha / math.sqrt(self.r)
        return merged_image_tower(self.backbone, lambda tower, _: merge_lora(tower, matrices, scale), WHAT)

    def begin_step(self, step: int) -> None:
        self.dropout.begin_step(step)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"r": self.r, "alpha": self.alpha, "template": self.template, "towers": self.towers}

    def built_with(self) -> dict[str, Any]:
        return {**self.stored_options(), "dropout": self.dropout.p, "seed": self.dropout.seed}


def _built_again(
    backbone: Backbone,
    class_names: Sequence[str],
    options: Mapping[str, Any],
    state: Mapping[str, np.ndarray],
    training: bool,
) -> Method:
    """What older pickles build it with."""
    return built_again(ClipLora, backbone, class_names, options, state, training)


def _checked_rank(r: int) -> int:
    if not isinstance(r, int) or isinstance(r, bool):
        raise OptionError(f"r={r!r} is not allowed; give a whole number")
    return r


def _checked_alpha(alpha: float) -> float:
    if not 0.0 < alpha < float("inf"):
        raise OptionError(f"alpha={alpha!r} must be a number above 0 and finite")
    return float(alpha)


def _checked_dropout(dropout: float) -> float:
    if not 0.0 <= dropout < 1.0:
        raise OptionError(f"dropout={dropout!r} is outside 0 <= dropout < 1")
    return float(dropout)
