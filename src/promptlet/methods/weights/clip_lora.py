"""CLIP-LoRA: low-rank updates of both towers (Zanella and Ben Ayed, CVPRW 2024, arXiv 2405.18541)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.backbones.libraries.peft_lora import (
    LoraTower,
    StepDropout,
    lora_image_tower,
    lora_text_tower,
    merged_image_tower,
)
from promptlet.errors import DataError, OptionError, check_option
from promptlet.methods.method import IMAGES, Method, MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template, hand_written
from promptlet.papers import bibtex

TOWERS = ("both", "text", "image")
SHOWN_TENSORS = 3


@final
class ClipLora(Method):
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
        settings = (r, alpha, self.dropout, seed)
        self._text = lora_text_tower(backbone, *settings) if towers != "image" else None
        self._image = lora_image_tower(backbone, *settings) if towers != "text" else None
        self.lora = nn.ParameterDict(
            {
                f"{side}.{name}".replace(".", "_"): matrix  # a module's names cannot hold dots
                for side, tower in (("text", self._text), ("image", self._image))
                for name, matrix in _matrices(tower).items()
            }
        )

    asks_host = "its dropout draws anew at each step from a generator that the host sets"

    def extra_repr(self) -> str:
        return f"r={self.r}, alpha={self.alpha}, towers={self.towers!r}, template={self.template!r}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._ids: Tensor | None = None
        self._frozen: Tensor | None = None

    def class_features(self) -> Tensor:
        if self._text is None:
            return self._frozen_features()
        return unit(self._text.encode(self._token_ids()))

    def image_features(self, inputs: Tensor) -> Tensor:
        encode = self.backbone.images.encode if self._image is None else self._image.encode
        return unit(encode(inputs))

    def merged_image_tower(self) -> nn.Module | None:
        """The image tower with its updates taken into the weights, pixels to features that are not
        normalised; None where it has none."""
        if self._image is None:
            return None
        return merged_image_tower(self.backbone, self._image.matrices, self.alpha / math.sqrt(self.r))

    def begin_step(self, step: int) -> None:
        self.dropout.begin_step(step)

    def state(self) -> dict[str, np.ndarray]:
        return {name: m.detach().cpu().numpy().copy() for name, m in self._by_name().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        own = self._by_name()
        _check_shapes(
            {name: tuple(np.shape(array)) for name, array in tensors.items()},
            {name: tuple(matrix.shape) for name, matrix in own.items()},
        )
        with torch.no_grad():
            for name, matrix in own.items():
                matrix.copy_(torch.from_numpy(np.asarray(tensors[name], dtype=np.float32)))

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"r": self.r, "alpha": self.alpha, "template": self.template, "towers": self.towers}

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as what builds it again: the towers' weights belong to the backbone."""
        options = {**self.stored_options(), "dropout": self.dropout.p, "seed": self.dropout.seed}
        return _built_again, (self.backbone, self.class_names, options, self.state(), self.training)

    def _by_name(self) -> dict[str, nn.Parameter]:
        """The matrices by names such as ``text.0.q.A``: tower, layer, projection, factor."""
        return {name.replace("_", "."): matrix for name, matrix in self.lora.items()}

    def _token_ids(self) -> Tensor:
        """Token ids of the prompts (C, L), padded to the longest: later positions cannot reach a causal
        tower's end-of-text."""
        if self._ids is None:
            tokenizer = self.backbone.text.tokenizer
            if not self.class_names:
                raise DataError("class_names is empty; give at least one name")
            start = () if tokenizer.start is None else (tokenizer.start,)
            texts = [self.template.replace("{}", name) for name in self.class_names]
            rows = [(*start, *tokenizer.text(text)) for text in texts]
            length = max(map(len, rows))
            padded = [(*row, *[tokenizer.pad] * (length - len(row))) for row in rows]
            with torch.inference_mode(False):  # made while predicting, they serve in training too
                self._ids = torch.tensor(padded, dtype=torch.int64, device=self.backbone.device)
        return self._ids

    def _frozen_features(self) -> Tensor:
        """The backbone's own class features (C, D), encoded once."""
        if self._frozen is None:
            with torch.inference_mode(False):
                self._frozen = hand_written(self.backbone, self.template, self.class_names)
        return self._frozen


def _built_again(
    backbone: Backbone,
    class_names: Sequence[str],
    options: Mapping[str, Any],
    state: Mapping[str, np.ndarray],
    training: bool,
) -> ClipLora:
    method = ClipLora(backbone, class_names, **options)
    method.load_state(state)
    return method.train(training)


def _matrices(tower: LoraTower | None) -> dict[str, nn.Parameter]:
    return {} if tower is None else tower.matrices


def _check_shapes(given: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises OptionError that shows the first differences: there may be hundreds."""
    names = [name for name in dict.fromkeys([*given, *wanted]) if given.get(name) != wanted.get(name)]
    if names:
        shown = names[:SHOWN_TENSORS]
        ours, theirs = ({n: shapes[n] for n in shown if n in shapes} for shapes in (wanted, given))
        more = f" ({len(names) - len(shown)} more differ)" if len(names) > len(shown) else ""
        raise OptionError(f"the learned tensors have shapes {theirs}; this method has {ours}{more}")


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
