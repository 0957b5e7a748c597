"""What prompts in both towers share: contexts of several layers, how they start, and the way through both.

Text: ``[start] context, words between, class name "." [end]``, the context's states replaced before each of
the first ``depth`` layers. Images: the context behind the patches, before the tower's first normalisation,
and replaced likewise (as in the code of MaPLe, arXiv 2210.03117, which VPT, IVLP and PromptSRC share there).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.errors import OptionError
from promptlet.methods.between import behind, check_between
from promptlet.methods.method import Method
from promptlet.methods.text_prompt import resolve_init
from promptlet.numbers import check_number
from promptlet.prompts import DEFAULT_WORDS, Context, LowRank, context_from, deep_start, load_tensors
from promptlet.session import without_autocast

DEPTH = 9
"""Layers with prompts of their own in MaPLe's and PromptSRC's base-to-new runs."""


class DeepPrompt(Method):
    """A method that learns contexts in the image tower, and perhaps in the text tower.

    Stored tensors: the tensors of `parts`, as ``part.tensor``.
    """

    n_ctx: int
    init: str

    @abstractmethod
    def image_context(self) -> Tensor:
        """The image tower's contexts (depth, n_ctx, d_v)."""

    def image_features(self, inputs: Tensor) -> Tensor:
        with without_autocast(self.backbone.device):
            context = self.image_context()
        return unit(self.backbone.images.encode_prompted(inputs, context))

    def tensors(self) -> dict[str, Tensor]:
        """What a prompt file stores, by name: of every context, its own tensors."""
        contexts = {name: part for name, part in self.named_children() if isinstance(part, Context)}
        return {f"{name}.{key}": t for name, part in contexts.items() for key, t in part.tensors().items()}

    def state(self) -> dict[str, np.ndarray]:
        return {name: t.detach().cpu().float().numpy().copy() for name, t in self.tensors().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        load_tensors(self.tensors(), tensors, "this method")

    def begin_step(self, step: int) -> None:
        for part in self.children():
            if isinstance(part, Context):
                part.begin_step(step)

    def extra_repr(self) -> str:
        return f"init={self.init!r}, {self.stored_options()}"


class TwoTowerPrompt(DeepPrompt):
    """Contexts in both towers. ``between``: frozen words between the text context and the class name."""

    between: str

    @abstractmethod
    def text_context(self) -> Tensor:
        """The text tower's contexts (depth, n_ctx, d)."""

    def class_features(self) -> Tensor:
        with without_autocast(self.backbone.device):
            context = self.text_context()
        features = self.backbone.text.encode(context, behind(self.between, self.class_names), "deep")
        return unit(features)


class IndependentPrompt(TwoTowerPrompt):
    """Contexts of their own in both towers, as many vectors and layers in each; full or low-rank."""

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        shape: tuple[int, int],
        start: tuple[str | None, str | None],
        low_rank: LowRank,
        seed: int,
    ) -> None:
        """shape: (n_ctx, depth); start: (ctx_init, between); low_rank: see `LowRank`."""
        n_ctx, depth = shape
        super().__init__(backbone, class_names)
        image = image_start(backbone, n_ctx, depth, seed)
        text, self.init = text_start(backbone, start[0], n_ctx, depth, seed)
        self.between = resolve_between(start[1], start[0], n_ctx)
        self.text = context_from(text, low_rank, seed, "/text")
        self.image = context_from(image, low_rank, seed, "/image")
        self.n_ctx, self.depth, self.rank, self.seed = n_ctx, depth, low_rank[0], seed

    def text_context(self) -> Tensor:
        return current(self.text)

    def image_context(self) -> Tensor:
        return current(self.image)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        start = {} if self.rank is None else {"seed": self.seed}  # of the frozen starts below the input
        return {"depth": self.depth, "between": self.between, **start}


def current(context: Context) -> Tensor:
    """The context of this step, or the merged one outside training."""
    return context() if context.training else context.merged()


def resolve_depth(depth: int | None, wanted: int, layers: Mapping[str, int]) -> int:
    """``depth``; None means ``wanted``, or all layers of a shallower tower. ``layers``: by tower's name.

    Raises OptionError for one outside 1 and the layers of the shallowest tower.
    """
    most = min(layers.values())
    if depth is None:
        return min(wanted, most)
    if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= most:
        told = ", ".join(f"{count} of the {name} tower" for name, count in layers.items())
        raise OptionError(f"depth={depth!r} is outside 1..{most} (layers: {told})")
    return depth


def depth_in_both(backbone: Backbone, depth: int | None, wanted: int) -> int:
    """`resolve_depth` in both towers. Raises BackboneError for an image tower without tokens, OptionError."""
    backbone.images.check_tokens()
    return resolve_depth(depth, wanted, {"text": backbone.text.depth, "image": backbone.images.depth})


def text_start(
    backbone: Backbone, ctx_init: str | None, n_ctx: int, depth: int, seed: int
) -> tuple[Tensor, str]:
    """The start (depth, n_ctx, d) of a deep text context, and how its first layer is made again."""
    first, init = resolve_init(backbone, ctx_init, n_ctx, seed)
    if depth == 1:
        return first[None], init
    deeper = deep_start("text", seed, (depth - 1, n_ctx, backbone.text.dim))
    return torch.cat([first[None], deeper.to(first.device)]), init


def image_start(backbone: Backbone, n_ctx: int, depth: int, seed: int) -> Tensor:
    """The start (depth, n_ctx, d_v) of an image context. Raises BackboneError for a tower without tokens."""
    n_ctx = check_number("n_ctx", n_ctx)
    images = backbone.images
    return deep_start("image", seed, (depth, n_ctx, images.dim)).to(images.device)


def resolve_between(between: str | None, ctx_init: str | None, n_ctx: int) -> str:
    """Words between context and name: those of "a photo of a" that the context does not replace.

    So does the official code: with two vectors, "of a" stays before the name, frozen.
    """
    if between is None:
        return " ".join(DEFAULT_WORDS.split()[n_ctx:]) if ctx_init is None else ""
    return check_between(between)
