"""Decoupled answers: taught names are answered as learned, names never taught nearer to zero-shot.

What is learned from a few classes helps these and harms others: a prompt forgets names it never saw. So a
name c that was not taught gets the class feature

    w_c = norm((1 - b) l_c + b z_c),

l_c learned, z_c zero-shot, both normalised; b is 0 as learned, 1 as zero-shot, between them a blend. Asked
together, taught and new names must compete fairly, but the logits of taught ones have the level and the
spread that training gave them. So which *kind* of name an image shows is decided by the mean of both ways,
g_c = norm(l_c + w_c), for all names alike; and which name of its kind, by that kind's own way:

    p(c | x) = p_g(taught | x) p_l(c | taught, x)    for a taught name,
    p(c | x) = p_g(new | x) p_w(c | new, x)          for a new one,

with p_g(taught | x) the share of the taught names in the softmax over all asked names of logits with g, and
p_l, p_w the softmax over the names of one kind. For taught names alone this is the learned prompt, for new
ones alone w, for b = 0 the learned prompt throughout. The rule is ours; it and b were chosen on validation
classes (docs/explanation/new-names.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.method import IMAGES, NOTHING, Method, MethodInfo

LEARNED, BLEND, ZERO_SHOT = "learned", "blend", "zero-shot"
RULES = (LEARNED, BLEND, ZERO_SHOT)
ADAPTERS = ("clip_adapter", "tip_adapter", "tip_adapter_f", "gda", "lp_pp", "prolip")
PROBES = ("zs_lp", "clap")
BLEND_WEIGHT = 0.7
"""The share of zero-shot features in a blend where it is not said: chosen on validation classes."""


def check_rule(rule: str) -> str:
    """The rule as it is stored: ``learned``, ``zero-shot`` or ``blend:0.7``. Raises OptionError."""
    weight = weight_of(rule)
    if weight == 0.0:
        return LEARNED
    return ZERO_SHOT if weight == 1.0 else f"{BLEND}:{weight:g}"


def weight_of(rule: str) -> float:
    """b of a rule: 0 as learned, 1 as zero-shot; ``blend:0.3`` says its own. Raises OptionError."""
    fixed = {LEARNED: 0.0, BLEND: BLEND_WEIGHT, ZERO_SHOT: 1.0}
    if isinstance(rule, str):
        if rule in fixed:
            return fixed[rule]
        word, colon, number = rule.partition(":")
        weight = _number(number) if word == BLEND and colon else None
        if weight is not None and 0.0 <= weight <= 1.0:
            return weight
    raise OptionError(
        f"new_names={rule!r} is not allowed; give one of {', '.join(RULES)}, or a blend with the share of "
        f"zero-shot features from 0 to 1, such as {BLEND}:0.5"
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def why_not(info: MethodInfo) -> str:
    """Why a method has no such rule, in a sentence without an end."""
    if info.learns == NOTHING:
        return "it learns nothing, so every name is answered zero-shot"
    if not info.unseen_classes:
        return "it knows only the classes it was trained on"
    if info.reads == IMAGES:
        return (
            "it changes how the image tower reads images, so zero-shot class features would meet images that "
            "they do not fit"
        )
    if info.name == "cocoop":
        return "it has no class features of its own: they depend on the image"
    if info.name in ADAPTERS:
        return "its class features are zero-shot already"
    if info.name in PROBES:
        return "it answers names that were not taught zero-shot already"
    return "its own options do not name it"


@contextmanager
def answering_by(method: Method, rule: str) -> Iterator[None]:
    """``method`` under another rule, for a while.

    Raises OptionError for a method that has none, and where nothing says which names were taught.
    """
    if method.new_names is None:
        raise OptionError(
            f"new_names={rule!r} is not possible with {method.info.name!r}: {why_not(method.info)}"
        )
    if method.taught is None and check_rule(rule) != LEARNED:
        raise OptionError(
            f"new_names={rule!r} is not possible: this prompt was saved without class names, so nothing says "
            f"which names were taught; leave it out, or give {LEARNED!r}"
        )
    own, method.new_names = method.new_names, check_rule(rule)
    try:
        yield
    finally:
        method.new_names = own


def blended(learned: Tensor, zero_shot: Tensor, weight: float) -> Tensor:
    """w (C, D) of normalised features (C, D)."""
    return F.normalize((1.0 - weight) * learned + weight * zero_shot, dim=-1)


@dataclass(frozen=True)
class Decoupled:
    """Answers among names of which some were taught.

    learned, blend: normalised class features (C, D) of all names, l and w above. taught: which of them were
    taught, bool (C,).
    """

    backbone: Backbone
    learned: Tensor
    blend: Tensor
    taught: Tensor

    @property
    def class_features(self) -> Tensor:
        """(C, D): l of taught names, w of the others."""
        return torch.where(self.taught[:, None], self.learned, self.blend)

    def logits(self, image_features: Tensor) -> Tensor:
        """Logits (B, C), whose softmax is p(c | x) above, of normalised image features (B, D)."""
        logits = self.backbone.logits(image_features, self.class_features)
        if not bool(self.taught.any()):
            return logits
        fair = self.backbone.logits(image_features, F.normalize(self.learned + self.blend, dim=-1))
        for kind in (self.taught, ~self.taught):  # the evidence for a kind is that of g
            level = fair[:, kind].logsumexp(1, keepdim=True) - logits[:, kind].logsumexp(1, keepdim=True)
            logits[:, kind] += level
        return logits
