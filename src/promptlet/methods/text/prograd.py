"""ProGrad: prompt-aligned gradient (Zhu et al., ICCV 2023, arXiv 2205.14865).

The gradient of the cross-entropy may not point against what the hand-written prompt knows: where its
product with the gradient of the divergence from the zero-shot predictions is negative, ``weight`` times its
projection on that direction is taken away (equation 5). Each learned tensor is treated by itself, as in the
official code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.anchored import AnchoredPrompt
from promptlet.methods.many import over_images
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.new_names import LEARNED
from promptlet.methods.official import BASE_TO_NEW, DOMAIN_SHIFT, FEW_SHOT, MOST_SHOTS, Case, Official
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.text_prompt import (
    LOW_RANK_DROPOUT,
    LOW_RANK_STD,
    LOW_RANK_V_RATE,
    OF_TEMPLATE,
    ZEROS,
    check_weight,
    make_context,
)
from promptlet.papers import bibtex
from promptlet.prompts import LowRank

TINY = 1e-12
TEMPLATES = frozen(
    oxford_pets="a type of pet, a photo of a {}.",
    oxford_flowers="a type of flower, a photo of a {}.",
    food101="a type of food, a photo of {}.",
    fgvc_aircraft="a type of aircraft, a photo of a {}.",
    dtd="a texture of {}.",
)
"""The hand-written prompts of the official code that are not CoOp's."""
IMAGENET = Case(schedule=frozen(epochs=50), datasets=("imagenet",))
OFFICIAL = frozen(
    **{
        BASE_TO_NEW: Official(
            "SkipTuning's repository for ViT-B/16 (100 epochs, a photo of a); ProGrad's for ImageNet",
            schedule=frozen(epochs=100),
            cases=(IMAGENET,),
            told="ProGrad's own runs are RN50, 4 shots and 16 vectors, and as many epochs",
        ),
        FEW_SHOT: Official(
            "ProGrad's repository, README.md; ProGrad/rn50.yaml, rn50_ep100.yaml, rn50_ep50.yaml",
            schedule=frozen(epochs=200),
            options=frozen(n_ctx=16, ctx_init=OF_TEMPLATE),
            cases=(
                Case(schedule=frozen(epochs=50), shots=(1, 1)),
                Case(schedule=frozen(epochs=100), shots=(2, 4)),
                Case(
                    options=frozen(weight=0.8),
                    datasets=("oxford_flowers", "dtd", "eurosat"),
                    shots=(5, MOST_SHOTS),
                ),
                IMAGENET,
            ),
            told="published for RN50 and 1, 2, 4, 8 and 16 shots; what lies between is run as the next of "
            "these, and more as 16",
        ),
        DOMAIN_SHIFT: Official(
            "ProGrad's repository, README.md; ProGrad/rn50_ep50.yaml",
            schedule=frozen(epochs=50),
            options=frozen(n_ctx=16, ctx_init=OF_TEMPLATE),
            told="published for RN50 from 4 shots of ImageNet",
        ),
    }
)


@final
class ProGrad(AnchoredPrompt):
    """CoOp whose gradient never conflicts with the zero-shot model's general direction."""

    info = MethodInfo(
        name="prograd",
        title="ProGrad",
        summary="a context whose gradient is freed of what contradicts the zero-shot predictions",
        paper="arXiv 2205.14865, equation 5",
        trains="n_ctx x d numbers (rank x (n_ctx + d) with rank)",
        unseen_classes=True,
        in_text_tower=True,
        official=OFFICIAL,
        templates=TEMPLATES,
        bibtex=bibtex("prograd"),
        notes="weight 1 and temperature 1 are official; its code's start is n_ctx=16 with ctx_init=template: "
        "zeros, then as many tokens of the hand-written prompt as it has words before the name, what is left "
        "over being frozen (between). Two backward passes of the text tower a step; rank, dropout, init_std "
        "and v_rate make RLP's low-rank context, our defaults",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        weight: float = 1.0,
        temperature: float = 1.0,
        template: str = TEMPLATE,
        new_names: str = LEARNED,
        rank: int | None = None,
        dropout: float = LOW_RANK_DROPOUT,
        init_std: float = LOW_RANK_STD,
        v_rate: float = LOW_RANK_V_RATE,
        seed: int = 1,
    ) -> None:
        low_rank = LowRank(rank, dropout, init_std, v_rate)
        if ctx_init == OF_TEMPLATE:
            ctx_init, left_over = template_start(backbone, check_template(template))
            between = left_over if between is None else between
        context, init = make_context(backbone, ctx_init, n_ctx, seed, low_rank)
        if not 0.0 < temperature < float("inf"):
            raise OptionError(f"temperature={temperature!r} must be a number above 0 and finite")
        self.weight = check_weight("weight", weight)
        self.temperature = temperature
        super().__init__(backbone, class_names, context, init, n_ctx, new_names, template, between)
        self.rank = rank
        self._general: dict[str, Tensor] = {}

    def loss(self, image_features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy; in training the gradient of the divergence is kept for `after_backward`."""
        if not self.training:
            return super().loss(image_features, labels)
        classes = self.class_features()
        if classes.requires_grad:
            self.anchor()
            divergence, _ = over_images(self._divergence, image_features, labels, len(classes), classes)
            trainables = self.trainables()
            general = torch.autograd.grad(divergence, list(trainables.values()), retain_graph=True)
            self._general = dict(zip(trainables, general, strict=True))
        return self.cross_entropy(image_features, labels, classes)

    def _divergence(self, images: Tensor, _labels: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.backbone.logits(images, classes)
        return self.divergence(logits, self.backbone.logits(images, self.anchor())), logits

    def divergence(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Cross-entropy of the softened predictions to the zero-shot ones, times T^2 (equation 3)."""
        t = self.temperature
        soft = F.log_softmax(logits / t, -1)
        return -(F.softmax(teacher / t, -1) * soft).sum(-1).mean() * t * t

    def after_backward(self) -> None:
        for name, parameter in self.trainables().items():
            if parameter.grad is not None and name in self._general:
                parameter.grad = aligned(parameter.grad, self._general[name], self.weight)
        self._general = {}


def template_start(backbone: Backbone, template: str) -> tuple[str, str]:
    """Of a template that ends in the name: the start of a context, and the words left over before the name.

    The official code counts words by the spaces between them, and learns so many *tokens*: "a type of pet, a
    photo of a {}." has eight words and nine tokens before the name, so that the last "a" stays as it is.
    Where no whole words have that many tokens, as with other tokenizers than CLIP's, it is the most whole
    words that do not have more. Raises OptionError for another template.
    """
    text, _, rest = template.partition(" {}")
    words = text.split()
    if rest != "." or not words:
        raise OptionError(
            f"ctx_init={OF_TEMPLATE!r} starts at the words before the name of a template that ends in "
            f"' {{}}.', and template={template!r} is no such; give another one, or ctx_init in words"
        )
    for count in range(len(words), 0, -1):
        head = " ".join(words[:count])
        if len(backbone.text.embed_words(head)) <= len(words):
            return f"{ZEROS}{head}", " ".join(words[count:])
    raise OptionError(
        f"ctx_init={OF_TEMPLATE!r} is not possible here: the first word of template={template!r} alone has "
        "more tokens for this backbone than the template has words; give ctx_init in words"
    )


def aligned(gradient: Tensor, general: Tensor, weight: float) -> Tensor:
    """``gradient`` less ``weight`` times its projection on ``general`` where the two conflict."""
    product = (gradient * general).sum()
    projection = product / general.square().sum().clamp_min(TINY) * general
    return torch.where(product < 0, gradient - weight * projection, gradient)
