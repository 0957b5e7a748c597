"""The optimisers of the training loop are torch's own, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from promptlet.training.optimizers import SGD, AdamW, Optimizer

LR = 0.01
PAIRS: dict[str, tuple[Any, Any, dict[str, float]]] = {
    "sgd": (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4}),
    "sgd without momentum": (SGD, torch.optim.SGD, {"momentum": 0.0, "weight_decay": 0.0}),
    "adamw": (AdamW, torch.optim.AdamW, {"weight_decay": 5e-4}),
    "adamw without decay": (AdamW, torch.optim.AdamW, {"weight_decay": 0.0}),
}


def parameters() -> list[nn.Parameter]:
    draw = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=draw)) for shape in ((4, 3), (7,), ())]


def trained(optimizer: Any, own: list[nn.Parameter]) -> list[torch.Tensor]:
    """A few steps at changing rates; the last parameter has no gradient at first, as one that is not read."""
    draw = torch.Generator().manual_seed(1)
    for step in range(6):
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 - step / 10) * group["rate"]
        for i, parameter in enumerate(own):
            gradient = torch.randn(parameter.shape, generator=draw)
            if i < 2 or step > 1:
                parameter.grad = gradient
        optimizer.step()
    return [parameter.detach() for parameter in own]


def made(kind: Any, options: dict[str, float]) -> tuple[Any, list[nn.Parameter]]:
    own = parameters()
    groups = [{"params": [one], "lr": LR, "rate": 1.0 + i} for i, one in enumerate(own)]
    return kind(groups, lr=LR, **options), own


@pytest.mark.parametrize("name", PAIRS)
def test_steps_are_those_of_torch(name: str) -> None:
    ours, theirs, options = PAIRS[name]
    (mine, own), (other, expected) = made(ours, options), made(theirs, options)
    before = [one.detach().clone() for one in own]
    for found, wanted, start in zip(trained(mine, own), trained(other, expected), before, strict=True):
        assert torch.equal(found, wanted)
        assert not torch.equal(found, start)
    for one, another in zip(own, expected, strict=True):
        kept = {key: value for key, value in other.state[another].items() if value is not None}
        assert mine.state[one].keys() == kept.keys()
        assert all(torch.equal(mine.state[one][key], value) for key, value in kept.items())


def test_gradients_are_forgotten() -> None:
    optimizer, own = made(AdamW, {"weight_decay": 0.0})
    assert isinstance(optimizer, Optimizer)
    own[0].grad = torch.ones(4, 3)
    optimizer.zero_grad()
    assert own[0].grad is None
