"""CLIP-SVD: singular values of both towers' matrices (Koleilat et al., arXiv 2509.03740)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import nn

from promptlet.backbones import Backbone
from promptlet.backbones.libraries.changed.singular import (
    PACKED,
    WHAT,
    learn_singular_values,
    merge_singular_values,
)
from promptlet.backbones.libraries.changed.towers import merged_image_tower
from promptlet.errors import check_option
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.weights.changed_towers import TOWERS, ChangedTowers, both_or_one, by_place
from promptlet.papers import bibtex


@final
class ClipSvd(ChangedTowers):
    """Each matrix W = U diag(s) V of all layers keeps U and V, and s learns; the prompt is hand-written."""

    info = MethodInfo(
        name="clip_svd",
        title="CLIP-SVD",
        summary="the singular values of all matrices in the layers of both towers, and nothing else",
        paper="arXiv 2509.03740",
        trains="the smaller side of each matrix, six matrices a layer: 92,160 in ViT-B/16",
        unseen_classes=True,
        in_text_tower=True,
        reads=IMAGES,
        fast=frozen(lr=0.005, epochs=10, batch_size=32, weight_decay=0.01),
        bibtex=bibtex("clip_svd"),
        notes="needs a CLIP model of transformers. Queries, keys, values and output of the attention, and "
        "both matrices of the MLP, each taken apart on its own, as in the official code. Its few-shot run "
        "trains 200 x shots steps of 32 images (AdamW, lr 5e-4, weight decay 0.01, cosine to 1e-6) whatever "
        "the number of classes; its base-to-new run 10 or 20 epochs by data set at 4e-4, with a cosine of as "
        "many steps as there are epochs, which falls and rises again and again: neither is a schedule that "
        "can be written down here. Its 0.04 % are of the numbers of U, s and V together. A prompt file holds "
        "s; U and V are computed from the backbone again",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        towers: str = "both",
    ) -> None:
        self.template = check_template(template)
        self.towers = check_option("towers", towers, TOWERS)
        super().__init__(backbone, class_names)
        self._text, self._image = both_or_one(backbone, towers, lambda _: learn_singular_values, WHAT, PACKED)
        self.singular = by_place(self._text, self._image)

    @property
    def inside(self) -> nn.ParameterDict:
        return self.singular

    def merged_image_tower(self) -> nn.Module | None:
        if self._image is None:
            return None
        learned = self._image.learned
        return merged_image_tower(
            self.backbone, lambda tower, own: merge_singular_values(tower, own, learned), WHAT
        )
