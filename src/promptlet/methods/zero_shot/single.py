"""Zero-shot classification with one hand-written template (CLIP, arXiv 2103.00020, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.methods.method import NOTHING, Method, MethodInfo
from promptlet.methods.templates import TEMPLATE, check_template, hand_written
from promptlet.papers import bibtex


@final
class ZeroShot(Method):
    """Class features of ``template`` with each name put in; the data set's own template in the benchmarks."""

    info = MethodInfo(
        name="zero_shot",
        title="Zero-shot CLIP",
        summary="a hand-written template, nothing learned",
        paper="arXiv 2103.00020",
        trains="nothing",
        unseen_classes=True,
        learns=NOTHING,
        bibtex=bibtex("zero_shot"),
    )

    def __init__(self, backbone: Backbone, class_names: Sequence[str], template: str = TEMPLATE) -> None:
        self.template = check_template(template)
        super().__init__(backbone, class_names)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        before, behind = self.template.split("{}")
        return {} if before.strip() and behind == "." else {"template": self.template}

    def class_features(self) -> Tensor:
        return hand_written(self.backbone, self.template, self.class_names)
