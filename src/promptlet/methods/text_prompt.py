"""What prompts at the text input share: a context in front of each class name, how it starts, and how names
that were never taught are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.backbones.text.class_token import ClassToken
from promptlet.backbones.text.encoder import Placement
from promptlet.errors import OptionError
from promptlet.methods.between import behind, check_between, check_readable
from promptlet.methods.many import over_images
from promptlet.methods.method import Method
from promptlet.methods.new_names import LEARNED, Decoupled, blended, check_rule, weight_of
from promptlet.methods.templates import TEMPLATE, check_template, hand_written
from promptlet.numbers import check_number
from promptlet.prompts import DEFAULT_WORDS, FULL, Context, LowRank, context_from, start_from_seed
from promptlet.session import without_autocast

WORDS = "words"
"""The start at "a photo of a", whatever the length: see `repeated_words`."""
RANDOM, EACH = "random", "each"
"""A random start; and one of its own for each class, which is what a context for each class has: ``each:7``
where the seed is given."""
OF_TEMPLATE = "template"
"""ProGrad's own start, at the words of the hand-written prompt: see `promptlet.methods.text.prograd`."""
SEED, ZEROS = "seed:", "zeros:"
"""A random start from this seed; and words with zeros before them, as ProGrad's code has it."""
LOW_RANK_DROPOUT = 0.0
LOW_RANK_STD = 0.02
LOW_RANK_V_RATE = 10.0
"""Of a low-rank context: our choices, measured on development images (docs/explanation/rlp-defaults.md)."""


