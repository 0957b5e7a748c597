"""Hooks on layers of the libraries' own models, which the plain paths are built of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def states_hook(change: Callable[[Tensor], Tensor]) -> Callable[..., tuple[Any, Any]]:
    """A pre-hook (with_kwargs) that changes the states which enter a layer of either library."""

    def hook(_module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        name = "hidden_states" if "hidden_states" in kwargs else "x"
        return args, {**kwargs, name: change(kwargs[name])}

    return hook
