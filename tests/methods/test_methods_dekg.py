"""DeKg against the criterion with its kernels written out, and against KgCoOp."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from learning_toys import NAMES, noise, toy_problem

from promptlet.errors import OptionError
from promptlet.methods import METHODS, build_method
from promptlet.methods.text.dekg import DeKg, dependence
from promptlet.training import Schedule, method_schedule, train

STEPS = Schedule("steps", lr=0.02, epochs=10, batch_size=None, warmup_lr=None)


def criterion(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """tr(H K H K') with both Gram matrices and the centring matrix made."""
    count = len(one)
    one, other = one / one.square().sum().sqrt(), other / other.square().sum().sqrt()
    centring = torch.eye(count) - torch.ones(count, count) / count
    return torch.trace(centring @ (one @ one.T) @ centring @ (other @ other.T))


def test_dependence_is_the_criterion_with_linear_kernels() -> None:
    one, other = noise("one", (7, 5)), noise("other", (7, 4))
    torch.testing.assert_close(dependence(one, other), criterion(one, other))
    torch.testing.assert_close(dependence(one, one.mean(0).expand(7, 5)), torch.tensor(0.0))


def test_the_loss_and_its_gradient_are_kgcoops_and_the_criterion(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("dekg", tiny_backbone, NAMES, weight=3.0, independence=50.0)
    known = build_method("kgcoop", tiny_backbone, NAMES, weight=3.0)
    anchor = tiny_backbone.text.encode_texts([f"a photo of a {name}." for name in NAMES])
    anchor = anchor / anchor.norm(dim=1, keepdim=True)
    loss, logits = known.loss(features[0], labels)
    expected = loss + 50.0 * criterion(known.class_features(), anchor)
    expected.backward()
    found, own = method.loss(features[0], labels)
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(own, logits)
    gradients = [next(iter(each.trainables().values())).grad for each in (method, known)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_without_independence_it_is_kgcoop_and_with_it_the_dependence_falls(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    methods = [
        build_method("kgcoop", tiny_backbone, NAMES),
        build_method("dekg", tiny_backbone, NAMES, independence=0.0),
        build_method("dekg", tiny_backbone, NAMES, independence=1000.0),
    ]
    for method in methods:
        train(method, features, labels, STEPS)
    with torch.no_grad():
        plain, same, freed = (method.class_features() for method in methods)
    torch.testing.assert_close(plain, same)
    anchor = methods[1].anchor()
    assert dependence(freed, anchor) < 0.9 * dependence(same, anchor)


def test_official_settings_and_errors(tiny_backbone: Any) -> None:
    schedule = method_schedule(METHODS["dekg"].info, "official")
    assert (schedule.epochs, schedule.batch_size, schedule.lr) == (100, 128, 0.002)
    method = DeKg(tiny_backbone, NAMES)
    assert (method.weight, method.independence) == (8.0, 6.0)
    with pytest.raises(OptionError, match=r"independence=-1\.0 must be a number, 0 or more"):
        DeKg(tiny_backbone, NAMES, independence=-1.0)
