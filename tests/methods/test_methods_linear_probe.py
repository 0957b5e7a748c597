"""The linear probe against scikit-learn, and its search for C against CoOp's lpclip."""

from __future__ import annotations

import math
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, noise, toy_problem
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from promptlet.classifier import prompt_file_of
from promptlet.errors import OptionError, TrainingError
from promptlet.methods.features.linear_probe import LinearProbe
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, train

SCHEDULE = Schedule("unused", lr=0.1, epochs=1, batch_size=None)


def fitted(backbone: Any, names: Any = NAMES, views: int = 1, **options: Any) -> tuple[Any, Tensor, Tensor]:
    features, labels = toy_problem(backbone, names=names, views=views, spread=0.4)
    method = LinearProbe(backbone, names, **options)
    train(method, features, labels, SCHEDULE)
    return method, features, labels


@pytest.mark.parametrize("names", [NAMES, NAMES[:2]], ids=["five classes", "two classes"])
@pytest.mark.parametrize("views", [1, 3])
def test_its_probabilities_are_scikit_learns(names: Any, views: int, tiny_backbone: Any) -> None:
    method, features, labels = fitted(tiny_backbone, names, views, C=2.0)
    x = features.reshape(-1, 16).double().numpy()
    model = LogisticRegression(C=2.0, max_iter=1000).fit(x, np.tile(labels.numpy(), views))
    asked = torch.nn.functional.normalize(noise("asked", (50, 16)), dim=-1)
    expected = model.predict_proba(asked.double().numpy())
    np.testing.assert_allclose(method.logits(asked).softmax(-1).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(method.scorer()(asked).softmax(-1).numpy(), expected, atol=1e-5)
    assert method.trainable_count() == len(names) * 17
    assert method.state()["weight"].shape == (len(names), 17)


def test_it_minimises_cross_entropy_with_a_penalty_on_the_weights(tiny_backbone: Any) -> None:
    """The gradient of the objective, written out, is zero at what was found."""
    method, features, labels = fitted(tiny_backbone, C=3.0)
    weight = torch.from_numpy(method.state()["weight"]).double().requires_grad_()
    logits = features[0].double() @ weight[:, :16].T + weight[:, 16]
    objective = 3.0 * torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(objective + weight[:, :16].square().sum() / 2, weight)
    assert float(gradient.abs().max()) < 0.01


def test_one_image_a_class_is_no_regression(tiny_backbone: Any) -> None:
    """Of which scikit-learn warns; nobody who has one photo of each wants to hear of it."""
    names = tuple(f"thing {i}" for i in range(30))
    method = LinearProbe(tiny_backbone, names)
    features, labels = toy_problem(tiny_backbone, names=names, per_class=1)
    train(method, features, labels, SCHEDULE)
    assert method.state()["weight"].shape == (30, 17)


def lpclip(x: Any, y: Any, val_x: Any, val_y: Any) -> float:
    """The search of CoOp's lpclip/linear_probe.py as it is told there: every model fitted anew."""

    def share(strength: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = LogisticRegression(solver="lbfgs", max_iter=1000, C=strength).fit(x, y)
        return float(np.mean(model.predict(val_x) == val_y))

    tried = [1e6, 1e4, 1e2, 1, 1e-2, 1e-4, 1e-6]
    peak = tried[int(np.argmax([share(strength) for strength in tried]))]
    left, right = 0.1 * peak, 10 * peak
    for _ in range(8):
        middle = np.sqrt(left * right)
        if share(left) < share(right):
            final, left = right, middle
        else:
            final, right = left, middle
    return float(final)


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(3))
def test_c_is_the_one_of_coops_search(draw: int, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone, per_class=6, spread=0.4)
    val, val_labels = toy_problem(tiny_backbone, per_class=12)
    val = torch.nn.functional.normalize(val + noise("val", tuple(val.shape), 0.5, seed=draw), dim=-1)
    method = LinearProbe(tiny_backbone, NAMES)
    train(method, features, labels, SCHEDULE, val=(val, val_labels))
    arrays = [t.double().numpy() for t in (features[0], val[0])]
    expected = lpclip(arrays[0], labels.numpy(), arrays[1], val_labels.numpy())
    assert math.isclose(method.C, expected, rel_tol=1e-6)


def test_without_validation_images_c_stays_and_a_second_training_forgets_the_first(
    tiny_backbone: Any,
) -> None:
    method, features, labels = fitted(tiny_backbone)
    assert method.C == 10.0
    before = method.state()["weight"]
    train(method, features, labels, SCHEDULE, val=(features, labels))
    assert method.C != 10.0
    train(method, features, labels, SCHEDULE)
    assert method.C == 10.0
    assert np.array_equal(method.state()["weight"], before)


def test_it_knows_its_own_classes_in_any_order(tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone)
    whole = method.logits(features[0])
    score = method.scorer()
    method.set_classes([NAMES[3], NAMES[0]])
    torch.testing.assert_close(method.logits(features[0]), whole[:, [3, 0]])
    assert torch.equal(pickle.loads(pickle.dumps(score))(features[0]), whole)
    assert method.state()["weight"].shape == (5, 17)
    with pytest.raises(OptionError, match=r"'cot' was not trained: .* its 5 classes.*Did you mean 'cat'"):
        method.set_classes(["dog", "cot"])
    assert method.class_names == (NAMES[3], NAMES[0])


def test_state_goes_through_a_prompt_file(tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone)
    file = loads(dumps(prompt_file_of(method, NAMES, {})))
    other = LinearProbe(tiny_backbone, NAMES, **method.stored_options())
    other.load_state(file.tensors)
    assert torch.equal(other.logits(features[0]), method.logits(features[0]))
    assert other.trainable_count() == 5 * 17
    for names, tensors in (
        ((), file.tensors),
        (NAMES[:4], file.tensors),
        (NAMES, {}),
        (NAMES, {"X": file.tensors["weight"]}),
    ):
        with pytest.raises(OptionError, match=r"class names need.*give the class names of the training"):
            LinearProbe(tiny_backbone, names).load_state(tensors)


def test_what_it_cannot_do_is_said(tiny_backbone: Any) -> None:
    method = LinearProbe(tiny_backbone, NAMES)
    features, labels = toy_problem(tiny_backbone)
    assert method.trainable_count() == 0
    assert method.state() == {}
    with pytest.raises(OptionError, match="not trained yet; train it, or load"):
        method.logits(features[0])
    with pytest.raises(OptionError, match="has no class features"):
        method.class_features()
    some = labels != 3
    with pytest.raises(TrainingError, match="no training image of 1 classes: 'the dog'"):
        train(method, features[:, some], labels[some], SCHEDULE)
    alone = LinearProbe(tiny_backbone, NAMES[:1])
    with pytest.raises(TrainingError, match=r"needs two classes or more, not 1 \(cat\)"):
        train(alone, features[:, :4], labels[:4], SCHEDULE)


@pytest.mark.parametrize("strength", [0.0, -1.0, float("inf"), float("nan")])
def test_c_must_be_a_strength(strength: float, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="must be a number above 0 and finite"):
        LinearProbe(tiny_backbone, NAMES, C=strength)
