"""2SFS: layer norms first, then a classifier (Farina et al., CVPR 2025, arXiv 2503.11609)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.backbones.libraries.changed.norms import WHAT, learn_norms, merge_norms
from promptlet.backbones.libraries.changed.towers import merged_image_tower
from promptlet.errors import OptionError, check_option
from promptlet.methods.inputs import TrainingData
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template, hand_written
from promptlet.methods.weights.changed_towers import (
    TOWERS,
    ChangedTowers,
    both_or_one,
    by_place,
    check_shapes,
    token_ids,
)
from promptlet.papers import bibtex

LAYERS, ALL = "layers", "all"
NORMS = (LAYERS, ALL)
SHARE = 0.6


@final
class TwoStages(ChangedTowers):
    """For ``share`` of the epochs the towers' layer norms learn against the hand-written prompts. Then they
    stay, and a classifier learns: a vector a class, from the text tower's features of then on.

    At last the classes of the training are answered by the classifier, and other names by the text tower. The
    classifier ``head`` (C, D) belongs to ``learned_names`` (C), whatever the classes of now are.
    """

    info = MethodInfo(
        name="two_sfs",
        title="2SFS",
        summary="layer norms of both towers first, then one vector a class on what these have become",
        paper="arXiv 2503.11609",
        trains="scale and shift of two norms a layer, 61,440 in ViT-B/16; then C x D numbers",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        own_template=True,
        by_class=True,
        fast=frozen(lr=0.002, epochs=10, batch_size=32, weight_decay=0.01),
        bibtex=bibtex("two_sfs"),
        notes="needs a CLIP model of transformers. share and template are the official code's. "
        "norms=layers are those inside the layers, which alone learn in the official code: the ones before "
        "and behind the layers (norms=all: 65,536 numbers in ViT-B/16) are in its optimiser, but frozen. It "
        "trains 300 x shots steps of 32 images (AdamW, lr 2e-4, weight decay 0.01, in each stage a cosine to "
        "1e-6) whatever the number of classes: 9600 / classes epochs, so that no official schedule can be "
        "written down. Here a stage is whole epochs",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        share: float = SHARE,
        norms: str = LAYERS,
        template: str = TEMPLATE,
        towers: str = "both",
    ) -> None:
        self.share = _checked_share(share)
        self.norms = check_option("norms", norms, NORMS)
        self.template = check_template(template)
        self.towers = check_option("towers", towers, TOWERS)
        super().__init__(backbone, class_names)
        change = partial(learn_norms, around=norms == ALL)
        self._text, self._image = both_or_one(backbone, towers, lambda _: change, WHAT)
        self.scales = by_place(self._text, self._image)
        self._begin()

    asks_host = "it trains in two stages, whose steps are not the same"

    def _begin(self) -> None:
        """A classifier for the classes of now, untrained, in the first stage."""
        self.learned_names = self.class_names
        self.head = nn.Parameter(self._frozen_features().clone())
        self.in_first, self.first_epochs = True, 0

    @property
    def inside(self) -> nn.ParameterDict:
        return self.scales

    def extra_repr(self) -> str:
        return f"share={self.share}, norms={self.norms!r}, {super().extra_repr()}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._others: Tensor | None = None

    def class_features(self) -> Tensor:
        if self.in_first:
            return super().class_features()
        learned = F.normalize(self.head.float(), dim=-1)
        if self.class_names == self.learned_names:
            return learned
        row_of = {name: row for row, name in enumerate(self.learned_names)}
        others = [name for name in self.class_names if name not in row_of]
        if others and self._others is None:
            self._others = self._written(others)
        row_of |= {name: place for place, name in enumerate(others, len(row_of))}
        known = learned if self._others is None else torch.cat([learned, self._others])
        return known[[row_of[name] for name in self.class_names]]

    @torch.no_grad()
    def _written(self, class_names: Sequence[str]) -> Tensor:
        """Features (C, D) of names by the text tower as it has become, normalised."""
        if self._text is None:
            return hand_written(self.backbone, self.template, class_names)
        return unit(self._text.encode(token_ids(self.backbone, self.template, class_names)))

    def image_features(self, inputs: Tensor) -> Tensor:
        ways: AbstractContextManager[object] = nullcontext() if self.in_first else torch.no_grad()
        with ways:
            return super().image_features(inputs)

    def merged_image_tower(self) -> nn.Module | None:
        if self._image is None:
            return None
        learned, around = self._image.learned, self.norms == ALL
        return merged_image_tower(self.backbone, lambda tower, _: merge_norms(tower, learned, around), WHAT)

    def begin_training(self, data: TrainingData) -> None:
        if self.class_names != self.learned_names:
            self._begin()
        self.in_first, self.first_epochs = True, self._first_of(data.epochs)

    def stage(self, epoch: int, epochs: int) -> tuple[int, int]:
        first = self._first_of(epochs)
        return (epoch, first) if epoch < first else (epoch - first, epochs - first)

    def _first_of(self, epochs: int) -> int:
        """How many of so many epochs the first stage has."""
        return int(self.share * epochs)

    def begin_epoch(self, epoch: int) -> None:
        if epoch == self.first_epochs:
            self._begin_head()
        self.in_first = epoch < self.first_epochs

    def end_training(self, data: TrainingData) -> None:
        if (
            self.first_epochs >= data.epochs
        ):  # no second stage; of one that was taken up at its end nothing is seen
            self._begin_head()
        self.in_first = False

    @torch.no_grad()
    def _begin_head(self) -> None:
        """The classifier starts at the text tower's features, normalised."""
        self.head.copy_(super().class_features())

    def state(self) -> dict[str, np.ndarray]:
        return {**super().state(), "head": self.head.detach().cpu().numpy().copy()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the norms, and the classifier (C, D) of the classes of now."""
        wanted = {name: tuple(one.shape) for name, one in self._by_name().items()}
        check_shapes(tensors, {**wanted, "head": (len(self.class_names), self.backbone.feature_dim)})
        if self.class_names != self.learned_names:
            self._begin()
        super().load_state({name: tensors[name] for name in wanted})
        with torch.no_grad():
            self.head.copy_(torch.from_numpy(np.asarray(tensors["head"], dtype=np.float32)))
        self.in_first, self._others = False, None

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"norms": self.norms, **super().stored_options()}

    def built_with(self) -> dict[str, Any]:
        return {"share": self.share, **self.stored_options()}

    def built_for(self) -> tuple[str, ...]:
        return self.learned_names

    def told(self) -> dict[str, Any]:
        return {**super().told(), "in_first": self.in_first, "first_epochs": self.first_epochs}


def _checked_share(share: float) -> float:
    if not 0.0 <= share <= 1.0:
        raise OptionError(f"share={share!r} is outside 0 <= share <= 1, the part of the epochs for the norms")
    return float(share)
