"""What every method is: something that turns image features into logits over class names, and may learn."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from inspect import Parameter
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.inputs import TrainingData
from promptlet.methods.official import Rows, plain_tables
from promptlet.prompts import Context
from promptlet.session import own_arithmetic

FEATURES, IMAGES = "features", "images"
NOTHING, AT_ONCE, BY_STEPS = "nothing", "at once", "by steps"

OF_CONSTRUCTOR: Mapping[str, Any] = MappingProxyType({"*": "those of the constructor"})
"""Stands for the options of a method until its class is there; "*" is the name of no option."""


@dataclass(frozen=True)
class MethodInfo:
    """Facts about a method, for `promptlet methods`, for results and for the report.

    reads: "features" of images, which are encoded once, or "images" where it changes the image tower.
    learns: "nothing", "at once" (from all images, without a schedule) or "by steps".
    uses_val: whether it tunes something on validation images, where there are any. own_template: whether its
    hand-written prompt is the same for every data set, as in its official code, unless another is given.
    templates: the hand-written prompts of its official code by data set, where they are not CoOp's.
    by_class: whether what it stores belongs to its class names, in their order. in_text_tower: whether it
    learns inside the text tower, so that ready vectors of class names will not do.
    fast: what it changes in the ``fast`` schedule; fast_whole: and further where every step of that has the
    same loss (`promptlet.training.schedules.is_the_same_loss`). official: the public
    settings of its own code, a row by protocol; none where nothing is public.
    options: with their defaults; where they are not given, those of the constructor, after backbone and class
    names.
    """

    name: str
    title: str
    summary: str
    paper: str
    trains: str
    unseen_classes: bool
    options: Mapping[str, Any] = field(default_factory=lambda: OF_CONSTRUCTOR)
    reads: str = FEATURES
    learns: str = BY_STEPS
    uses_val: bool = False
    own_template: bool = False
    templates: Mapping[str, str] = field(default_factory=dict)
    by_class: bool = False
    in_text_tower: bool = False
    fast: Mapping[str, Any] = field(default_factory=dict)
    fast_whole: Mapping[str, Any] = field(default_factory=dict)
    official: Rows = field(default_factory=dict)
    bibtex: str = ""
    notes: str = ""

    def __getstate__(self) -> dict[str, Any]:
        """For pickle, which knows no read-only tables: a worker's are plain ones."""
        return plain_tables(self)


