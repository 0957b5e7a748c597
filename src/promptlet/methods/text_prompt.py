"""What prompts at the text input share: a context in front of each class name, and how it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.backbones.text_class_token import ClassToken
from promptlet.backbones.text_encoder import Placement
from promptlet.errors import OptionError
from promptlet.methods.method import Method
from promptlet.prompts import DEFAULT_WORDS, Context, FullContext, LowRankContext, start_from_seed

LOW_RANK_DROPOUT = 0.3
LOW_RANK_STD = 0.02
"""Of a low-rank context: our choices, measured on development images (docs/rlp-defaults.md)."""


class TextPrompt(Method):
    """A method that learns a context at the text input and nothing else.

    ``init`` says how the context starts: ``words:a photo of a`` or ``seed:1``.
    """

    placement: Placement = "input"
    class_token: ClassToken = "end"

    def __init__(
        self, backbone: Backbone, class_names: Sequence[str], context: Context, init: str, n_ctx: int
    ) -> None:
        super().__init__(backbone, class_names)
        self.context = context
        self.init = init
        self.n_ctx = n_ctx

    def extra_repr(self) -> str:
        order = "" if self.class_token == "end" else f", class_token={self.class_token!r}"
        return f"init={self.init!r}, placement={self.placement!r}{order}"

    def class_features(self) -> Tensor:
        context = self.context() if self.training else self.context.merged()
        features = self.backbone.text.encode(context, self.class_names, self.placement, self.class_token)
        return F.normalize(features.float(), dim=-1)

    def state(self) -> dict[str, np.ndarray]:
        return {name: t.detach().cpu().float().numpy().copy() for name, t in self.context.tensors().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.context.load(dict(tensors))

    def begin_step(self, step: int) -> None:
        self.context.begin_step(step)


def make_context(
    backbone: Backbone,
    ctx_init: str | None,
    n_ctx: int,
    seed: int,
    rank: int | None,
    dropout: float = LOW_RANK_DROPOUT,
    init_std: float = LOW_RANK_STD,
) -> tuple[Context, str]:
    """A full context, or a low-rank one where ``rank`` is given, and how its start is made again."""
    start, init = resolve_init(backbone, ctx_init, n_ctx, seed)
    if rank is None:
        return FullContext(start), init
    if not isinstance(rank, int) or isinstance(rank, bool):
        raise OptionError(f"rank={rank!r} is not allowed; give a whole number, or None for a full context")
    return LowRankContext(start, rank, dropout, init_std, seed), init


def check_weight(name: str, value: float) -> float:
    """The weight of a term of the loss. Raises OptionError unless it is 0 or more and finite."""
    if not 0.0 <= value < float("inf"):
        raise OptionError(f"{name}={value!r} must be a number, 0 or more, and finite")
    return float(value)


def resolve_init(backbone: Backbone, ctx_init: str | None, n_ctx: int, seed: int) -> tuple[Tensor, str]:
    """The start (n_ctx, d) of a context and the text that says how to make it again.

    ctx_init: words (as many tokens as n_ctx), ``"random"``, ``words:...`` or ``seed:...`` as stored in a
    prompt file, or None: the first n_ctx words of "a photo of a", and a random start for longer contexts.
    """
    if n_ctx < 1:
        raise OptionError(f"n_ctx={n_ctx} is outside 1 and more")
    words = DEFAULT_WORDS.split()
    if ctx_init is None:
        ctx_init = " ".join(words[:n_ctx]) if n_ctx <= len(words) else "random"
    if not isinstance(ctx_init, str):
        raise OptionError(f"ctx_init={ctx_init!r} is not allowed; give words, 'random', or None")
    if ctx_init == "random" and seed < 0:
        raise OptionError(f"seed={seed} is outside 0 and more, as a random start needs it")
    if ctx_init == "random":
        ctx_init = f"seed:{seed}"
    device = backbone.text.device
    if ctx_init.startswith("seed:"):
        number = ctx_init.removeprefix("seed:")
        if not (number.isascii() and number.isdigit()) or len(number) > 16:
            raise OptionError(
                f"ctx_init={ctx_init!r}: the seed must be a whole number of at most 16 digits, as in seed:1"
            )
        return start_from_seed(n_ctx, backbone.text.dim, int(number)).to(device), f"seed:{int(number)}"
    text = ctx_init.removeprefix("words:")
    start = backbone.text.embed_words(text)
    if start.shape[0] != n_ctx:
        raise OptionError(
            f"ctx_init={text!r} has {start.shape[0]} tokens for this backbone, but n_ctx={n_ctx}; set "
            f"n_ctx={start.shape[0]}, or give other words, or ctx_init='random'"
        )
    return start, f"words:{text}"
