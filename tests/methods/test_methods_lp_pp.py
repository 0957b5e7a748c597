"""LP++ against autograd, against steps written out by NumPy, and against its own promise to go down."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_problem
from torch import Tensor

from promptlet.classifier import prompt_file_of
from promptlet.errors import OptionError
from promptlet.methods.features.lp_pp import BlendedProbe, Blocks, curvatures
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, train

SCHEDULE = Schedule("unused", lr=0.1, epochs=1, batch_size=None)


def fitted(backbone: Any, views: int = 1, **options: Any) -> tuple[BlendedProbe, Tensor, Tensor]:
    features, labels = toy_problem(backbone, per_class=5, views=views, spread=0.4)
    method = BlendedProbe(backbone, NAMES, **options)
    train(method, features, labels, SCHEDULE)
    return method, features, labels


def by_hand(
    x: np.ndarray, y: np.ndarray, t: np.ndarray, start: float, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """w and a after so many turns, in loops over classes."""
    w = np.stack([x[y == c].mean(0) for c in range(len(t))])
    a = np.full(len(t), start)
    step_of_w = 2 / np.linalg.eigvalsh(sum(np.outer(i, i) for i in x) / len(x)).max()
    step_of_a = [2 / np.mean([(i @ one) ** 2 for i in x]) for one in t]

    def wrong() -> np.ndarray:
        logits = np.array([[i @ (w[c] + a[c] * t[c]) for c in range(len(t))] for i in x])
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True) - np.eye(len(t))[y])

    for _ in range(iterations):
        w = w - step_of_w * np.stack([(wrong()[:, c, None] * x).mean(0) for c in range(len(t))])
        a = a - [step_of_a[c] * np.mean(wrong()[:, c] * (x @ t[c])) for c in range(len(t))]
    return w, a


@pytest.mark.parametrize("views", [1, 2])
def test_turns_are_those_written_out(views: int, tiny_backbone: Any) -> None:
    method, features, labels = fitted(tiny_backbone, views, iterations=7, start=9.0)
    texts = ZeroShot(tiny_backbone, NAMES).class_features()
    x, y = features.reshape(-1, 16).double().numpy(), np.tile(labels.numpy(), views)
    w, a = by_hand(x, y, texts.double().numpy(), 9.0, 7)
    weight = method.state()["weight"]
    np.testing.assert_allclose(weight[:-1, :-1], w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weight[:-1, -1], a, rtol=1e-4)
    np.testing.assert_allclose(weight[-1], weight[:-1].mean(0), rtol=1e-5, atol=1e-6)
    expected = x @ (w + a[:, None] * texts.double().numpy()).T
    np.testing.assert_allclose(method.logits(features).reshape(-1, 5).numpy(), expected, rtol=1e-4, atol=1e-4)
    assert method.trainable_count() == 5 * 17


def problem(backbone: Any) -> tuple[Tensor, Tensor, Tensor]:
    features, labels = toy_problem(backbone, per_class=5, spread=0.4)
    return features[0], labels, ZeroShot(backbone, NAMES).class_features()


def test_a_turn_goes_down_autograds_gradient(tiny_backbone: Any) -> None:
    x, y, t = problem(tiny_backbone)
    blocks = Blocks(x, y, t, 5.0)
    for _ in range(3):
        w, a = blocks.weight.clone().requires_grad_(), blocks.shares.clone()
        torch.nn.functional.cross_entropy(x @ (w + a[:, None] * t).T, y).backward()
        w_next = (w - w.grad / blocks.of_weight).detach()
        a.requires_grad_()
        torch.nn.functional.cross_entropy(x @ (w_next + a[:, None] * t).T, y).backward()
        blocks.step()
        torch.testing.assert_close(blocks.weight, w_next)
        torch.testing.assert_close(blocks.shares, (a - a.grad / blocks.of_shares).detach())


@pytest.mark.parametrize("start", [0.0, 25.0, 300.0])
def test_the_loss_never_rises(start: float, tiny_backbone: Any) -> None:
    x, y, t = (one.double() if one.is_floating_point() else one for one in problem(tiny_backbone))
    blocks = Blocks(x, y, t, start)
    losses = []
    for _ in range(60):
        logits = x @ (blocks.weight + blocks.shares[:, None] * t).T
        losses.append(float(torch.nn.functional.cross_entropy(logits, y)))
        blocks.step()
    assert all(after < before for before, after in pairwise(losses))


def test_no_curvature_is_above_the_bounds(tiny_backbone: Any) -> None:
    """The whole Hessian of each block, at points from flat to sure: the least bound is near."""
    x, y, t = (one.double() if one.is_floating_point() else one for one in problem(tiny_backbone))
    of_weight, of_shares = curvatures(x, x @ t.T)
    for scale in (0.0, 3.0, 30.0):
        w = scale * torch.randn(5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        a = torch.full((5,), scale, dtype=torch.float64)

        def loss(w: Tensor, a: Tensor) -> Tensor:
            return torch.nn.functional.cross_entropy(x @ (w + a[:, None] * t).T, y)

        hessian = torch.autograd.functional.hessian(lambda one, a=a: loss(one, a), w).reshape(80, 80)
        assert float(torch.linalg.eigvalsh(hessian)[-1]) <= of_weight + 1e-9
        hessian = torch.autograd.functional.hessian(lambda one, w=w: loss(w, one), a)
        assert float(torch.linalg.eigvalsh(torch.diag(of_shares) - hessian)[0]) >= -1e-9


def test_new_names_get_the_mean_of_the_trained_ones(tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone)
    whole, score = method.logits(features[0]), method.scorer()
    method.set_classes(("a boat", NAMES[3], "a tree", NAMES[0]))
    logits = method.logits(features[0])
    torch.testing.assert_close(logits[:, [1, 3]], whole[:, [3, 0]])
    mean = torch.from_numpy(method.state()["weight"][-1])
    texts = ZeroShot(tiny_backbone, ("a boat", "a tree")).class_features()
    torch.testing.assert_close(logits[:, [0, 2]], features[0] @ (mean[:-1] + mean[-1] * texts).T)
    assert torch.equal(pickle.loads(pickle.dumps(score))(features[0]), whole)


def test_what_is_not_fitted_is_zero_shot(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    untrained = BlendedProbe(tiny_backbone, NAMES)
    torch.testing.assert_close(
        untrained.logits(features[0]), ZeroShot(tiny_backbone, NAMES).logits(features[0])
    )
    assert untrained.state() == {}
    assert untrained.trainable_count() == 0
    train(untrained, features[:, labels != 2], labels[labels != 2], SCHEDULE)  # a class without images
    assert np.isfinite(untrained.state()["weight"]).all()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_state_goes_through_a_prompt_file(precision: str, tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone)
    file = loads(dumps(prompt_file_of(method, NAMES, {}), precision))
    other = BlendedProbe(tiny_backbone, NAMES, **file.options)
    other.load_state(file.tensors)
    if precision == "fp32":
        assert torch.equal(other.logits(features[0]), method.logits(features[0]))
    for names, tensors in (((), file.tensors), (NAMES[:4], file.tensors), (NAMES, {}), (NAMES, {"X": 0})):
        with pytest.raises(OptionError, match=r"class names need.*give the class names of the training"):
            BlendedProbe(tiny_backbone, names).load_state(tensors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1.0}, "start=-1.0 must be a number, 0 or more"),
        ({"iterations": -1}, "iterations=-1 is not allowed; give a whole number, 0 or more"),
        ({"iterations": 2.5}, "iterations=2.5 is not allowed"),
        ({"iterations": True}, "iterations=True is not allowed"),
        ({"template": "x"}, "must hold {} exactly once"),
    ],
)
def test_its_errors(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        BlendedProbe(tiny_backbone, NAMES, **options)
