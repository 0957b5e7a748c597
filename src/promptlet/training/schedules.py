"""How long, how fast, in what batches: the schedule of the CoOp family, each method's own form of it, and a
fast one of ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from torch import nn

from promptlet.errors import OptionError, check_option
from promptlet.methods import MethodInfo
from promptlet.methods.method import BY_STEPS
from promptlet.methods.official import OWN_IMAGES, PROTOCOLS, TRAINED_AS, Chosen, Where, choose_row
from promptlet.numbers import check_number
from promptlet.training.optimizers import SGD, AdamW, Optimizer
from promptlet.training.quasi_newton import REMEMBERED, BoundedLBFGS
from promptlet.views import Views, count_of

WARMUP_LR = 1e-5
OPTIMIZERS = ("sgd", "adamw", "lbfgs")
NUMBERS = ("epochs", "lr", "batch_size", "momentum", "weight_decay", "warmup_lr", "sampled_classes")
NO_RATES: Mapping[str, float] = MappingProxyType({})
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
OWN = Where()
"""A person's own images."""


@dataclass(frozen=True)
class Schedule:
    """An optimiser, its learning rate over the epochs, and how images are put into batches.

    optimizer: "sgd" (with momentum), "adamw", or "lbfgs" (`BoundedLBFGS`, of which ``lr`` is the longest
    step): for a loss that is the same function in every step. warmup_lr: the constant rate of a first epoch,
    or None.

    batch_size None means all images in each step. With ``drop_last``, an incomplete last batch is left out
    when there are more images than one batch holds. sampled_classes: each step is over so many classes
    (`promptlet.training.sampled`); None: over all.
    """

    name: str
    lr: float
    epochs: int
    batch_size: int | None
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    drop_last: bool = True
    warmup_lr: float | None = WARMUP_LR
    sampled_classes: int | None = field(default=None, repr=False)

    def facts(self) -> dict[str, Any]:
        """All of it as plain values, for records; classes only where they are sampled."""
        found = asdict(self)
        return found if self.sampled_classes is not None else _without(found, "sampled_classes")

    def learning_rate(self, epoch: int) -> float:
        """Learning rate of ``epoch``, counted from 0.

        As Dassl really does it (WARMUP_RECOUNT=True): the warm-up epoch at a constant 1e-5, after which the
        cosine starts from its own step 0, so that the last epoch is not at zero. L-BFGS finds the length of
        its steps itself: its bound stays for the first half, and then falls in a line.
        """
        if self.warmup_lr is not None:
            if epoch == 0:
                return self.warmup_lr
            epoch -= 1
        if self.optimizer == "lbfgs":
            return self.lr * min(1.0, 2.0 * (1.0 - epoch / self.epochs))
        return self.lr / 2 * (1 + math.cos(math.pi * epoch / self.epochs))

    def takes_all(self, images: int) -> bool:
        """Whether a step is over all of so many images."""
        return self.batch_size is None or images <= self.batch_size

    def steps_per_epoch(self, images: int) -> int:
        """Optimiser steps in one epoch of ``images`` images."""
        if self.batch_size is None or self.takes_all(images):
            return 1
        return images // self.batch_size if self.drop_last else -(-images // self.batch_size)

    def make_optimizer(
        self, parameters: Mapping[str, nn.Parameter], rates: Mapping[str, float] = NO_RATES
    ) -> Optimizer:
        """A fresh optimiser; each parameter is a group of its own, with its ``rate`` beside its ``lr``."""
        groups = [
            {"params": [parameter], "lr": self.lr * rates.get(name, 1.0), "rate": rates.get(name, 1.0)}
            for name, parameter in parameters.items()
        ]
        if self.optimizer == "adamw":
            return AdamW(groups, lr=self.lr, weight_decay=self.weight_decay)
        if self.optimizer == "lbfgs":
            return BoundedLBFGS(groups, lr=self.lr, weight_decay=self.weight_decay)
        return SGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    @property
    def copies(self) -> int:
        """How many numbers the optimiser remembers for each that is learned."""
        return {"sgd": 1, "adamw": 2, "lbfgs": REMEMBERED}[self.optimizer]


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "coop": Schedule("coop", lr=0.002, epochs=50, batch_size=32),
        "fast": Schedule("fast", lr=0.01, epochs=120, batch_size=None, warmup_lr=None, optimizer="adamw"),
    }
)


FAST = "fast"
ADAMW = "adamw"
"""``fast`` without `MethodInfo.fast_whole`, under its own name: records from before that keep their keys."""
OFFICIAL = "official"
"""The ``coop`` schedule with what the method's official code changes in it (`MethodInfo.official`): that of
the protocol, or of the one that is named, as in "official:few-shot"."""
SCHEDULE_NAMES = (*SCHEDULES, ADAMW, OFFICIAL)


