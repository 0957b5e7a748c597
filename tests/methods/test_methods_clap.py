"""ZS-LP and CLAP against steps of gradient descent worked out by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_problem

from promptlet.classifier import prompt_file_of
from promptlet.errors import OptionError
from promptlet.methods import METHODS
from promptlet.methods.features.clap import ClassAdaptiveProbe, ZeroShotLinearProbe
from promptlet.methods.inputs import FeatureInputs, TrainingData
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, method_schedule, train

STEPS = Schedule("steps", lr=0.1, epochs=5, batch_size=None, weight_decay=0.0, warmup_lr=None)
NEW = ("a boat", NAMES[3], "a tree", NAMES[0])
both = pytest.mark.parametrize("kind", [ZeroShotLinearProbe, ClassAdaptiveProbe])


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def descended(
    x: np.ndarray, y: np.ndarray, start: np.ndarray, scale: float, rates: list[float], is_held: bool
) -> np.ndarray:
    """SGD with momentum 0.9, the gradient written out: of cosines through their lengths, and of the hold."""
    weight, speed = start.copy(), np.zeros_like(start)
    one_hot = np.eye(len(start))[y]
    of_start = start / np.linalg.norm(start, axis=1, keepdims=True)
    zero_shot = softmax(scale * x @ of_start.T)
    trust = [zero_shot[y == c, c].mean() for c in range(len(start))]
    for rate in rates:
        length = np.linalg.norm(weight, axis=1, keepdims=True)
        unit = weight / length
        wrong = softmax(scale * x @ unit.T) - one_hot
        along = scale * wrong.T @ x / len(x)
        gradient = (along - (along * unit).sum(1, keepdims=True) * unit) / length
        if is_held:
            gradient += 2 * np.array(trust)[:, None] * (weight - start) / len(start)
        speed = 0.9 * speed + gradient
        weight = weight - rate * speed
    return weight


@both
@pytest.mark.parametrize("length", [0.0, 10.0])
def test_steps_are_those_of_the_paper(kind: Any, length: float, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone, per_class=3, spread=0.3)
    method = kind(tiny_backbone, NAMES, length=length)
    start = tiny_backbone.text.encode_texts([f"a photo of a {name}." for name in NAMES]).double().numpy()
    if length:
        start *= length / np.linalg.norm(start, axis=1, keepdims=True)
    train(method, features, labels, STEPS)
    x, y = features[0].double().numpy(), labels.numpy()
    rates = [STEPS.learning_rate(epoch) for epoch in range(5)]
    expected = descended(x, y, start, tiny_backbone.logit_scale, rates, kind is ClassAdaptiveProbe)
    np.testing.assert_allclose(method.state()["prototypes"], expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected - start).max() > 0.01


def test_claps_weights_are_zero_shots_probabilities(tiny_backbone: Any) -> None:
    """Over all readings of a class's images; a class without images is held whole."""
    features, labels = toy_problem(tiny_backbone, views=3, spread=0.5)
    some = labels != 2
    method = ClassAdaptiveProbe(tiny_backbone, NAMES)
    method.begin_training(TrainingData(FeatureInputs(features[:, some]), labels[some], 1))
    assert method.trust is not None
    for place in range(5):
        own = torch.nn.functional.normalize(features[:, labels == place].flatten(0, 1), dim=-1)
        shares = ZeroShot(tiny_backbone, NAMES).logits(own).softmax(-1)[:, place]
        expected = 1.0 if place == 2 else float(shares.mean())
        assert float(method.trust[place]) == pytest.approx(expected, rel=1e-5)


