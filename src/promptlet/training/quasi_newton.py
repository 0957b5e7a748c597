"""L-BFGS in the form of the other optimisers: one gradient a step, no step longer than the rate allows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from promptlet.training.optimizers import Optimizer

HISTORY = 20
DAMPING = 0.05
REMEMBERED = 2 * HISTORY + 2
"""Numbers of state for each number that is learned."""
UNBOUNDED = 1e9


class BoundedLBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal 1980) without a line search, for one loss over all images.

    The direction is L-BFGS's, from the last ``HISTORY`` changes of the gradient, with Powell's damping (1978)
    instead of a curvature condition: a change counts as at least ``DAMPING`` of what the model expected. The
    numbers of all groups together then move by at most ``lr`` each, root mean square, in units of the group's
    own ``rate``: as far as AdamW moves them at that rate. So a step costs one gradient, the loss is not asked
    for, and nothing is read from the device. weight_decay is AdamW's.

    Which bound and damping is our own choice (docs/explanation/fast-schedule.md).
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(groups, {"lr": lr, "rate": 1.0, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Move by the gradients that are there."""
        owners = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not owners:
            return
        here = _joined([p / group["rate"] for p, group in owners])
        gradient = _joined([_gradient(p) * group["rate"] for p, group in owners])
        state = self.state[owners[0][0]]
        if not state:
            state.update(_nothing(here))
        else:
            _remember(state, here, gradient)
        direction = _direction(state, gradient)
        bound = owners[0][1]["lr"] / owners[0][1]["rate"]
        length = direction.norm() / math.sqrt(direction.numel())
        move = direction * (bound / length.clamp_min(torch.finfo(length.dtype).tiny)).clamp_max(1.0)
        state["point"], state["gradient"] = here, gradient
        for (p, group), own in zip(owners, move.split([p.numel() for p, _ in owners]), strict=True):
            p.mul_(1.0 - group["lr"] * group["weight_decay"])
            p.sub_(own.view_as(p) * group["rate"])


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _gradient(p: torch.nn.Parameter) -> Tensor:
    assert p.grad is not None
    return p.grad


def _nothing(here: Tensor) -> dict[str, Tensor]:
    """State before the first step: the pairs of a move and the gradient's change are zeros, and count for
    nothing. All of it is tensors, so that a checkpoint can hold it."""
    pairs = torch.zeros(HISTORY, here.numel(), dtype=here.dtype, device=here.device)
    return {"moves": pairs, "changes": pairs.clone(), "scale": here.new_full((), UNBOUNDED)}


def _remember(state: dict[str, Tensor], here: Tensor, gradient: Tensor) -> None:
    """Take up the last move and what it changed in the gradient; nothing where it did not move."""
    move, change = here - state["point"], gradient - state["gradient"]
    length, product = move @ move, move @ change
    is_first = state["scale"] >= UNBOUNDED
    expected = torch.where(is_first, product.abs(), length / state["scale"])
    share = torch.where(
        product < DAMPING * expected,
        (1.0 - DAMPING) * expected / (expected - product),
        torch.ones_like(product),
    )
    change = share * change + (1.0 - share) * move * (expected / length)
    product = move @ change
    moved = (length > 0) & (product > 0)
    new = (state["moves"].roll(-1, 0), state["changes"].roll(-1, 0))
    for name, pairs, last in zip(("moves", "changes"), new, (move, change), strict=True):
        pairs[-1] = last
        state[name] = torch.where(moved, pairs, state[name])
    state["scale"] = torch.where(moved, product / (change @ change), state["scale"])


def _direction(state: dict[str, Tensor], gradient: Tensor) -> Tensor:
    """The inverse Hessian's model times the gradient: the two loops of Nocedal (1980)."""
    moves, changes = state["moves"], state["changes"]
    products = (moves * changes).sum(1)
    inverse = torch.where(products > 0, 1.0 / products, torch.zeros_like(products))
    direction, shares = gradient.clone(), []
    for i in reversed(range(HISTORY)):
        shares.append(inverse[i] * (moves[i] @ direction))
        direction = direction - shares[-1] * changes[i]
    direction = direction * state["scale"]
    for i in range(HISTORY):
        share = shares[HISTORY - 1 - i] - inverse[i] * (changes[i] @ direction)
        direction = direction + share * moves[i]
    return direction
