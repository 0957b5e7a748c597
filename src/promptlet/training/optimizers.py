"""SGD and AdamW by the functions of torch's own, which import no compiler.

The classes of `torch.optim` load torch's compiler as soon as one is made, to have it leave their methods
alone, and with it all that it looks for in turn (sympy, pandas, scikit-learn): three seconds. The functions
behind them do not. Numbers, and the names of what is kept between steps, are those of the classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

BETAS, EPS = (0.9, 0.999), 1e-8


class Optimizer(ABC):
    """As `torch.optim.Optimizer`: ``param_groups``, dicts with their "params"; ``state``, what is kept of
    each parameter."""

    def __init__(self, groups: Iterable[Mapping[str, Any]], defaults: Mapping[str, Any]) -> None:
        self.param_groups: list[dict[str, Any]] = [{**defaults, **group} for group in groups]
        self.state: dict[nn.Parameter, dict[str, Any]] = {
            parameter: {} for group in self.param_groups for parameter in group["params"]
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.state:
            parameter.grad = None

    @abstractmethod
    def step(self) -> None:
        """Change all parameters that have a gradient."""


class AdamW(Optimizer):
    """Adam with decoupled weight decay (arXiv 1711.05101)."""

    def __init__(self, groups: Iterable[Mapping[str, Any]], lr: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Change all parameters that have a gradient."""
        for group in self.param_groups:
            with_gradient = [one for one in group["params"] if one.grad is not None]
            kept = [self._kept(one) for one in with_gradient]
            adamw(
                with_gradient,
                [_gradient(one) for one in with_gradient],
                [one["exp_avg"] for one in kept],
                [one["exp_avg_sq"] for one in kept],
                [],
                [one["step"] for one in kept],
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=EPS,
                maximize=False,
            )

    def _kept(self, parameter: nn.Parameter) -> dict[str, Any]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device="cpu")
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    def __init__(
        self, groups: Iterable[Mapping[str, Any]], lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Change all parameters that have a gradient."""
        for group in self.param_groups:
            with_gradient = [one for one in group["params"] if one.grad is not None]
            buffers = [self.state[one].get("momentum_buffer") for one in with_gradient]
            sgd(
                with_gradient,
                [_gradient(one) for one in with_gradient],
                buffers,
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                lr=group["lr"],
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            if group["momentum"]:
                for one, buffer in zip(with_gradient, buffers, strict=True):
                    self.state[one]["momentum_buffer"] = buffer


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