def test_trust_is_the_same_of_some_images_at_a_time(
    tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = toy_problem(tiny_backbone)
    whole, parts = (ClassAdaptiveProbe(tiny_backbone, NAMES) for _ in range(2))
    whole.begin_training(TrainingData(FeatureInputs(features), labels, 1))
    monkeypatch.setattr("promptlet.methods.features.clap.HELD", 12)
    parts.begin_training(TrainingData(FeatureInputs(features), labels, 1))
    torch.testing.assert_close(parts.trust, whole.trust)


def test_clap_stays_nearer_to_zero_shot(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone, spread=0.3)
    moved = []
    for kind in (ZeroShotLinearProbe, ClassAdaptiveProbe):
        method = kind(tiny_backbone, NAMES)
        before = method.state()["prototypes"]
        train(method, features, labels, STEPS)
        moved.append(float(np.square(method.state()["prototypes"] - before).sum()))
    assert 0 < moved[1] < moved[0]


@both
def test_untrained_it_is_zero_shot(kind: Any, tiny_backbone: Any) -> None:
    features, _ = toy_problem(tiny_backbone)
    for length in (0.0, 3.0):
        method = kind(tiny_backbone, NAMES, length=length)
        expected = ZeroShot(tiny_backbone, NAMES).logits(features[0])
        torch.testing.assert_close(method.logits(features[0]), expected)
        np.testing.assert_allclose(
            np.linalg.norm(method.state()["prototypes"], axis=1) if length else 3.0, 3.0, rtol=1e-5
        )


@both
def test_names_that_were_not_trained_are_answered_zero_shot(kind: Any, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = kind(tiny_backbone, NAMES)
    train(method, features, labels, STEPS)
    whole = method.logits(features[0]).detach()
    method.set_classes(NEW)
    logits = method.logits(features[0]).detach()
    torch.testing.assert_close(logits[:, [1, 3]], whole[:, [3, 0]])
    torch.testing.assert_close(
        logits[:, [0, 2]], ZeroShot(tiny_backbone, (NEW[0], NEW[2])).logits(features[0])
    )
    method.set_classes(NEW[:1] + NEW[2:3])
    assert method.logits(features[0]).shape == (20, 2)
    method.set_classes(NAMES)
    assert torch.equal(method.logits(features[0]), whole)


@both
def test_trained_for_other_names_it_begins_anew(kind: Any, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method, fresh = kind(tiny_backbone, ("a boat", "a tree")), kind(tiny_backbone, NAMES)
    method.set_classes(NAMES)
    for each in (method, fresh):
        train(each, features, labels, STEPS)
    assert method.learned_names == NAMES
    assert np.array_equal(method.state()["prototypes"], fresh.state()["prototypes"])


@both
def test_state_goes_through_a_prompt_file(kind: Any, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = kind(tiny_backbone, NAMES)
    train(method, features, labels, STEPS)
    file = loads(dumps(prompt_file_of(method, NAMES, {})))
    assert set(file.options) == {"template"}
    other = kind(tiny_backbone, ("a boat",), **file.options)
    other.set_classes(file.class_names)
    other.load_state(file.tensors)
    assert torch.equal(other.logits(features[0]), method.logits(features[0]))
    for names, tensors in ((NAMES[:4], file.tensors), (NAMES, {}), (NAMES, {"X": 0})):
        with pytest.raises(OptionError, match=r"class names need.*give the class names of the training"):
            kind(tiny_backbone, names).load_state(tensors)


def test_the_official_schedule_is_the_codes() -> None:
    for name in ("zs_lp", "clap"):
        schedule = method_schedule(METHODS[name].info, "official")
        assert (schedule.optimizer, schedule.lr, schedule.epochs) == ("sgd", 0.1, 300)
        assert (schedule.batch_size, schedule.weight_decay, schedule.momentum) == (256, 0.0, 0.9)
        assert [schedule.learning_rate(epoch) for epoch in (0, 1)] == [1e-5, 0.1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -1.0}, "length=-1.0 must be a number, 0 or more"),
        ({"length": float("nan")}, "length=nan must be"),
        ({"template": "x"}, "must hold {} exactly once"),
    ],
)
@both
def test_its_errors(kind: Any, options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        kind(tiny_backbone, NAMES, **options)
