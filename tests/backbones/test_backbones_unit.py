"""Vectors of length 1: against double precision for any length, and PyTorch's own bits for ordinary ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptlet.backbones.arithmetic import unit as module
from promptlet.backbones.arithmetic.unit import LARGE, SMALL, unit


@pytest.fixture
def rows() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 0.02, 37.0, 1e6, SMALL / 2, SMALL * 8, LARGE / 8])
def test_ordinary_rows_keep_their_bits(rows: torch.Tensor, scale: float) -> None:
    assert torch.equal(unit(rows * scale), F.normalize(rows * scale, dim=-1))


def test_ordinary_rows_are_not_multiplied(rows: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer over HTTP waits for each of these operations."""
    monkeypatch.setattr(torch, "exp2", lambda _: pytest.fail("they are multiplied by 1"))
    assert torch.equal(unit(rows), F.normalize(rows, dim=-1))
    assert unit(rows[:0]).shape == (0, 64)
    assert unit(rows.clone().requires_grad_()).requires_grad


def test_rows_that_are_exported_are_written_down_for_any(rows: torch.Tensor) -> None:
    class Unit(torch.nn.Module):
        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            return unit(vectors)

    program = torch.export.export(Unit(), (rows,)).module()
    odd = rows * 1e-30
    assert torch.equal(program(odd), unit(odd)) and torch.equal(program(rows), unit(rows))


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-25, 1e-20, 1e-12, 1e15, 1e19, 1e25, 1e30, 3e37])
def test_rows_of_any_length_keep_their_direction(rows: torch.Tensor, scale: float) -> None:
    scaled = rows * scale
    exact = scaled.double() / scaled.double().norm(dim=-1, keepdim=True)
    assert torch.allclose(unit(scaled).double(), exact, rtol=0, atol=1e-7)


def test_the_smallest_and_the_largest_numbers() -> None:
    tiny, huge = 1.4e-45, torch.finfo(torch.float32).max
    half = 0.5**0.5
    found = unit(torch.tensor([[tiny, tiny], [huge, -huge], [0.0, tiny], [huge, tiny]]))
    expected = torch.tensor([[half, half], [half, -half], [0.0, 1.0], [1.0, 0.0]])
    assert torch.allclose(found, expected, rtol=0, atol=1e-7)


def test_rows_are_scaled_each_by_itself(rows: torch.Tensor) -> None:
    mixed = torch.stack([rows[0] * 1e30, rows[0], rows[0] * 1e-30, torch.zeros(64)])
    found = unit(mixed)
    assert torch.equal(found[1], F.normalize(rows[0], dim=-1))
    assert torch.allclose(found[0], found[1], atol=1e-7) and torch.allclose(found[2], found[1], atol=1e-7)
    assert not found[3].any()


def test_numbers_that_are_none_stay_so() -> None:
    found = unit(torch.tensor([[float("nan"), 1.0], [float("inf"), 1.0], [3.0, 4.0]]))
    assert found[0].isnan().all() and found[1, 0].isnan()
    assert torch.equal(found[2], torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize("scale", [1.0, 1e25, 1e-25])
def test_its_gradient(rows: torch.Tensor, scale: float) -> None:
    given = (rows[:3] * scale).requires_grad_()
    double = given.detach().double().requires_grad_()
    weights = rows[3:6]
    (unit(given) * weights).sum().backward()
    (double / double.norm(dim=-1, keepdim=True) * weights.double()).sum().backward()
    assert given.grad is not None and double.grad is not None
    assert torch.allclose(given.grad.double() * scale, double.grad * scale, rtol=1e-4, atol=1e-6)


def test_half_precision_is_brought_to_float32() -> None:
    found = unit(torch.full((1, 4), 60000.0, dtype=torch.float16))
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((1, 4), 0.5))


def test_many_rows_go_in_parts_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = torch.randn(2, 37, 16, generator=torch.Generator().manual_seed(0))
    vectors[0, 3], vectors[1, 5] = 1e-25, 3e30
    whole = unit(vectors)
    monkeypatch.setattr(module, "AT_ONCE", 100)
    sizes: list[int] = []
    own = module._unit
    monkeypatch.setattr(module, "_unit", lambda some: (sizes.append(len(some)), own(some))[1])
    assert torch.equal(unit(vectors), whole)
    assert sum(sizes) == 2 * 37 and max(sizes) <= 7
    assert unit(vectors.requires_grad_()).requires_grad
    assert len(sizes) == 11 + 1  # with a gradient, as one
