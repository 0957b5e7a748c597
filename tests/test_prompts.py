"""The two parametrisations of a context."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from learning_toys import noise

from promptlet.errors import OptionError
from promptlet.prompts import FullContext, LowRankContext, start_from_seed

SPECIFICATION = Path(__file__).parents[1] / "docs" / "reference" / "prompt-file.md"


def low_rank(rank: int = 2, n_ctx: int = 4, dim: int = 10, dropout: float = 0.0) -> LowRankContext:
    """A context away from its start."""
    context = LowRankContext(noise("P0", (n_ctx, dim)), rank, dropout, init_std=0.5, seed=3)
    with torch.no_grad():
        context.U.copy_(noise("U", (n_ctx, rank)))
    return context


def count(context: torch.nn.Module) -> int:
    return sum(p.numel() for p in context.parameters())


@pytest.mark.parametrize(
    ("rank", "n_ctx", "dim", "learned"),
    [(1, 4, 512, 516), (1, 16, 512, 528), (2, 4, 512, 1032), (3, 5, 7, 36)],
)
def test_low_rank_learns_r_times_n_ctx_plus_d_numbers(rank: int, n_ctx: int, dim: int, learned: int) -> None:
    assert count(LowRankContext(torch.zeros(n_ctx, dim), rank, 0.0, 0.02, 1)) == learned
    assert learned == rank * (n_ctx + dim)


def test_full_learns_every_number() -> None:
    assert count(FullContext(torch.zeros(4, 512))) == 2048
    assert count(FullContext(torch.zeros(3, 4, 10))) == 120


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_training_starts_exactly_at_p0(dropout: float) -> None:
    start = noise("P0", (4, 10))
    context = LowRankContext(start, 1, dropout, 0.02, 1).train()
    context.begin_step(0)
    assert torch.equal(context(), start)
    assert torch.equal(context.merged(), start)
    assert not torch.equal(context.V, torch.zeros_like(context.V))
    assert torch.equal(FullContext(start)(), start)


def test_starts_do_not_share_memory_with_what_was_given() -> None:
    start = torch.zeros(2, 3)
    contexts = FullContext(start), LowRankContext(start, 1, 0.0, 0.02, 1)
    start += 1
    assert all(float(context.merged().sum()) == 0 for context in contexts)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_merged_equals_forward_in_evaluation(dropout: float) -> None:
    context = low_rank(dropout=dropout)
    context.begin_step(5)
    assert torch.equal(context.eval()(), context.merged())
    assert not context.merged().requires_grad


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_follow_the_formulas(dropout: float) -> None:
    """dU = (dP o M) V^T and dV = U^T (dP o M), M the mask of this step."""
    context = low_rank(dropout=dropout).train()
    context.begin_step(0)
    upstream = noise("dP", (4, 10))
    (context() * upstream).sum().backward()
    mask = torch.ones(4, 10) if context._keep is None else context._keep
    given = upstream * mask
    torch.testing.assert_close(context.U.grad, given @ context.V.detach().T)
    torch.testing.assert_close(context.V.grad, context.U.detach().T @ given)
    assert context.P0.grad is None


def test_dropout_acts_on_the_branch_alone() -> None:
    context = low_rank(dropout=0.5).train()
    context.begin_step(1)
    update = (context.U @ context.V).detach()
    branch = (context() - context.P0).detach()
    kept = branch.abs() > 1e-12
    assert 0 < int(kept.sum()) < kept.numel()
    torch.testing.assert_close(branch[kept], 2 * update[kept])


def test_dropout_keeps_the_mean() -> None:
    context = low_rank(dropout=0.3, n_ctx=8, dim=64).train()
    masks = []
    for step in range(300):
        context.begin_step(step)
        assert context._keep is not None
        masks.append(context._keep)
    stacked = torch.stack(masks)
    assert abs(float(stacked.mean()) - 1) < 0.01
    assert abs(float((stacked == 0).float().mean()) - 0.3) < 0.01


def test_dropout_depends_on_seed_and_step_alone() -> None:
    def mask(seed: int, step: int, before: int = 0) -> list[float]:
        context = LowRankContext(torch.zeros(4, 10), 1, 0.5, 0.02, seed)
        for earlier in range(before):
            context.begin_step(earlier)
        context.begin_step(step)
        assert context._keep is not None
        return context._keep.ravel().tolist()

    assert mask(1, 7) == mask(1, 7, before=3)
    assert mask(1, 7) != mask(1, 8)
    assert mask(1, 7) != mask(2, 7)
    assert mask(0, 7) != mask(1, 7)


@pytest.mark.parametrize("rank", [0, -1, 5])
def test_ranks_outside_the_matrix_are_refused(rank: int) -> None:
    with pytest.raises(OptionError, match=rf"rank={rank} is outside 1\.\.4 \(n_ctx=4, d=10\)"):
        LowRankContext(torch.zeros(4, 10), rank, 0.0, 0.02, 1)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_dropout_outside_its_range_is_refused(dropout: float) -> None:
    with pytest.raises(OptionError, match="is outside 0 <= dropout < 1"):
        LowRankContext(torch.zeros(4, 10), 1, dropout, 0.02, 1)


def test_full_rank_can_represent_any_matrix() -> None:
    start, wanted = noise("P0", (4, 10)), noise("P", (4, 10), seed=9)
    context = LowRankContext(start, 4, 0.0, 0.02, 1)
    left, singular, right = torch.linalg.svd(wanted - start, full_matrices=False)
    context.load({"U": (left * singular).numpy(), "V": right.numpy()})
    torch.testing.assert_close(context.merged(), wanted, atol=1e-5, rtol=1e-5)


def test_the_start_from_a_seed_is_the_one_in_the_specification() -> None:
    """The numbers are read from docs/reference/prompt-file.md itself."""
    text = SPECIFICATION.read_text()
    block = text[text.index("For `seed:7`") :]
    numbers = [float(n) for n in re.findall(r"-?\d\.\d{6,}", block)[:6]]
    assert len(numbers) == 6
    expected = np.array(numbers, np.float32).reshape(2, 3)
    assert np.array_equal(start_from_seed(2, 3, 7).numpy(), expected)


@pytest.mark.parametrize("kind", ["full", "per class", "low rank"])
def test_tensors_go_out_and_come_back(kind: str) -> None:
    makers = {
        "full": lambda: FullContext(noise("a", (4, 10))),
        "per class": lambda: FullContext(noise("b", (3, 4, 10))),
        "low rank": low_rank,
    }
    context, other = makers[kind](), makers[kind]()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load({name: t.detach().numpy() for name, t in context.tensors().items()})
    assert torch.equal(other.merged(), context.merged())


@pytest.mark.parametrize(
    "tensors",
    [
        {"U": np.zeros((4, 2), np.float32)},
        {"P": np.zeros((4, 10), np.float32)},
        {"U": np.zeros((4, 2), np.float32), "V": np.zeros((1, 10), np.float32)},  # would broadcast
        {"U": np.zeros((1, 1), np.float32), "V": np.zeros((2, 10), np.float32)},
    ],
)
def test_tensors_of_another_kind_are_refused_and_nothing_is_taken(tensors: dict[str, np.ndarray]) -> None:
    context = low_rank()
    before = context.merged()
    with pytest.raises(OptionError, match="this context has"):
        context.load(tensors)
    assert torch.equal(context.merged(), before)


def test_repr_tells_what_a_checkpoint_must_know() -> None:
    text = repr(low_rank(dropout=0.25))
    assert all(part in text for part in ("rank=2", "dropout=0.25", "seed=3", "init_std=0.5", "n_ctx=4"))