class TextPrompt(Method):
    """A method that learns a context at the text input and nothing else.

    ``init`` says how the context starts: ``words:a photo of a``, ``seed:1``, or ``zeros:a photo of a`` with
    zeros before the words. ``new_names``: how names that were not taught are answered (`new_names`);
    ``template``: the hand-written prompt of zero-shot features; ``between``: words before the name.
    """

    new_names: str
    placement: Placement = "input"
    class_token: ClassToken = "end"
    between: str = ""
    samples_classes = True
    reads_template: ClassVar[bool] = False
    """Whether the hand-written prompt matters in training, and not for names that were not taught alone."""

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        context: Context,
        init: str,
        n_ctx: int,
        new_names: str = LEARNED,
        template: str = TEMPLATE,
        between: str | None = None,
    ) -> None:
        self.new_names = check_rule(new_names)
        self.template = check_template(template)
        self.between = check_between(between)
        check_readable(self.between, backbone)
        super().__init__(backbone, class_names)
        self.context = context
        self.init = init
        self.n_ctx = n_ctx

    def extra_repr(self) -> str:
        order = "" if self.class_token == "end" else f", class_token={self.class_token!r}"
        words = f", between={self.between!r}" if self.between else ""
        return f"init={self.init!r}, placement={self.placement!r}{order}{words}"

    def class_features(self) -> Tensor:
        """Normalised features (C, D); in evaluation, of names that were not taught as ``new_names`` says."""
        decoupled = self.decoupled()
        return self.learned_features() if decoupled is None else decoupled.class_features

    def learned_features(self) -> Tensor:
        """Normalised features (C, D) of the learned prompt, whatever was taught."""
        with without_autocast(self.backbone.device):
            context = self.context() if self.training else self.context.merged()
        names = behind(self.between, self.class_names)
        features = self.backbone.text.encode(context, names, self.placement, self.class_token)
        return unit(features)

    def decoupled(self) -> Decoupled | None:
        """How names that were not taught are answered; None where all names are answered as learned."""
        weight = weight_of(self.new_names)
        if self.training or weight == 0.0 or self.taught is None:
            return None
        taught = self.is_taught()
        if all(taught):
            return None
        with torch.no_grad():
            learned = self.learned_features()
            blend = blended(learned, hand_written(self.backbone, self.template, self.class_names), weight)
        return Decoupled(
            self.backbone, learned, blend, torch.tensor(taught, dtype=torch.bool, device=learned.device)
        )

    def is_taught(self) -> list[bool]:
        """Which of the current names were taught: those that the tower reads as a taught one."""
        known = set(self.backbone.text.sequences(self.taught, self.n_ctx)) if self.taught else set()
        return [name in known for name in self.backbone.text.sequences(self.class_names, self.n_ctx)]

    def logits(self, inputs: Tensor) -> Tensor:
        decoupled = self.decoupled()
        return super().logits(inputs) if decoupled is None else decoupled.logits(self.image_features(inputs))

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if type(self).logits is not TextPrompt.logits or self.decoupled() is not None:
            return super().loss(
                inputs, labels
            )  # logits of one's own; and names never taught, not in training
        return self.cross_entropy(self.image_features(inputs), labels, self.class_features())

    def cross_entropy(self, images: Tensor, labels: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """As `loss`, of features of images (B, D) and classes (C, D), both normalised."""
        return over_images(self._cross_entropy, images, labels, len(classes), classes)

    def _cross_entropy(self, images: Tensor, labels: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.backbone.logits(images, classes)
        return self.entropy(logits, labels), logits

    def scorer(self) -> Callable[[Tensor], Tensor]:
        decoupled = self.decoupled()
        if decoupled is None:
            return super().scorer()
        if not bool(decoupled.taught.any()):  # `Decoupled.logits` of new names alone
            return partial(self._against, decoupled.class_features)
        return torch.no_grad()(decoupled.logits)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        words = {"between": self.between} if self.between else {}
        rule = {"new_names": self.new_names, "template": self.template}
        return {**({} if self.new_names == LEARNED else rule), **words}

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
    low_rank: LowRank = FULL,
) -> tuple[Context, str]:
    """The context of a method's options, and how its start is made again."""
    start, init = resolve_init(backbone, ctx_init, n_ctx, seed)
    return context_from(start, low_rank, seed), init


def check_weight(name: str, value: float) -> float:
    """The weight of a term of the loss. Raises OptionError unless it is 0 or more and finite."""
    if not 0.0 <= value < float("inf"):
        raise OptionError(f"{name}={value!r} must be a number, 0 or more, and finite")
    return float(value)


def repeated_words(n_ctx: int) -> str:
    """ "a photo of a" in front of the name and, where there is room, of itself: ``n_ctx`` words of it.

    Fewer than four are its first ones, as in `resolve_init`.
    """
    words = DEFAULT_WORDS.split()
    if n_ctx <= len(words):
        return " ".join(words[: max(n_ctx, 1)])
    return " ".join((words * -(-n_ctx // len(words)))[-n_ctx:])


def resolve_init(backbone: Backbone, ctx_init: str | None, n_ctx: int, seed: int) -> tuple[Tensor, str]:
    """The start (n_ctx, d) of a context and the text that says how to make it again.

    ctx_init: words (as many tokens as n_ctx), ``"words"`` (`repeated_words`), ``"random"``, ``zeros:`` and
    words of up to n_ctx tokens, ``words:...`` or ``seed:...`` as stored in a prompt file, or None: the first
    n_ctx words of "a photo of a", and a random start for longer contexts and where this backbone's tokenizer
    makes more than one token of a word.
    """
    n_ctx = check_number("n_ctx", n_ctx)
    if ctx_init == WORDS:
        ctx_init = repeated_words(n_ctx)
    if ctx_init is None:
        words = " ".join(DEFAULT_WORDS.split()[:n_ctx])
        fits = not is_random(None, n_ctx) and len(backbone.text.tokenizer.words(words)) == n_ctx
        ctx_init = words if fits else RANDOM
    if not isinstance(ctx_init, str):
        raise OptionError(f"ctx_init={ctx_init!r} is not allowed; give words, 'words', 'random', or None")
    if ctx_init == RANDOM and seed < 0:
        raise OptionError(f"seed={seed} is outside 0 and more, as a random start needs it")
    if ctx_init == RANDOM:
        ctx_init = f"{SEED}{seed}"
    device = backbone.text.device
    if ctx_init.startswith(SEED):
        number = ctx_init.removeprefix(SEED)
        if not (number.isascii() and number.isdigit()) or len(number) > 16:
            raise OptionError(
                f"ctx_init={ctx_init!r}: the seed must be a whole number of at most 16 digits, as in seed:1"
            )
        return start_from_seed(n_ctx, backbone.text.dim, int(number)).to(device), f"{SEED}{int(number)}"
    if ctx_init.startswith(ZEROS):
        return behind_zeros(backbone, ctx_init.removeprefix(ZEROS), n_ctx)
    text = ctx_init.removeprefix("words:")
    start = backbone.text.embed_words(text)
    if start.shape[0] != n_ctx:
        raise OptionError(
            f"ctx_init={text!r} has {start.shape[0]} tokens for this backbone, but n_ctx={n_ctx}; set "
            f"n_ctx={start.shape[0]}, or give other words, or ctx_init='random'"
        )
    return start, f"words:{text}"


def is_random(ctx_init: str | None, n_ctx: int) -> bool:
    """Whether a start is drawn from the seed: where that is said, and where the usual words are too few."""
    if ctx_init is None:
        return bool(check_number("n_ctx", n_ctx) > len(DEFAULT_WORDS.split()))
    return ctx_init in (RANDOM, EACH)


def start_as_run(options: Mapping[str, Any]) -> Any:
    """``ctx_init`` of a method's options: `EACH`, or ``each:N`` for a seed, where contexts by class start at
    random, which is said since before version 0.2.0 all classes shared one start."""
    given = options.get("ctx_init")
    if not options.get("per_class"):
        return given
    if isinstance(given, str) and given.startswith(SEED):
        return f"{EACH}:{given.removeprefix(SEED)}"
    return EACH if is_random(given, options.get("n_ctx", 0)) else given


def shared_start(ctx_init: str | None, per_class: bool) -> str | None:
    """What `resolve_init` takes for a start of each class's own. Raises OptionError without ``per_class``."""
    word, _, number = ctx_init.partition(":") if isinstance(ctx_init, str) else ("", "", "")
    if word != EACH:
        return ctx_init
    start = f"{SEED}{number}" if number else RANDOM
    if not per_class:
        raise OptionError(
            f"ctx_init={ctx_init!r}, a random start for each class, needs per_class=True; give that, or "
            f"{start!r}"
        )
    return start


def behind_zeros(backbone: Backbone, text: str, n_ctx: int) -> tuple[Tensor, str]:
    """`resolve_init` of words with so many vectors of zeros before them that there are ``n_ctx`` in all."""
    words = backbone.text.embed_words(text)
    zeros = n_ctx - len(words)
    if zeros < 0:
        raise OptionError(
            f"ctx_init={ZEROS + text!r} has {len(words)} tokens for this backbone, which is more than "
            f"n_ctx={n_ctx}; set n_ctx to {len(words)} or more, or give fewer words"
        )
    if not zeros:
        return words, f"words:{text}"
    return torch.cat([words.new_zeros(zeros, words.shape[1]), words]), f"{ZEROS}{text}"


def class_starts(start: Tensor, init: str, classes: int) -> Tensor:
    """The starts (C, n_ctx, d) of a context for each class: a draw of its own where the start is random."""
    if not init.startswith(SEED):
        return start.expand(classes, *start.shape)
    n_ctx, dim = start.shape
    return start_from_seed(n_ctx, dim, int(init.removeprefix(SEED)), classes).to(start.device)
