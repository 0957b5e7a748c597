"""ZS-LP and CLAP (Silva-Rodriguez et al., CVPR 2024, arXiv 2312.12730): linear probes from zero-shot on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.methods.features.by_class import check_rows
from promptlet.methods.inputs import TrainingData, every_view
from promptlet.methods.many import HELD, over_images
from promptlet.methods.method import Method, MethodInfo, frozen
from promptlet.methods.official import DOMAIN_SHIFT, FEW_SHOT, Official
from promptlet.methods.templates import TEMPLATE, check_template, hand_written
from promptlet.methods.text_prompt import check_weight
from promptlet.papers import bibtex
from promptlet.session import own_arithmetic, without_autocast

FEW = Official(
    "CLAP's repository, README.md; SGD_lr1e-1_B256_ep300.yaml",
    schedule=frozen(lr=0.1, epochs=300, batch_size=256, weight_decay=0.0),
    options=frozen(length=0.0),
    views="crops:20",
    told="an epoch's images are drawn there from 20 random crops of each; here the 20 are taken in turn",
)
OFFICIAL = frozen(**{FEW_SHOT: FEW, DOMAIN_SHIFT: FEW})
FAST = frozen(weight_decay=0.0)
LENGTH = 10.0
NOTES = (
    "length: of each prototype at the start, on which hangs how far a step turns it, and how hard CLAP holds "
    "it. 10 is ours, from validation images, for text towers of any length; 0 takes the features as long as "
    "the tower gives them, as the official code does. Names that were not trained are answered zero-shot"
)


class _ZeroShotProbe(Method):
    """Logits are scaled cosines of image features and learned prototypes, one a class (section 4).

    prototypes (C, D) start at the hand-written prompts' features, all brought to ``length``, and belong to
    ``learned_names`` (C), whatever the classes of now are.
    """

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        length: float = LENGTH,
    ) -> None:
        self.template, self.length = check_template(template), check_weight("length", length)
        super().__init__(backbone, class_names)
        self._begin()

    def _begin(self) -> None:
        """Prototypes of the classes of now, untrained."""
        self.learned_names = self.class_names
        self.start = written(self.backbone, self.template, self.class_names, self.length)
        self.prototypes = nn.Parameter(self.start.clone())

    def extra_repr(self) -> str:
        return f"template={self.template!r}, length={self.length}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._others: Tensor | None = None

    def class_features(self) -> Tensor:
        """Normalised features (C, D): learned ones, and zero-shot ones of names that were not trained."""
        if self.class_names == self.learned_names:
            return F.normalize(self.prototypes.float(), dim=-1)
        row_of = {name: row for row, name in enumerate(self.learned_names)}
        others = [name for name in self.class_names if name not in row_of]
        if self._others is None:
            self._others = hand_written(self.backbone, self.template, others) if others else None
        for place, name in enumerate(others, len(row_of)):
            row_of[name] = place
        learned = F.normalize(self.prototypes.float(), dim=-1)
        known = learned if self._others is None else torch.cat([learned, self._others])
        return known[[row_of[name] for name in self.class_names]]

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes = self.class_features()
        return over_images(self._cross_entropy, inputs, labels, len(classes), classes)

    def _cross_entropy(self, inputs: Tensor, labels: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.backbone.logits(inputs, classes)
        return F.cross_entropy(logits, labels), logits

    def begin_training(self, data: TrainingData) -> None:
        if self.class_names != self.learned_names:
            self._begin()

    def state(self) -> dict[str, np.ndarray]:
        return {"prototypes": self.prototypes.detach().cpu().numpy().copy()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the prototypes (C, D) of the classes of now."""
        check_rows(
            tensors, {"prototypes": (len(self.class_names), self.backbone.feature_dim)}, self.class_names
        )
        if self.class_names != self.learned_names:
            self._begin()
        with torch.no_grad():
            self.prototypes.copy_(torch.from_numpy(np.asarray(tensors["prototypes"], dtype=np.float32)))

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template}


@final
class ZeroShotLinearProbe(_ZeroShotProbe):
    """The prototypes learn with cross-entropy alone."""

    info = MethodInfo(
        name="zs_lp",
        title="ZS-LP",
        summary="one vector a class, from the hand-written prompt's features on, learned with cross-entropy",
        paper="arXiv 2312.12730, section 4",
        trains="C x D numbers",
        unseen_classes=True,
        by_class=True,
        fast=FAST,
        official=OFFICIAL,
        bibtex=bibtex("zs_lp"),
        notes=NOTES,
    )


@final
class ClassAdaptiveProbe(_ZeroShotProbe):
    """Cross-entropy plus the mean over classes c of a_c |w_c - t_c|^2, t_c the start of the prototype w_c.

    a_c is the mean zero-shot probability of their own class over c's training images (section 4): a class
    that zero-shot knows is held to it. It stays as it is in training.
    """

    info = MethodInfo(
        name="clap",
        title="CLAP",
        summary="ZS-LP held to zero-shot, each class by how well zero-shot knows its training images",
        paper="arXiv 2312.12730, section 4",
        trains="C x D numbers",
        unseen_classes=True,
        by_class=True,
        fast=FAST,
        official=OFFICIAL,
        bibtex=bibtex("clap"),
        notes=f"{NOTES}. A class without training images is held with weight 1",
    )

    trust: Tensor | None = None
    """a_c (C,), from the beginning of a training on."""

    def begin_training(self, data: TrainingData) -> None:
        super().begin_training(data)
        views = every_view(data.inputs)
        zero_shot = F.normalize(self.start, dim=-1)
        self.trust = self._trust(views.flatten(0, 1), data.labels.repeat(len(views)), zero_shot)

    @torch.no_grad()
    def _trust(self, features: Tensor, labels: Tensor, classes: Tensor) -> Tensor:
        size = max(1, HELD // max(1, len(classes)))
        own = torch.cat(
            [
                self.backbone.logits(x, classes).softmax(-1).gather(1, y[:, None])[:, 0]
                for x, y in zip(torch.split(features, size), torch.split(labels, size), strict=True)
            ]
        )
        counts = labels.bincount(minlength=len(classes))
        sums = own.new_zeros(len(classes)).index_add_(0, labels, own)
        return torch.where(counts > 0, sums / counts.clamp(min=1), 1.0)

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = super().loss(inputs, labels)
        far = (self.prototypes - self.start).square().sum(-1)
        trust = far.new_ones(len(far)) if self.trust is None else self.trust
        return loss + (trust * far).mean(), logits


@own_arithmetic()
def written(backbone: Backbone, template: str, class_names: Sequence[str], length: float) -> Tensor:
    """Features (C, D) of ``template`` with each name put in, so long; for 0 as the tower has them."""
    if length:
        return hand_written(backbone, template, class_names) * length
    with torch.no_grad(), without_autocast(backbone.device):
        return backbone.encode_templates([template], class_names)[0].float()
