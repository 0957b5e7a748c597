"""Densities and ranks against closed forms; gradients where singular values are equal or zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from promptlet.backbones import load_backbone
from promptlet.density import (
    effective_rank,
    information_density,
    positional_penalty,
    singular_values,
    softened,
    stable_rank,
)
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


@pytest.mark.parametrize("shape", [(4, 7), (4, 512), (7, 4), (3, 4, 7), (2, 3, 4, 7), (1, 5)])
def test_values_are_those_of_svdvals_and_so_is_the_gradient_at_full_rank(shape: tuple[int, ...]) -> None:
    context = torch.randn(shape, generator=torch.Generator().manual_seed(2)).requires_grad_()
    values, plain = singular_values(context), torch.linalg.svdvals(context)
    torch.testing.assert_close(values, plain, atol=1e-6, rtol=1e-6)
    weights = torch.arange(1.0, values.shape[-1] + 1)
    (gradient,) = torch.autograd.grad((weights * values).sum(), context)
    (expected,) = torch.autograd.grad((weights * plain).sum(), context)
    torch.testing.assert_close(gradient, expected, atol=1e-5, rtol=1e-5)


def test_a_value_that_is_rounding_keeps_its_value_and_has_no_gradient() -> None:
    context = with_values([1.0, 0.5, 1e-5, 1e-8]).requires_grad_()
    values = singular_values(context)
    torch.testing.assert_close(values, torch.linalg.svdvals(context.detach()), atol=1e-9, rtol=1e-6)
    for value, norm in zip(values, (1.0, 1.0, 1.0, 0.0), strict=True):
        (gradient,) = torch.autograd.grad(value, context, retain_graph=True)
        assert float(gradient.norm()) == pytest.approx(norm, abs=1e-5)


@pytest.mark.parametrize("measure", [information_density, positional_penalty, effective_rank])
def test_noise_in_a_start_that_holds_a_word_twice_leaves_the_gradient_alone(measure: object) -> None:
    """ "a photo of a" is of rank 3: what its fourth pair of singular vectors is, rounding decides."""
    start = load_backbone("mini", device="cpu").text.embed_words("a photo of a")
    assert torch.linalg.matrix_rank(start) == 3 and start.shape[0] == 4

    def gradient(context: Tensor) -> Tensor:
        context = context.clone().requires_grad_()
        (found,) = torch.autograd.grad(measure(context), context)  # type: ignore[operator]
        return found.flatten()

    draw = torch.Generator().manual_seed(3)
    for _ in range(5):
        noisy = start + 1e-7 * torch.randn(start.shape, generator=draw)
        cosine = torch.nn.functional.cosine_similarity(gradient(start), gradient(noisy), dim=0)
        assert float(cosine) >= 0.999


def test_softened_values_are_the_formula_and_lose_their_gradient_at_zero() -> None:
    values = torch.tensor([4.0, 0.4, 0.04, 0.0], dtype=torch.float64, requires_grad=True)
    soft = softened(values)
    edge = 0.1 * 4.0
    expected = [(s * s + edge * edge) ** 0.5 - edge for s in (4.0, 0.4, 0.04, 0.0)]
    torch.testing.assert_close(soft.detach(), torch.tensor(expected, dtype=torch.float64))
    soft.sum().backward()
    slopes = [s / (s * s + edge * edge) ** 0.5 for s in (4.0, 0.4, 0.04, 0.0)]
    torch.testing.assert_close(values.grad, torch.tensor(slopes, dtype=torch.float64))
    zero = torch.zeros(3, requires_grad=True)
    softened(zero).sum().backward()
    assert torch.equal(zero.grad, torch.zeros(3))  # type: ignore[arg-type]


def test_soft_terms_are_those_of_softened_values() -> None:
    context = torch.from_numpy(np.random.default_rng(3).normal(size=(4, 9))).float()
    s = np.linalg.svd(context.numpy(), compute_uv=False)
    edge = 0.1 * s[0]
    soft = np.sqrt(s**2 + edge**2) - edge
    assert float(information_density(context, 2, soft=True)) == pytest.approx(
        soft[:2].sum() / soft.sum(), rel=1e-5
    )
    mean_position = (np.arange(4) * soft).sum() / soft.sum()
    assert float(positional_penalty(context, soft=True)) == pytest.approx(mean_position, rel=1e-5)
    rank_one = context[:, :1] @ context[:1]
    assert float(information_density(rank_one, 1, soft=True)) == pytest.approx(1.0, abs=1e-5)
