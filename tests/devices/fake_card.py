"""A CUDA device without one: tensors with shape, dtype and device but no numbers, and a book of what the host
waits for.

`FakeTensorMode` refuses operators whose operands lie on different devices, and what it cannot know without
numbers. It lets pass what a card would do with a wait: copies between host and device, a tensor on the host
as an index, a number of the host among numbers of the device. These are written into a `Ledger`. What waits
inside of one operator, such as the decompositions of linear algebra, it cannot see: a card must (`-m cuda`).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from promptlet.backbones import Backbone
from promptlet.backbones.image.engine import ImageEngine
from promptlet.backbones.text.engine import TextEngine

CARD = torch.device("cuda", 0)
READ, SHAPE, TO_HOST, TO_CARD, INDEX, MIXED = (
    "a number is read",
    "a shape depends on numbers",
    "copied to the host",
    "copied to the card with a wait",
    "indexed from the host",
    "host among device",
)
SHAPES = ("nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount", "equal")
NUMPY = {torch.float32: np.float32, torch.int64: np.int64, torch.bool: np.bool_}
MASKED = ("index", "index_put", "index_put_")
COPIES = ("_to_copy", "copy_", "copy")


def _has_mask(indices: list[Tensor]) -> bool:
    return any(index.dtype == torch.bool for index in indices)


def _one(tensor: Tensor) -> bool | float | int:
    if tensor.dtype == torch.bool:
        return True
    return 1.0 if tensor.is_floating_point() else 1


ANSWERS: dict[str, Any] = {
    "_local_scalar_dense": _one,
    "bincount": lambda labels, _weights, least: torch.empty(least, dtype=torch.int64, device=labels.device),
}
"""What a lenient ledger says where there are no numbers to ask."""


class Ledger(TorchDispatchMode):
    """Counts what makes the host wait for the card, by kind and operator.

    lenient: numbers that are read are 1, so that a loop which reads them goes on and is counted. backward:
    torch's own code is told that tensors are on no card, since its autograd would look for the streams of
    one; but neither does its autocast then cast (the engines cast by themselves).
    """

    def __init__(self, lenient: bool = False, backward: bool = False) -> None:
        super().__init__()
        self.lenient, self.backward = lenient, backward
        self.waits: Counter[str] = Counter()
        self.copies_without_wait = 0
        self.kernels: set[str] = set()
        self.dtypes: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name == "device" and self.backward:  # asked by torch's own code alone
            return torch.device("meta")
        if self.backward and kwargs.get("device") == torch.device(
            "meta"
        ):  # made by torch's own code, after it had asked
            kwargs = {**kwargs, "device": CARD}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self._note(name, args, kwargs, tensors)
        if any(tensor.device.type == "cuda" for tensor in tensors):
            self.kernels.add(str(func).removeprefix("aten."))
        if self.lenient and name in ANSWERS and isinstance(tensors[0], FakeTensor):
            return ANSWERS[name](*args)
        return func(*args, **kwargs)

    def _note(self, name: str, args: Any, kwargs: Any, tensors: list[Tensor]) -> None:
        on_card = [tensor for tensor in tensors if tensor.device.type == "cuda"]
        if on_card:
            self.dtypes.setdefault(name, set()).update(
                tensor.dtype for tensor in on_card if tensor.is_floating_point()
            )
        if name in COPIES:
            self._copy(name, args, kwargs)
        elif on_card and name == "_local_scalar_dense":
            self.waits[READ] += 1
        elif on_card and (name in SHAPES or (name in MASKED and _has_mask(tensors[1:]))):
            self.waits[SHAPE] += 1
        elif on_card and len(on_card) < len(tensors):
            self.waits[INDEX if name.startswith("index") else MIXED] += 1

    def _copy(self, name: str, args: Any, kwargs: Any) -> None:
        if name == "_to_copy":
            source, target = args[0].device, torch.device(kwargs.get("device") or args[0].device)
            waits = not kwargs.get("non_blocking", False)
        else:
            source, target = args[1].device, args[0].device
            waits = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
        if source.type == target.type:
            return
        if target.type == "cpu":
            self.waits[TO_HOST] += 1
        elif waits:
            self.waits[TO_CARD] += 1
        else:
            self.copies_without_wait += 1


@contextmanager
def no_numbers() -> Iterator[FakeTensorMode]:
    """Inside, tensors have no numbers, and autocast on CUDA is as if there were a card."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
        patch.setattr(Tensor, "pin_memory", lambda self, *_: self)
        patch.setattr(FakeTensor, "numpy", lambda self: np.ones(tuple(self.shape), NUMPY[self.dtype]), False)
        generator = torch.Generator
        patch.setattr(torch, "Generator", lambda *_: generator())
        patch.setattr(nn.Module, "_apply", _applied)
        patch.setattr("promptlet.backbones.libraries.changed.towers.why_not_plain", lambda _roots: "")
        stack.enter_context(warnings.catch_warnings())
        yield stack.enter_context(FakeTensorMode())