def resolve_schedule(schedule: str | Schedule, **changes: Any) -> Schedule:
    """A schedule by name with some fields changed; changes that are None are ignored."""
    if isinstance(schedule, str):
        schedule = SCHEDULES[check_option("schedule", schedule, SCHEDULES)]
    if not isinstance(schedule, Schedule):
        raise OptionError(f"schedule={schedule!r} is not allowed; give a name or a Schedule")
    chosen = replace(schedule, **{key: value for key, value in changes.items() if value is not None})
    check_option("optimizer", chosen.optimizer, OPTIMIZERS)
    for name in NUMBERS:
        check_number(name, getattr(chosen, name))
    return chosen


def method_schedule(
    info: MethodInfo,
    schedule: str | Schedule,
    *,
    options: Mapping[str, Any] = NO_OPTIONS,
    views: Views = 1,
    where: Where = OWN,
    **changes: Any,
) -> Schedule:
    """`resolve_schedule` with what the method itself changes in a schedule by name.

    ``options`` of the method and ``views`` decide which form of ``fast`` it is: see `is_the_same_loss`;
    ``where`` decides about "official". Raises OptionError for that where `official_of` does.
    """
    if isinstance(schedule, str):
        check_schedule_name(schedule)
        if is_official(schedule):
            chosen = official_of(info, schedule, where)
            own = chosen.changes.schedule if chosen else {}
            schedule = replace(SCHEDULES["coop"], name=_official_name(chosen, where), **own)
        elif schedule in (FAST, ADAMW):
            is_whole = schedule == FAST and is_the_same_loss(options, views, changes)
            schedule = replace(SCHEDULES[FAST], **{**info.fast, **(info.fast_whole if is_whole else {})})
    return resolve_schedule(schedule, **changes)


def is_the_same_loss(options: Mapping[str, Any], views: Views, changes: Mapping[str, Any]) -> bool:
    """Whether every step of ``fast`` has one loss, of not too many numbers to remember many gradients of: of
    all images, as they are, over all classes, without dropout. `MethodInfo.fast_whole` is for such."""
    varied = (changes.get("batch_size"), changes.get("sampled_classes"), options.get("dropout"))
    return count_of(views) == 1 and not any(varied) and not options.get("per_class")


def check_schedule_name(name: str) -> str:
    """The name of a schedule, or OptionError with the names there are."""
    kind, colon, protocol = name.partition(":")
    check_option("schedule", kind if protocol and kind == OFFICIAL else name, SCHEDULE_NAMES)
    if colon:
        check_option("protocol", protocol, PROTOCOLS)
    return name


def official_of(info: MethodInfo, schedule: str | Schedule, where: Where) -> Chosen | None:
    """The official settings that a schedule by its name asks for; None for other schedules, and for a method
    that takes no steps and has none.

    Raises OptionError where the settings are not public, or not for this protocol.
    """
    if not is_official(schedule):
        return None
    chosen = named_row(info, check_schedule_name(str(schedule)), where)
    if chosen is not None or info.learns != BY_STEPS:
        return chosen
    others = f"use one of {', '.join((*SCHEDULES, ADAMW))}"
    if not info.official:
        raise OptionError(
            f"method {info.name!r} has no official schedule here: its settings are not public, or are no "
            f"number of epochs (see: promptlet methods {info.name}); {others}"
        )
    protocol = str(schedule).partition(":")[2] or where.protocol
    raise OptionError(
        f"method {info.name!r} has no official settings for {protocol}: none are public. It has them for "
        f"{', '.join(info.official)} (see: promptlet methods {info.name}); {others}, or "
        f"{OFFICIAL}:{next(iter(info.official))}"
    )


def is_official(schedule: str | Schedule) -> bool:
    """Whether it is "official", with a protocol or without."""
    return isinstance(schedule, str) and schedule.partition(":")[0] == OFFICIAL


def named_row(info: MethodInfo, name: str, where: Where) -> Chosen | None:
    """The row that the name of an official schedule stands for there, if there is such."""
    return choose_row(info.official, replace(where, protocol=name.partition(":")[2] or where.protocol))


def _official_name(chosen: Chosen | None, where: Where) -> str:
    """With the protocol, where that which is trained by does not tell whose settings they are."""
    if chosen is None:
        return OFFICIAL
    is_told = chosen.protocol in TRAINED_AS.get(where.protocol, (where.protocol,))
    return OFFICIAL if is_told and where.protocol != OWN_IMAGES else f"{OFFICIAL}:{chosen.protocol}"
