"""VPT: visual prompt tuning (Jia et al., arXiv 2203.12119), in CLIP's image tower as MaPLe's code runs it.

The original puts its tokens between class token and patches of a supervised ViT and learns a head; here they
stand behind the patches, and the classifier is a hand-written prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.methods.both_towers.deep_prompt import DeepPrompt, current, image_start, resolve_depth
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.official import BASE_TO_NEW, Official
from promptlet.methods.templates import TEMPLATE, check_template, hand_written
from promptlet.papers import bibtex
from promptlet.prompts import FullContext

DEPTH = 12
OFFICIAL = frozen(
    **{
        BASE_TO_NEW: Official(
            "MaPLe's repository, VPT/vit_b16_c2_ep5_batch4_4.yaml",
            schedule=frozen(epochs=5, batch_size=4, lr=0.0025),
        )
    }
)


@final
class VPT(DeepPrompt):
    """Contexts in the image tower: deep, or shallow with depth 1; class features of a hand-written prompt."""

    info = MethodInfo(
        name="vpt",
        title="VPT",
        summary="contexts in the image tower, deep or (depth 1) shallow; hand-written class prompts",
        paper="arXiv 2203.12119, section 3.2",
        trains="depth x n_ctx x d_v numbers",
        unseen_classes=True,
        reads=IMAGES,
        fast=frozen(epochs=10, batch_size=32, lr=0.005),
        own_template=True,
        official=OFFICIAL,
        bibtex=bibtex("vpt"),
        notes="settings of MaPLe's code: 8 vectors in 12 layers (depth None: 12, or all of a shallower "
        'tower); the prompt is "a photo of a {}." for every data set, unless another is given',
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 8,
        depth: int | None = None,
        template: str = TEMPLATE,
        seed: int = 1,
    ) -> None:
        self.template = check_template(template)
        super().__init__(backbone, class_names)
        backbone.images.check_tokens()
        self.depth = resolve_depth(depth, DEPTH, {"image": backbone.images.depth})
        self.n_ctx, self.init = n_ctx, "none"
        self.image = FullContext(image_start(backbone, n_ctx, self.depth, seed))

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._features: Tensor | None = None

    def class_features(self) -> Tensor:
        if self._features is None:
            self._features = hand_written(self.backbone, self.template, self.class_names)
        return self._features

    def image_context(self) -> Tensor:
        return current(self.image)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"depth": self.depth, "template": self.template}
