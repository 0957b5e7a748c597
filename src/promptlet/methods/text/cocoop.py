"""CoCoOp: conditional context optimisation (Zhou et al., CVPR 2022, arXiv 2203.05557)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.errors import OptionError
from promptlet.methods.method import Method, MethodInfo, frozen
from promptlet.methods.official import BASE_TO_NEW, CROSS_DATASET, DOMAIN_SHIFT, Official
from promptlet.methods.text_prompt import resolve_init
from promptlet.papers import bibtex
from promptlet.prompts import FullContext, load_tensors
from promptlet.session import without_autocast

REDUCTION = 16  # the hidden layer has a sixteenth of the image features' width
PROMPTS = 16384  # encoded in one pass when answering: images x classes

TEN_EPOCHS = Official(
    "CoOp's repository, COCOOP.md; CoCoOp/vit_b16_c4_ep10_batch1_ctxv1.yaml",
    schedule=frozen(epochs=10, batch_size=1),
)
FROM_IMAGENET = replace(TEN_EPOCHS, told="published from 16 shots of ImageNet")
OFFICIAL = frozen(
    **{BASE_TO_NEW: TEN_EPOCHS, CROSS_DATASET: FROM_IMAGENET, DOMAIN_SHIFT: FROM_IMAGENET},
)


@final
class CoCoOp(Method):
    """A context that each image shifts: P + meta(x) in front of every name, the same shift for all vectors.

    Learned with cross-entropy; one text pass per image (equations 3 and 4).
    """

    info = MethodInfo(
        name="cocoop",
        title="CoCoOp",
        summary="a context shifted by a small network of the image: one text pass per image",
        paper="arXiv 2203.05557, equations 3 and 4",
        trains="n_ctx x d + hidden x (D + 1 + d) + d numbers",
        unseen_classes=True,
        in_text_tower=True,
        fast=frozen(epochs=3, batch_size=8, lr=0.002),
        official=OFFICIAL,
        bibtex=bibtex("cocoop"),
        notes="hidden None: D // 16, as official. An epoch takes one text pass per image, so that fast has 3 "
        "epochs in batches of 8 at lr 0.002, our choice on validation images: longer training lost held-out "
        "classes and won little",
    )

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        n_ctx: int = 4,
        ctx_init: str | None = None,
        hidden: int | None = None,
        seed: int = 1,
    ) -> None:
        start, init = resolve_init(backbone, ctx_init, n_ctx, seed)
        super().__init__(backbone, class_names)
        self.context = FullContext(start)
        self.meta = MetaNet(backbone.feature_dim, backbone.text.dim, hidden, seed).to(start.device)
        self.init = init
        self.n_ctx = n_ctx
        self.hidden = hidden

    samples_classes = True

    def extra_repr(self) -> str:
        return f"init={self.init!r}"

    def class_features(self) -> Tensor:
        raise OptionError(
            "cocoop has no class features of its own: they depend on the image; use predict or logits"
        )

    def contexts(self, inputs: Tensor) -> Tensor:
        """The context (B, n_ctx, d) of each image (B, D)."""
        with without_autocast(self.backbone.device):
            shifted: Tensor = self.context() + self.meta(inputs)[:, None]
        return shifted

    def logits(self, inputs: Tensor) -> Tensor:
        return self._logits(inputs, self.class_names)

    def _logits(self, inputs: Tensor, class_names: Sequence[str]) -> Tensor:
        classes = self.backbone.text.encode(self.contexts(inputs), class_names)
        with without_autocast(self.backbone.device):
            cosines = (unit(classes) @ inputs[:, :, None])[..., 0]
            return self.backbone.logit_scale * cosines + self.backbone.logit_bias

    def scorer(self) -> Callable[[Tensor], Tensor]:
        names = self.class_names
        images = max(1, PROMPTS // len(names))

        @torch.no_grad()
        def score(inputs: Tensor) -> Tensor:
            return torch.cat([self._logits(some, names) for some in torch.split(inputs, images)])

        return score

    def state(self) -> dict[str, np.ndarray]:
        return {name: t.detach().cpu().float().numpy().copy() for name, t in self._learned().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        load_tensors(self._learned(), tensors, "this method")

    def _learned(self) -> dict[str, Tensor]:
        return {"P": self.context.P, **{f"meta.{name}": p for name, p in self.meta.named_parameters()}}

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {} if self.hidden is None else {"hidden": self.hidden}


class MetaNet(nn.Module):
    """Image features (B, D) to a shift (B, d): linear, ReLU, linear.

    hidden: width between them; None for D // 16. seed: of the start, which is that of torch's linear layers,
    uniform within 1 / sqrt(fan-in).
    """

    def __init__(self, features: int, dim: int, hidden: int | None, seed: int) -> None:
        super().__init__()
        if hidden is None:
            hidden = max(1, features // REDUCTION)
        if not isinstance(hidden, int) or isinstance(hidden, bool) or hidden < 1:
            raise OptionError(
                f"hidden={hidden!r} is not allowed; give a whole number, 1 or more, or None for "
                f"{max(1, features // REDUCTION)}"
            )
        self.down = _linear("down", features, hidden, seed)
        self.up = _linear("up", hidden, dim, seed)

    def forward(self, inputs: Tensor) -> Tensor:
        shift: Tensor = self.up(F.relu(self.down(inputs)))
        return shift


def _linear(name: str, inputs: int, outputs: int, seed: int) -> nn.Linear:
    """A layer whose start comes from ``seed``; torch's global generator is left alone."""
    layer = nn.Linear(inputs, outputs, dtype=torch.float32, device="meta").to_empty(device="cpu")
    bound = inputs**-0.5
    for part, parameter in layer.named_parameters():
        drawn = rng.generator(f"meta.{name}.{part}", seed).uniform(-bound, bound, parameter.shape)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(drawn.astype(np.float32)))
    return layer
