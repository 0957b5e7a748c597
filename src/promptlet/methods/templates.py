"""Hand-written prompts: a template such as "a photo of a {}." and the features of its sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.errors import OptionError, did_you_mean
from promptlet.methods.template_lists import TEMPLATE_LISTS
from promptlet.session import own_arithmetic, without_autocast

TEMPLATE = "a photo of a {}."
BETWEEN = "|"  # of several templates in one text
SENTENCES = 1024  # encoded in one pass


def check_template(template: str) -> str:
    """The template itself. Raises OptionError unless it holds {} exactly once."""
    if not isinstance(template, str) or template.count("{}") != 1:
        raise OptionError(f"template={template!r} must hold {{}} exactly once, where the class name goes")
    return template


@own_arithmetic()
def hand_written(backbone: Backbone, template: str, class_names: Sequence[str]) -> Tensor:
    """Normalised features (C, D) of ``template`` with each name put in, or of what stands for several
    (`check_templates`) their `ensemble`; no gradient.

    Never in the low precision of a training step that asks for them.
    """
    if _is_several(template):
        return ensemble(backbone, several_templates(template), class_names)
    with without_autocast(backbone.device):
        return unit(backbone.encode_templates([template], class_names)[0])


def several_templates(templates: str) -> tuple[str, ...]:
    """The templates of a list known by name (`TEMPLATE_LISTS`), or those written with "|" between them.

    Raises OptionError for a name that is not known, and unless each holds {} exactly once.
    """
    if isinstance(templates, str) and templates in TEMPLATE_LISTS:
        return TEMPLATE_LISTS[templates]
    if not isinstance(templates, str) or "{}" not in templates:
        raise OptionError(
            f"templates={templates!r} is not known; allowed: {', '.join(TEMPLATE_LISTS)}, or templates with "
            f'"{BETWEEN}" between them, such as "a photo of a {{}}.{BETWEEN}a drawing of a {{}}."'
            f"{did_you_mean(str(templates), TEMPLATE_LISTS)}"
        )
    return tuple(check_template(template.strip()) for template in templates.split(BETWEEN))


def check_templates(template: str) -> str:
    """The template itself: one, or several as `several_templates` takes them. Raises OptionError."""
    if isinstance(template, str) and _is_several(template):
        several_templates(template)
        return template
    return check_template(template)


def _is_several(template: str) -> bool:
    return template in TEMPLATE_LISTS or (BETWEEN in template and template.count("{}") > 1)


@own_arithmetic()
def ensemble(
    backbone: Backbone, templates: Sequence[str], class_names: Sequence[str], normalised: bool = True
) -> Tensor:
    """Normalised mean over templates of the features (C, D) of each class; no gradient.

    ``normalised`` says whether each template's features are, before the mean: in CLIP's and CoOp's ensembles
    they are, in PromptSRC's they are not.
    """
    total = torch.zeros((), dtype=torch.float32, device=backbone.device)
    several = max(1, SENTENCES // len(class_names))
    with without_autocast(backbone.device):  # that of a training step
        for begin in range(0, len(templates), several):
            features = backbone.encode_templates(templates[begin : begin + several], class_names).float()
            features = unit(features) if normalised else features
            total = total + features.sum(0)
    return unit(total / len(templates))
