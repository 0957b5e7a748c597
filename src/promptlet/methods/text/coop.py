"""CoOp: context optimisation (Zhou et al., arXiv 2109.01134), generic and class-specific."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from promptlet.backbones import Backbone
from promptlet.backbones.text.class_token import CLASS_TOKENS, ClassToken
from promptlet.errors import OptionError, check_option
from promptlet.methods.method import MethodInfo, frozen
from promptlet.methods.new_names import LEARNED, check_rule
from promptlet.methods.official import BASE_TO_NEW, CROSS_DATASET, DOMAIN_SHIFT, FEW_SHOT, Case, Official
from promptlet.methods.templates import TEMPLATE
from promptlet.methods.text_prompt import TextPrompt, class_starts, resolve_init, shared_start
from promptlet.papers import bibtex
from promptlet.prompts import FullContext

IMAGENET = Case(schedule=frozen(epochs=50), datasets=("imagenet",))
OFFICIAL = frozen(
    **{
        BASE_TO_NEW: Official(
            "CoOp's repository, CoOp/vit_b16_ctxv1.yaml; ImageNet: vit_b16_ep50_ctxv1.yaml",
            schedule=frozen(epochs=200),
            cases=(IMAGENET,),
        ),
        FEW_SHOT: Official(
            "CoOp's repository, COOP.md, M=16, end; CoOp/vit_b16.yaml, vit_b16_ep100.yaml, vit_b16_ep50.yaml",
            schedule=frozen(epochs=200),
            options=frozen(n_ctx=16, ctx_init="random"),
            cases=(
                Case(schedule=frozen(epochs=50), shots=(1, 1)),
                Case(schedule=frozen(epochs=100), shots=(2, 4)),
                IMAGENET,
            ),
            told="published for 1, 2, 4, 8 and 16 shots; what lies between is run as the next of these, and "
            "more as 16. It is also published with the name in the middle, and with contexts by class",
        ),
        CROSS_DATASET: Official(
            "CoOp's repository, CoOp/vit_b16_ep50_ctxv1.yaml",
            schedule=frozen(epochs=50),
            told="published from 16 shots of ImageNet",
        ),
        DOMAIN_SHIFT: Official(
            "CoOp's repository, COCOOP.md; CoOp/vit_b16_ep50_ctxv1.yaml",
            schedule=frozen(epochs=50),
            told="published from 16 shots of ImageNet. CoOp's first paper also has 16 vectors with a random "
            "start here (COOP.md): n_ctx=16, ctx_init=random",
        ),
    }
)


@final
class CoOp(TextPrompt):
    """Every number of the context is learned with cross-entropy; one context for all classes, or one each."""

    info = MethodInfo(
        name="coop",
        title="CoOp",
        summary="a full context of n_ctx vectors, learned with cross-entropy",
        paper="arXiv 2109.01134",
        trains="n_ctx x d numbers (C x n_ctx x d with per_class)",
        unseen_classes=True,
        in_text_tower=True,
        fast_whole=frozen(epochs=40, optimizer="lbfgs"),
        official=OFFICIAL,
        bibtex=bibtex("coop"),
        notes="with per_class=True the classes are fixed at fit, and other names are refused; "
        "each has a random start of its own, and words are one start for all; class_token_position: where "
        "the name stands, end, middle or front of the context; between: frozen words before the name",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        per_class: bool = False,
        class_token_position: ClassToken = "end",
        new_names: str = LEARNED,
        template: str = TEMPLATE,
        seed: int = 1,
    ) -> None:
        check_option("class_token_position", str(class_token_position), CLASS_TOKENS)
        start, init = resolve_init(backbone, shared_start(ctx_init, per_class), n_ctx, seed)
        if per_class:
            start = class_starts(start, init, len(class_names))
            if check_rule(new_names) != LEARNED:
                raise OptionError(
                    f"new_names={new_names!r} is not possible with per_class=True, which knows only the "
                    "classes it was made for; leave new_names out"
                )
        self._fitted_names: tuple[str, ...] | None = None
        super().__init__(backbone, class_names, FullContext(start), init, n_ctx, new_names, template, between)
        self.per_class = per_class
        self.samples_classes = not per_class
        self.placement = "per_class" if per_class else "input"
        self.class_token = class_token_position
        if per_class:
            self._fitted_names = self.class_names

    def stored_options(self) -> dict[str, str | int | float | bool]:
        position = {} if self.class_token == "end" else {"class_token_position": self.class_token}
        return {**super().stored_options(), **position}

    def set_classes(self, class_names: Sequence[str]) -> None:
        fitted = getattr(self, "_fitted_names", None)
        if fitted is not None and tuple(class_names) != fitted:
            raise OptionError(
                "class-specific contexts (per_class=True) know only the classes they were made for, in their "
                "order; use per_class=False to classify names that were not trained"
            )
        super().set_classes(class_names)
