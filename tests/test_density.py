"""Densities and ranks against closed forms; gradients where singular values are equal or zero."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from promptlet.density import effective_rank, information_density, positional_penalty, stable_rank
from promptlet.errors import OptionError


def with_values(values: list[float], dim: int = 7, seed: int = 0) -> Tensor:
    """A matrix (n, dim) of these singular values."""
    draw = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(len(values), len(values), generator=draw))
    right, _ = torch.linalg.qr(torch.randn(dim, len(values), generator=draw))
    return left @ torch.diag(torch.tensor(values)) @ right.T


def test_closed_forms() -> None:
    context = with_values([4.0, 2.0, 1.0, 1.0])
    assert float(information_density(context, 1)) == pytest.approx(0.5, abs=1e-5)
    assert float(information_density(context, 2)) == pytest.approx(0.75, abs=1e-5)
    assert float(stable_rank(context)) == pytest.approx(22 / 16, abs=1e-5)
    assert float(positional_penalty(context)) == pytest.approx((2 + 2 + 3) / 8, abs=1e-5)
    entropy = -(0.5 * math.log(0.5) + 0.25 * math.log(0.25) + 2 * 0.125 * math.log(0.125))
    assert float(effective_rank(context)) == pytest.approx(math.exp(entropy), abs=1e-4)


def test_limits() -> None:
    one, equal = with_values([3.0, 0.0, 0.0, 0.0]), with_values([2.0] * 4)
    for measure, low, high in ((effective_rank, 1, 4), (stable_rank, 1, 4), (positional_penalty, 0, 1.5)):
        assert float(measure(one)) == pytest.approx(low, abs=1e-3)
        assert float(measure(equal)) == pytest.approx(high, abs=1e-3)
    assert float(information_density(one)) == pytest.approx(1.0, abs=1e-5)
    assert float(information_density(equal)) == pytest.approx(0.25, abs=1e-5)
    assert float(information_density(torch.zeros(4, 7))) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=5), st.floats(0.1, 10))
def test_scale_does_not_matter(values: list[float], scale: float) -> None:
    context = with_values(values)
    for measure in (information_density, effective_rank, stable_rank, positional_penalty):
        torch.testing.assert_close(measure(context), measure(scale * context), atol=1e-3, rtol=1e-3)


def test_batches_are_one_at_a_time() -> None:
    batch = torch.stack([with_values([3.0, 1.0, 0.5], seed=s) for s in range(5)])
    for measure in (information_density, effective_rank, stable_rank, positional_penalty):
        torch.testing.assert_close(measure(batch), torch.stack([measure(one) for one in batch]))


@pytest.mark.parametrize("measure", [information_density, positional_penalty])
def test_gradient_equals_finite_differences(measure: object) -> None:
    context = with_values([4.0, 2.0, 1.0, 0.5]).requires_grad_()
    (gradient,) = torch.autograd.grad(measure(context), context)  # type: ignore[operator]
    draw = torch.Generator().manual_seed(1)
    for _ in range(5):
        direction = torch.randn(context.shape, generator=draw)
        h = 1e-2
        with torch.no_grad():
            ends = [float(measure(context + sign * h * direction)) for sign in (1, -1)]  # type: ignore[operator]
        assert float((gradient * direction).sum()) == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=2e-3)


@pytest.mark.parametrize("values", [[2.0] * 4, [3.0, 3.0, 0.0, 0.0], [0.0] * 4, [1.0, 0.0, 0.0, 0.0]])
@pytest.mark.parametrize("measure", [information_density, positional_penalty, effective_rank, stable_rank])
def test_gradients_are_finite_where_values_are_equal_or_zero(measure: object, values: list[float]) -> None:
    context = with_values(values).requires_grad_()
    (gradient,) = torch.autograd.grad(measure(context), context)  # type: ignore[operator]
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("k", [0, 5, 1.5, True])
def test_k_must_be_a_number_of_values(k: int) -> None:
    with pytest.raises(OptionError, match=r"is outside 1\.\.4"):
        information_density(with_values([1.0] * 4), k)
