"""A method of one's own in thirty lines: CoOp with weight on the context's distance from where it started.

    promptlet --import examples/own_method.py bench run --datasets mini-flowers --backbone mini \
        --methods coop,near_coop:weight=10

From Python: ``import own_method``, then ``PromptClassifier(method="near_coop")`` and `open_bench` know it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.methods import MethodInfo, register
from promptlet.methods.text_prompt import TextPrompt, make_context


@register
class NearCoOp(TextPrompt):
    """Cross-entropy plus ``weight`` times the mean squared distance of the context from its start."""

    info = MethodInfo(
        name="near_coop",
        title="Near CoOp",
        summary="a context held near the words that it starts from",
        paper="none: an example",
        trains="n_ctx x d numbers",
        unseen_classes=True,
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        weight: float = 1.0,
        seed: int = 1,
    ) -> None:
        context, init = make_context(backbone, ctx_init, n_ctx, seed)
        super().__init__(backbone, class_names, context, init, n_ctx)
        self.weight = weight
        self.start = context.merged().detach().clone()

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = super().loss(inputs, labels)
        return loss + self.weight * (self.context() - self.start).square().mean(), logits
