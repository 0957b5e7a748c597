"""The quasi-Newton optimiser: its direction, its bound, and what it stands."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from learning_toys import NAMES, toy_problem
from torch import Tensor, nn

from promptlet.methods import build_method
from promptlet.training import Schedule, train
from promptlet.training.checkpoint import Progress, pack_checkpoint, size_of, snapshot
from promptlet.training.quasi_newton import HISTORY, BoundedLBFGS, _direction

FAST = Schedule("fast", lr=0.01, epochs=8, batch_size=None, warmup_lr=None, optimizer="lbfgs")


def dense_inverse(moves: Tensor, changes: Tensor, scale: float) -> Tensor:
    """The inverse Hessian by BFGS's own formula (Nocedal and Wright, equation 6.17), pair by pair."""
    eye = torch.eye(moves.shape[1], dtype=moves.dtype)
    inverse = scale * eye
    for s, y in zip(moves, changes, strict=True):
        left = eye - torch.outer(s, y) / (y @ s)
        inverse = left @ inverse @ left.T + torch.outer(s, s) / (y @ s)
    return inverse


@pytest.mark.parametrize("known", [0, 1, 5, HISTORY])
def test_the_direction_is_that_of_bfgs(known: int) -> None:
    generator = torch.Generator().manual_seed(known)
    root = torch.randn(30, 30, dtype=torch.float64, generator=generator)
    hessian = root @ root.T / 30 + torch.eye(30, dtype=torch.float64)
    moves = torch.zeros(HISTORY, 30, dtype=torch.float64)
    moves[HISTORY - known :] = torch.randn(known, 30, dtype=torch.float64, generator=generator)
    changes = moves @ hessian
    gradient = torch.randn(30, dtype=torch.float64, generator=generator)
    state = {"moves": moves, "changes": changes, "scale": torch.tensor(0.7, dtype=torch.float64)}
    own = dense_inverse(moves[HISTORY - known :], changes[HISTORY - known :], 0.7) @ gradient
    torch.testing.assert_close(_direction(state, gradient), own, rtol=1e-9, atol=1e-9)


def minimise(steps: int, lr: float, curvatures: Tensor) -> tuple[float, list[Tensor]]:
    """Of a bowl with these curvatures: the last value, and the numbers after each step."""
    p = nn.Parameter(torch.ones_like(curvatures))
    optimizer = BoundedLBFGS([{"params": [p]}], lr=lr)
    places = [p.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        loss = 0.5 * (curvatures * p.square()).sum()
        loss.backward()
        optimizer.step()
        places.append(p.detach().clone())
    return float(0.5 * (curvatures * p.detach().square()).sum()), places


def test_it_finds_the_bottom_of_a_long_valley_where_plain_steps_do_not() -> None:
    curvatures = torch.logspace(0, 3, 12)
    found, _ = minimise(60, 0.3, curvatures)
    p = torch.ones(12)
    for _ in range(60):
        p = p - curvatures * p * (2 / 1001)  # the best constant step there is
    assert found < 1e-6 < 1e-2 < float(0.5 * (curvatures * p.square()).sum())


def test_no_step_is_longer_than_the_rate_allows() -> None:
    _, places = minimise(40, 0.05, torch.logspace(-1, 2, 9))
    lengths = [float((b - a).norm() / 3) for a, b in pairwise(places)]
    assert max(lengths) <= 0.05 * (1 + 1e-5)
    assert lengths[0] == pytest.approx(0.05, rel=1e-5)  # the first has nothing else to go by


def test_a_rate_is_a_unit() -> None:
    """A group whose rate is 10 moves as if its numbers were written ten times smaller."""

    def run(unit: float) -> Tensor:
        u, v = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([10.0, -20.0]) / (10 / unit))
        optimizer = BoundedLBFGS([{"params": [u]}, {"params": [v], "lr": 0.1 * unit, "rate": unit}], lr=0.1)
        for _ in range(12):
            optimizer.zero_grad()
            ((u - v / unit).square().sum() + u.pow(4).sum()).backward()
            optimizer.step()
        return torch.cat([u.detach(), v.detach() / unit])

    torch.testing.assert_close(run(1.0), run(8.0))


def test_where_the_ground_is_a_hill_it_still_goes_down() -> None:
    """Curvature below zero everywhere: damping keeps the model positive, so each step descends."""
    p = nn.Parameter(torch.linspace(0.1, 1.0, 7))
    optimizer = BoundedLBFGS([{"params": [p]}], lr=0.02)
    heights = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.cos(p).sum()
        loss.backward()
        optimizer.step()
        heights.append(float(loss.detach()))
    assert all(later < earlier for earlier, later in pairwise(heights))


def test_nothing_to_learn_from_changes_nothing() -> None:
    p, other = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
    optimizer = BoundedLBFGS([{"params": [p]}, {"params": [other]}], lr=0.1)
    optimizer.step()
    for _ in range(3):
        p.grad = torch.zeros(3)
        optimizer.step()
    assert torch.equal(p, torch.ones(3)) and torch.equal(other, torch.ones(2))


def test_weight_decay_is_adamws() -> None:
    found = []
    for optimizer_of in (torch.optim.AdamW, BoundedLBFGS):
        p = nn.Parameter(torch.tensor([2.0, -3.0]))
        optimizer: Any = optimizer_of([{"params": [p]}], lr=0.1, weight_decay=0.2)
        p.grad = torch.zeros(2)
        optimizer.step()
        found.append(p.detach().clone())
    torch.testing.assert_close(found[0], found[1])


def test_a_step_reads_nothing_from_the_device() -> None:
    """On the device "meta" no number can be read."""
    p = nn.Parameter(torch.ones(5, device="meta"))
    optimizer = BoundedLBFGS([{"params": [p]}], lr=0.1)
    for _ in range(3):
        p.grad = torch.ones(5, device="meta")
        optimizer.step()
    with pytest.raises(RuntimeError):
        float(p.sum())


def test_training_with_it_is_far_ahead_of_as_many_steps_of_adamw(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    losses = {}
    for optimizer in ("adamw", "lbfgs"):
        method = build_method("rlp", tiny_backbone, NAMES)
        schedule = Schedule("fast", 0.01, 30, None, optimizer=optimizer, warmup_lr=None)
        losses[optimizer] = train(method, features, labels, schedule).history[-1].loss
    assert losses["lbfgs"] < 0.9 * losses["adamw"]
    assert math.isfinite(losses["lbfgs"])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lbfgs"])
def test_a_checkpoint_is_no_larger_than_the_room_held_for_it(
    optimizer: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("coop", tiny_backbone, NAMES)
    schedule = Schedule("x", 0.01, 3, None, optimizer=optimizer)
    used = schedule.make_optimizer(method.trainables(), method.rates())
    for _ in range(3):
        method.loss(features[0], labels)[0].backward()  # type: ignore[no-untyped-call]
        used.step()
    packed = pack_checkpoint(snapshot(method, used), Progress("x"))
    assert len(packed) <= size_of(method, 3, schedule.copies)
