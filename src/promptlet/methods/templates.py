"""Hand-written prompts: a template such as "a photo of a {}." and the features of its sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError

TEMPLATE = "a photo of a {}."


def check_template(template: str) -> str:
    """The template itself. Raises OptionError unless it holds {} exactly once."""
    if not isinstance(template, str) or template.count("{}") != 1:
        raise OptionError(f"template={template!r} must hold {{}} exactly once, where the class name goes")
    return template


def hand_written(backbone: Backbone, template: str, class_names: Sequence[str]) -> Tensor:
    """Normalised features (C, D) of ``template`` with each name put in; no gradient."""
    texts = [template.replace("{}", name) for name in class_names]
    return F.normalize(backbone.text.encode_texts(texts).float(), dim=-1)
