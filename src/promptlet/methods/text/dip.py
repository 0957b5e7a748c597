"""DIP's two other ways to raise information density: direct optimisation (DO) and positional penalty (PP).

Both are CoOp with a term on the singular values of the context (later version of arXiv 2312.10813). The
weights of the terms and PP's weighting of positions are not public: the defaults are ours, and so is that the
terms take softened values (`promptlet.density.softened`) unless ``soft`` is false, as in version 0.1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.density import information_density, positional_penalty
from promptlet.methods.method import MethodInfo
from promptlet.methods.new_names import LEARNED
from promptlet.methods.templates import TEMPLATE
from promptlet.methods.text_prompt import TextPrompt, check_weight, resolve_init
from promptlet.papers import bibtex
from promptlet.prompts import FullContext

SVD = "a singular value decomposition looks whether it converged"
OURS = "weight is our choice; the paper's is not public"


@final
class DirectOptimisation(TextPrompt):
    """Cross-entropy minus ``weight`` times ``ID_k`` of the context."""

    info = MethodInfo(
        name="dip_do",
        title="DIP (DO)",
        summary="a full context whose information density is raised by a term of the loss",
        paper="arXiv 2312.10813, later version",
        trains="n_ctx x d numbers",
        unseen_classes=True,
        in_text_tower=True,
        bibtex=bibtex("dip_do"),
        notes=OURS,
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        weight: float = 1.0,
        k: int = 1,
        soft: bool = True,
        new_names: str = LEARNED,
        template: str = TEMPLATE,
        seed: int = 1,
    ) -> None:
        start, init = resolve_init(backbone, ctx_init, n_ctx, seed)
        self.weight, self.k, self.soft = check_weight("weight", weight), k, bool(soft)
        information_density(start, k)  # refuses a k that does not fit
        super().__init__(backbone, class_names, FullContext(start), init, n_ctx, new_names, template, between)

    asks_host = SVD

    def loss(self, image_features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = super().loss(image_features, labels)
        return loss - self.weight * information_density(self.context(), self.k, self.soft), logits


@final
class PositionalPenalty(TextPrompt):
    """Cross-entropy plus ``weight`` times the mean position of the context's singular values."""

    info = MethodInfo(
        name="dip_pp",
        title="DIP (PP)",
        summary="a full context whose smaller singular values are penalised by their position",
        paper="arXiv 2312.10813, later version",
        trains="n_ctx x d numbers",
        unseen_classes=True,
        in_text_tower=True,
        bibtex=bibtex("dip_pp"),
        notes=OURS,
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        between: str | None = None,
        weight: float = 1.0,
        soft: bool = True,
        new_names: str = LEARNED,
        template: str = TEMPLATE,
        seed: int = 1,
    ) -> None:
        start, init = resolve_init(backbone, ctx_init, n_ctx, seed)
        self.weight, self.soft = check_weight("weight", weight), bool(soft)
        super().__init__(backbone, class_names, FullContext(start), init, n_ctx, new_names, template, between)

    asks_host = SVD

    def loss(self, image_features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = super().loss(image_features, labels)
        return loss + self.weight * positional_penalty(self.context(), self.soft), logits
