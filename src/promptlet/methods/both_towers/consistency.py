"""What PromptSRC and MMLoP hold the prompted model to: the frozen model's features and predictions.

PromptSRC, arXiv 2307.06948, equations 3 to 6: mean absolute differences of normalised class features and of
normalised image features, and the divergence of the predictions from the frozen ones, averaged over all
entries as the official code does. The frozen class features are those of many templates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.methods.templates import ensemble, several_templates
from promptlet.methods.text_prompt import check_weight


def checked_weights(text: float, image: float, logit: float) -> tuple[float, float, float]:
    """The weights of the three terms. Raises OptionError for one that is negative, infinite or no number."""
    return (
        check_weight("text_weight", text),
        check_weight("image_weight", image),
        check_weight("logit_weight", logit),
    )


def frozen_classes(backbone: Backbone, class_names: Sequence[str]) -> Tensor:
    """Features (C, D) of the mean of 60 templates, normalised once, after the mean; no gradient."""
    return ensemble(backbone, several_templates("promptsrc"), class_names, normalised=False)


def frozen_images(backbone: Backbone, pixel_values: Tensor) -> Tensor:
    """Normalised features (B, D) of the images as the frozen tower sees them; no gradient."""
    return unit(backbone.images.encode(pixel_values))


def consistency(
    backbone: Backbone,
    prompted: tuple[Tensor, Tensor, Tensor],
    fixed: tuple[Tensor, Tensor],
    weights: tuple[float, float, float],
) -> Tensor:
    """The weighted sum of the three terms.

    prompted: normalised class features (C, D), image features (B, D) and logits (B, C); fixed: the frozen
    model's class and image features; weights: of the text, image and logit terms.
    """
    classes, images, logits = prompted
    fixed_logits = backbone.logits(fixed[1], fixed[0])
    total = F.kl_div(logits.log_softmax(-1), fixed_logits.log_softmax(-1), reduction="sum", log_target=True)
    divergence = total / logits.numel()
    text, image, logit = weights
    return text * F.l1_loss(classes, fixed[0]) + image * F.l1_loss(images, fixed[1]) + logit * divergence
