"""Zero-shot classification with several hand-written templates (CLIP, arXiv 2103.00020, section 3.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.methods.method import NOTHING, Method, MethodInfo, frozen
from promptlet.methods.official import BASE_TO_NEW, FEW_SHOT, Case, Official
from promptlet.methods.templates import TEMPLATE, check_template, ensemble, several_templates
from promptlet.papers import bibtex

SEVEN = Official(
    "CoOp's repository, trainers/zsclip.py, ZeroshotCLIP2",
    cases=(Case(options=frozen(template=""), datasets=("imagenet",)),),
    views=1,
)
OFFICIAL = frozen(**{BASE_TO_NEW: SEVEN, FEW_SHOT: SEVEN})


@final
class ZeroShotEnsemble(Method):
    """Class features w = norm(mean over templates t of norm(text(t with the name put in))).

    templates: "select", "imagenet", "promptsrc", or templates with "|" between them. template: one more,
    the data set's own in the benchmarks, unless it is among them; "" for none.
    """

    info = MethodInfo(
        name="zero_shot_ensemble",
        title="Zero-shot CLIP, templates averaged",
        summary="class features averaged over several hand-written templates",
        paper="arXiv 2103.00020",
        trains="nothing",
        unseen_classes=True,
        learns=NOTHING,
        official=OFFICIAL,
        bibtex=bibtex("zero_shot_ensemble"),
        notes="as CoOp's ZeroshotCLIP2: the 7 selected templates and the data set's own; CoOp adds none for "
        'ImageNet, which is template="" here, and so with the schedule official',
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        templates: str = "select",
        template: str = TEMPLATE,
    ) -> None:
        own = () if template == "" else (check_template(template),)
        self.every_template = tuple(dict.fromkeys((*several_templates(templates), *own)))
        self.templates, self.template = templates, template
        super().__init__(backbone, class_names)

    def extra_repr(self) -> str:
        return f"templates={self.templates!r}, template={self.template!r}"

    def class_features(self) -> Tensor:
        return ensemble(self.backbone, self.every_template, self.class_names)

    def notes(self) -> tuple[str, ...]:
        return self.backbone.notes(self.every_template, self.class_names)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"templates": self.templates, "template": self.template}