class Method(nn.Module, ABC):
    """A named combination of parametrisation, placement and objective over one frozen backbone.

    Its inputs are normalised image features (B, D), or pixel values (B, 3, H, W) where ``info.reads`` is
    "images". Subclasses are final. The hooks of training (`begin_training` ... `end_training`) are there to
    be overridden by objectives that need them; here they do nothing.
    """

    info: ClassVar[MethodInfo]
    reads_names: ClassVar[bool] = True
    """Whether its answers hang on what the backbone reads of the class names."""
    samples_classes: bool = False
    """Whether a step of its training may be over some of the classes alone (`among`)."""
    stands_for: float = 1.0
    """Of how many classes each other class of a step is one; more than 1 inside `among`."""
    options: Mapping[str, Any] = MappingProxyType({})
    """All its options, where `build_method` has built it."""
    taught: tuple[str, ...] | None = None
    """The class names it was trained on; None where it was not, or they are not known."""
    started_from: str | None = None
    """Identity of the numbers that its training begins with, where another prompt learned them."""
    asks_host: ClassVar[str] = ""
    """What in a training step needs the host to look at numbers of the device, so that the step cannot be
    captured; "" for nothing."""
    new_names: str | None = None
    """How others are answered (`promptlet.methods.new_names`); None where there is no choice."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):  # parameters that are made in inference mode cannot be trained
            cls.__init__ = _in_own_arithmetic(cls.__init__)  # type: ignore[method-assign]
        if "info" in vars(cls):
            cls.take_options()

    @classmethod
    def take_options(cls) -> None:
        """Fill in the options of ``info`` from the constructor, where they were not given."""
        info = cls.info
        if isinstance(info, MethodInfo) and info.options == OF_CONSTRUCTOR:
            known = {one.name: one.default for one in constructor_options(cls)}
            given = {name: default for name, default in known.items() if default is not Parameter.empty}
            cls.info = replace(info, options=frozen(**given))

    def __init__(self, backbone: Backbone, class_names: Sequence[str]) -> None:
        super().__init__()
        object.__setattr__(self, "backbone", backbone)  # not a submodule: its weights are not ours
        self.class_names: tuple[str, ...] = ()
        self.set_classes(class_names)

    backbone: Backbone

    def set_classes(self, class_names: Sequence[str]) -> None:
        """Answer over these class names from now on, seen in training or not.

        Raises DataError where the backbone reads two of them alike, or nothing of one.
        """
        if self.reads_names:
            self.backbone.check_names(class_names)
        self.class_names = tuple(class_names)

    @abstractmethod
    def class_features(self) -> Tensor:
        """Normalised features of the current classes (C, D), differentiable in what is learned.

        Raises OptionError where the method has none, because they depend on the image.
        """

    def image_features(self, inputs: Tensor) -> Tensor:
        """Normalised features (B, D) of a batch of inputs; differentiable where the image side learns."""
        return inputs

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits (B, C) of a batch of inputs."""
        return self.backbone.logits(self.image_features(inputs), self.class_features())

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The training loss (a scalar) and the logits (B, C); labels (B,) index `class_names`.

        Methods that train on very many images and classes at once give the best class of each image (B,) in
        the place of logits that would not fit (`promptlet.methods.many`).
        """
        logits = self.logits(inputs)
        return self.entropy(logits, labels), logits

    def entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy (a scalar) of logits (B, C) and labels (B,).

        Inside `among` each class but an image's own stands for those that were left out, too: the sum over
        all of them is estimated without bias, as sampled softmax does with evenly drawn classes.
        """
        if self.stands_for == 1.0:
            return F.cross_entropy(logits, labels)
        own = labels[:, None]
        raised = (logits + math.log(self.stands_for)).scatter(1, own, logits.gather(1, own))
        return F.cross_entropy(raised, labels)

    @contextmanager
    def among(self, places: Sequence[int]) -> Iterator[None]:
        """Over some of its class names alone, by their places, for one step of training."""
        names = self.class_names
        self.class_names = tuple(names[place] for place in places)
        self.stands_for = (len(names) - 1) / max(1, len(places) - 1)
        try:
            yield
        finally:
            self.class_names, self.stands_for = names, 1.0

    def scorer(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs to logits (B, C) over the classes of now, whatever is set later.

        What does not depend on the images is computed here, once. No gradient.
        """
        with torch.no_grad():
            classes = self.class_features()
        return partial(self._against, classes)

    @torch.no_grad()
    def _against(self, classes: Tensor, inputs: Tensor) -> Tensor:
        return self.backbone.logits(self.image_features(inputs), classes)

    def trainables(self) -> dict[str, nn.Parameter]:
        """The parameters that training changes, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def rates(self) -> dict[str, float]:
        """What the learning rate of a trainable is multiplied with, by its name; 1 for those not named."""
        return {
            f"{place}.{name}": rate
            for place, module in self.named_modules()
            if isinstance(module, Context)
            for name, rate in module.rates().items()
        }

    def trainable_count(self) -> int:
        """How many numbers are learned."""
        return sum(p.numel() for p in self.trainables().values())

    def state(self) -> dict[str, np.ndarray]:
        """What a prompt file stores: the learned tensors alone, float32."""
        return {}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take what `state` gave. Raises OptionError for tensors that this method does not have."""
        if tensors:
            raise OptionError(
                f"{self.info.name} learns nothing, but learned tensors are given: {list(tensors)}"
            )

    def stored_options(self) -> dict[str, str | int | float | bool]:
        """Options without which a prompt file could not be answered from, beside rank, n_ctx and start."""
        return {}

    def stored_precision(self) -> str:
        """The precision of its prompt file where none is asked for."""
        return "fp32"

    def notes(self) -> tuple[str, ...]:
        """What must be known of its numbers beside its options: kept in records, told by commands."""
        return self.backbone.notes((), self.class_names)

    def training_state(self) -> dict[str, Tensor]:
        """What training gathers beside the trainables, to be kept in a checkpoint; restored in place."""
        return {}

    def begin_training(self, data: TrainingData) -> None:
        """Called once, before the optimiser is made."""

    def begin_epoch(self, epoch: int) -> None:
        """Called before each epoch, counted from 0."""

    def stage(self, epoch: int, epochs: int) -> tuple[int, int]:
        """The place of an epoch in its stage of the training, and how many epochs the stage has: the learning
        rate of each stage begins anew. Most methods have a single one."""
        return epoch, epochs

    def begin_step(self, step: int) -> None:
        """Called before each training step."""

    def after_backward(self) -> None:
        """Called between backward and the optimiser's step."""

    def after_epoch(self, epoch: int) -> None:
        """Called after each epoch, counted from 0."""

    def end_training(self, data: TrainingData) -> None:
        """Called once, in evaluation mode, after the last epoch."""


def class_matrix(score: Callable[[Tensor], Tensor], own_features: bool = False) -> Tensor | None:
    """The class features (C, D) of a `Method.scorer` that gives `Backbone.logits` of its inputs and these;
    None of one that does anything else. own_features: also of one that takes `Method.image_features` of its
    own in the place of its inputs."""
    func = score.func if isinstance(score, partial) else None
    method = getattr(func, "__self__", None)
    is_plain = (
        isinstance(method, Method)
        and getattr(func, "__func__", None) is Method._against
        and (own_features or type(method).image_features is Method.image_features)
    )
    return score.args[0] if isinstance(score, partial) and is_plain else None


def _in_own_arithmetic(build: Callable[..., None]) -> Callable[..., None]:
    """A constructor inside `own_arithmetic`: as a function that Ray can send with its class to workers, which
    `contextlib`'s own decorator is not."""

    @wraps(build)
    def inside(*args: Any, **kwargs: Any) -> None:
        with own_arithmetic():
            build(*args, **kwargs)

    return inside


def frozen(**options: Any) -> Mapping[str, Any]:
    """A read-only table of options and their defaults."""
    return MappingProxyType(options)


BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def constructor_options(method: type[Method]) -> list[Parameter]:
    """What its constructor takes after itself, the backbone and the class names."""
    taken = inspect.signature(method.__init__).parameters.values()
    by_place = [one for one in taken if one.kind in BY_PLACE]
    return [*by_place[3:], *(one for one in taken if one.kind is Parameter.KEYWORD_ONLY)]