def _applied(module: Any, function: Any, recurse: bool = True) -> Any:
    """`nn.Module._apply` for tensors without numbers, which cannot be changed in place."""
    for child in module.children():
        _applied(child, function)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            module._parameters[name] = nn.Parameter(function(parameter.detach()), parameter.requires_grad)
    module._buffers = {name: None if one is None else function(one) for name, one in module._buffers.items()}
    return module


def put_on_card(backbone: Any, mode: FakeTensorMode, by_library: bool = False) -> Backbone:
    """``backbone`` as `load_backbone` would leave it there, its weights without numbers. It is of no more use
    elsewhere, so it must be one of its own. by_library: the framework's own model, and not ours of it."""
    with unset_fake_temporarily():
        backbone.check()
        _ = backbone.feature_dim, backbone.fingerprint
        model = backbone.model if by_library else backbone._model
    made: dict[int, Tensor] = {}
    for module in model.modules():
        for own in (module._parameters, module._buffers):
            for name, tensor in own.items():
                if tensor is not None:
                    own[name] = made.setdefault(id(tensor), _fake(tensor, mode))
    text, images = backbone.text, backbone.images
    text.token_embedding = made[id(text.token_embedding)]
    assert text.engine is not None and images.engine is not None
    text.engine = _planning_on_the_host(
        text.engine, TextEngine(_with(text.engine.tower, made), text.engine.start_id), mode
    )
    images.engine = ImageEngine(_with(images.engine.tower, made))
    text.compute_in(text.products)
    images.engine.products = images.products
    images.device = CARD
    for encoder in (text, images):
        encoder.watch._seen = ()  # weights without numbers have no address
    found: Backbone = backbone
    return found


def _planning_on_the_host(own: TextEngine, there: TextEngine, mode: FakeTensorMode) -> TextEngine:
    """``there``, whose plans are made with numbers, by ``own``, and lose them on the way."""

    def plan(*key: Any) -> Any:
        with unset_fake_temporarily():
            made = own._make_plan(*key)
        return _with(made, _Faked(mode))

    there._plan = lru_cache(plan)  # type: ignore[assignment]
    return there


class _Faked(dict[int, Tensor]):
    """A tensor without numbers for each that is asked for."""

    def __init__(self, mode: FakeTensorMode) -> None:
        super().__init__()
        self.mode = mode


def _with(part: Any, made: dict[int, Tensor]) -> Any:
    """Plain data with other tensors in it."""
    if isinstance(part, Tensor):
        return _fake(part, made.mode) if isinstance(made, _Faked) else made[id(part)]
    if isinstance(part, tuple):
        return tuple(_with(one, made) for one in part)
    if is_dataclass(part) and not isinstance(part, type):
        own = {field.name: _with(getattr(part, field.name), made) for field in fields(part) if field.init}
        return replace(part, **own)
    return part


def _fake(tensor: Tensor, mode: FakeTensorMode) -> Tensor:
    with mode:
        fake = torch.empty(tensor.shape, dtype=tensor.dtype, device=CARD)
        return nn.Parameter(fake, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else fake
