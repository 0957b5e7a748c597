"""Models built as in an ordinary session: float32 whatever the default dtype, no draw from global state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from promptlet.session import generators_kept

MAKERS = frozenset(
    {
        *(torch.empty, torch.zeros, torch.ones, torch.full, torch.eye, torch.arange, torch.linspace),
        *(torch.logspace, torch.rand, torch.randn, torch.normal, torch.tensor, torch.as_tensor),
        *(torch.scalar_tensor, torch.empty_strided),
    }
)
"""Functions that take the default dtype where none is named."""


class _Float32(TorchFunctionMode):
    """float32 where a library names no dtype, in this thread alone: the default dtype is everybody's."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if func not in MAKERS or kwargs.get("dtype") is not None or any(map(_has_dtype, args)):
            return made
        if isinstance(made, Tensor) and made.dtype == torch.get_default_dtype():
            return func(*args, **{**kwargs, "dtype": torch.float32})
        return made


def _has_dtype(value: Any) -> bool:
    return isinstance(value, torch.dtype) or hasattr(value, "dtype")


@contextmanager
def own_building() -> Iterator[None]:
    """Around what constructs a model: libraries fill weights with random numbers before they load them."""
    ordinary = torch.get_default_dtype() == torch.float32
    with generators_kept(), nullcontext() if ordinary else _Float32():
        yield
