"""RLA, ProLIP's linear adapter, against torch's own linear layer held to the identity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_problem

from promptlet.classifier import prompt_file_of
from promptlet.errors import OptionError
from promptlet.methods.features.prolip import LinearAdapter, squared_norm
from promptlet.methods.inputs import FeatureInputs, TrainingData
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, train

STEPS = Schedule("steps", lr=0.05, epochs=4, batch_size=None, weight_decay=0.0, warmup_lr=None)
forms = pytest.mark.parametrize("r", [None, 1, 3])


def test_steps_are_those_of_a_linear_layer_held_to_the_identity(tiny_backbone: Any) -> None:
    """The whole map W of the paper is learned here, not what it differs by."""
    features, labels = toy_problem(tiny_backbone, spread=0.4)
    method = LinearAdapter(tiny_backbone, NAMES)
    train(method, features, labels, STEPS)
    layer = torch.nn.Linear(16, 16, bias=False)
    identity = torch.eye(16)
    with torch.no_grad():
        layer.weight.copy_(identity)
    classes = ZeroShot(tiny_backbone, NAMES).class_features()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(4):
        optimizer.param_groups[0]["lr"] = STEPS.learning_rate(epoch)
        mapped = torch.nn.functional.normalize(layer(features[0]), dim=-1)
        loss = torch.nn.functional.cross_entropy(tiny_backbone.logit_scale * mapped @ classes.T, labels)
        loss = loss + torch.linalg.matrix_norm(layer.weight - identity) ** 2 / 4  # 1 / K of 4 images a class
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert method.weight == 0.25
    expected = (layer.weight.detach() - identity).T.numpy()
    np.testing.assert_allclose(method.state()["change"], expected, rtol=1e-3, atol=1e-6)
    assert np.abs(expected).max() > 0.01


@forms
def test_the_loss_and_its_gradient_are_the_papers(r: int | None, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = LinearAdapter(tiny_backbone, NAMES, weight=0.7, r=r)
    drawn = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one in method.trainables().values():
            one.copy_(0.3 * torch.randn(one.shape, generator=drawn))
    own = [one.detach().double().requires_grad_() for one in method.trainables().values()]
    change = own[0] if r is None else own[0] @ own[1]
    mapped = features[0].double() @ (torch.eye(16, dtype=torch.float64) + change)
    mapped = mapped / mapped.norm(dim=1, keepdim=True)
    classes = ZeroShot(tiny_backbone, NAMES).class_features().double()
    logits = tiny_backbone.logit_scale * mapped @ classes.T
    expected = torch.nn.functional.cross_entropy(logits, labels) + 0.7 * change.square().sum()
    expected.backward()
    loss, found = method.loss(features[0], labels)
    loss.backward()
    torch.testing.assert_close(found.double(), logits, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(loss.double(), expected, atol=1e-5, rtol=1e-5)
    for mine, one in zip(method.trainables().values(), own, strict=True):
        torch.testing.assert_close(mine.grad.double(), one.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("views", "per_class"), [(1, 1), (3, 4)])
def test_the_weight_is_one_over_the_images_of_a_class(views: int, per_class: int, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone, per_class=per_class, views=views)
    method = LinearAdapter(tiny_backbone, NAMES)
    method.begin_training(TrainingData(FeatureInputs(features), labels, 1))
    assert method.weight == 1 / per_class
    given = LinearAdapter(tiny_backbone, NAMES, weight=0.5)
    given.begin_training(TrainingData(FeatureInputs(features), labels, 1))
    assert given.weight == 0.5


@forms
def test_it_starts_zero_shot_and_a_heavy_weight_keeps_it_there(r: int | None, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    expected = ZeroShot(tiny_backbone, NAMES).logits(features[0])
    torch.testing.assert_close(LinearAdapter(tiny_backbone, NAMES, r=r).logits(features[0]), expected)
    slow = Schedule("slow", lr=1e-7, epochs=20, batch_size=None, weight_decay=0.0, warmup_lr=None)
    held, free = (LinearAdapter(tiny_backbone, NAMES, weight=weight, r=r) for weight in (1e6, 0.0))
    train(held, features, labels, slow)
    train(free, features, labels, STEPS)
    assert squared_norm(*held.trainables().values()) < 1e-6 < squared_norm(*free.trainables().values())


def test_the_norm_of_a_product_needs_no_product() -> None:
    up, down = torch.randn(7, 2, dtype=torch.float64), torch.randn(2, 7, dtype=torch.float64)
    torch.testing.assert_close(squared_norm(up, down), (up @ down).square().sum())


def test_counts_and_starts(tiny_backbone: Any) -> None:
    whole, low, same, other = (
        LinearAdapter(tiny_backbone, NAMES, r=r, seed=seed) for r, seed in ((None, 1), (2, 1), (2, 1), (2, 2))
    )
    assert (whole.trainable_count(), low.trainable_count()) == (16 * 16, 2 * 2 * 16)
    assert torch.equal(low.down, same.down)
    assert not torch.equal(low.down, other.down)
    assert 0.5 < float(low.down.detach().norm(dim=1).mean()) < 2


@forms
def test_state_goes_through_a_prompt_file_and_to_other_names(r: int | None, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = LinearAdapter(tiny_backbone, NAMES, r=r)
    train(method, features, labels, STEPS)
    file = loads(dumps(prompt_file_of(method, NAMES, {})))
    other = LinearAdapter(tiny_backbone, ("a boat", "a tree"), **file.options)
    other.load_state(file.tensors)
    classes = ZeroShot(tiny_backbone, ("a boat", "a tree")).class_features()
    expected = tiny_backbone.logits(method.image_features(features[0]), classes)
    assert torch.equal(other.logits(features[0]), expected)
    with pytest.raises(
        OptionError, match=r"the learned tensors have shapes .*give the r that it was trained"
    ):
        LinearAdapter(tiny_backbone, NAMES, r=2).load_state(file.tensors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight=-1.0 must be a number, 0 or more"),
        ({"weight": "much"}, "weight='much' is no number, 0 or more; leave it out for 1 / K"),
        ({"weight": True}, "weight=True is no number"),
        ({"r": 0}, "r=0 is outside 1 and more"),
        ({"r": 17}, r"r=17 is outside 1\.\.16"),
        ({"r": 1.5}, "r=1.5 is not allowed; give a whole number"),
        ({"template": "x"}, "must hold {} exactly once"),
    ],
)
def test_its_errors(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        LinearAdapter(tiny_backbone, NAMES, **options)
