"""Losses of more images and classes than there is memory for logits: in parts, equal to the whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from learning_toys import NAMES, toy_problem
from torch import Tensor

from promptlet.errors import AnswerError
from promptlet.methods import Method, build_method, many
from promptlet.methods import inputs as inputs_module
from promptlet.methods.inputs import FeatureInputs, TrainingData, all_logits, likeliest, of_logits
from promptlet.methods.many import best_of, in_parts, over_images
from promptlet.training import Schedule, loop, train

WHOLE = Schedule("whole", lr=0.01, epochs=4, batch_size=None, warmup_lr=None, optimizer="adamw")
LEARN = [
    ("coop", {}),
    ("coop", {"per_class": True}),
    ("rlp", {}),
    ("kgcoop", {}),
    ("dekg", {}),
    ("prograd", {"weight": 0.5, "temperature": 2.0}),
    ("dip_do", {}),
    ("qcoop", {}),
    ("clip_adapter", {}),
    ("tip_adapter_f", {}),
    ("zs_lp", {}),
    ("clap", {}),
    ("prolip", {}),
    ("prolip", {"r": 2}),
]
learning = pytest.mark.parametrize(("name", "options"), LEARN, ids=lambda value: str(value))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No more than 12 logits are held, 10 in a part: with 5 classes, two images. Counts the parts."""
    sizes: list[int] = []
    monkeypatch.setattr(many, "HELD", 12)
    monkeypatch.setattr(many, "PART", 10)
    own = many.best_of

    def counted(answers: Tensor) -> Tensor:
        sizes.append(len(answers))
        return own(answers)

    monkeypatch.setattr(many, "best_of", counted)
    return sizes


def stepped(method: Method, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Loss, best classes and gradients of one training step."""
    inputs = FeatureInputs(features)
    method.begin_training(TrainingData(inputs, labels, 1))
    method.train()
    loss, answers = method.loss(inputs.features[0], labels)
    loss.backward()  # type: ignore[no-untyped-call]
    method.after_backward()
    gradients = {name: p.grad.clone() for name, p in method.trainables().items() if p.grad is not None}
    return loss.detach(), best_of(answers), gradients


@learning
def test_a_loss_in_parts_is_the_loss_of_the_whole(
    name: str, options: dict[str, Any], tiny_backbone: Any, request: pytest.FixtureRequest
) -> None:
    features, labels = toy_problem(tiny_backbone)
    wanted = stepped(build_method(name, tiny_backbone, NAMES, **options), features, labels)
    sizes = request.getfixturevalue("small")
    found = stepped(build_method(name, tiny_backbone, NAMES, **options), features, labels)
    assert len(sizes) >= len(labels) // 2
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-5, atol=1e-6)
    assert torch.equal(found[1], wanted[1])
    assert found[2].keys() == wanted[2].keys() != set()
    for key, gradient in wanted[2].items():
        torch.testing.assert_close(
            found[2][key], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max())
        )


@pytest.mark.parametrize("name", ["rlp", "kgcoop", "tip_adapter_f"])
def test_a_training_in_parts_goes_as_the_whole_one(
    name: str, tiny_backbone: Any, request: pytest.FixtureRequest
) -> None:
    features, labels = toy_problem(tiny_backbone)

    def history() -> list[tuple[float, float]]:
        method = build_method(name, tiny_backbone, NAMES)
        return [(one.loss, one.accuracy) for one in train(method, features, labels, WHOLE).history]

    wanted = history()
    assert request.getfixturevalue("small") == []
    for found, one in zip(history(), wanted, strict=True):
        assert found == (pytest.approx(one[0], rel=1e-4), one[1])
    assert wanted[-1][0] < wanted[0][0]


def test_gradients_reach_the_inputs_too(small: list[int]) -> None:
    draw = torch.Generator().manual_seed(0)
    given = [torch.randn(n, 3, generator=draw) for n in (7, 5)]
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1])

    def objective(x: Tensor, y: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        logits = x @ classes.T
        return torch.nn.functional.cross_entropy(logits, y), logits

    results = []
    for held in (12, 1000):
        many.HELD = held
        x, classes = (one.clone().requires_grad_() for one in given)
        loss, answers = over_images(objective, x, labels, 5, classes)
        (3 * loss).backward()  # type: ignore[no-untyped-call]
        results.append((loss.detach(), best_of(answers), x.grad, classes.grad))
    assert small[:4] == [2, 2, 2, 1]
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_there_are_none_to_make(mode: Any, small: list[int]) -> None:
    """Also of what can learn."""

    def objective(x: Tensor, y: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        assert not torch.is_grad_enabled()
        logits = x @ classes.T
        return torch.nn.functional.cross_entropy(logits, y), logits

    learned = torch.eye(5, requires_grad=True)
    with mode():
        loss, answers = over_images(objective, torch.eye(5), torch.arange(5), 5, learned)
    assert not loss.requires_grad
    assert answers.tolist() == [0, 1, 2, 3, 4]
    assert small


def test_scores_in_parts_are_those_of_the_whole(small: list[int]) -> None:
    sizes = []

    def score(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return x * 2

    x = torch.arange(10.0).view(5, 2)
    assert torch.equal(in_parts(score, x, 5), x * 2)
    assert sizes == [2, 2, 1]
    assert torch.equal(in_parts(score, x, 0), x * 2)
    assert sizes[3:] == [5]


def test_all_features_in_their_order_are_no_copy() -> None:
    inputs = FeatureInputs(torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(0)))
    order, none = torch.arange(6), torch.zeros(6, dtype=torch.int64)
    assert inputs.take(none, order).data_ptr() == inputs.features.data_ptr()
    assert torch.equal(inputs.take(none, order), inputs.features[0])
    turned = inputs.take(none, order.flip(0))
    assert torch.equal(turned, inputs.features[0].flip(0))
    assert torch.equal(inputs.take(none[:2], order[:2]), inputs.features[0, :2])
    views = FeatureInputs(torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(views.take(none + 1, order), views.features[1])


def test_answers_of_some_images_at_a_time_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_module, "BATCH", 4)
    inputs = FeatureInputs(torch.randn(1, 10, 3, generator=torch.Generator().manual_seed(0)))
    sizes: list[int] = []

    def best(logits: Tensor) -> Tensor:
        sizes.append(len(logits))
        return likeliest(logits)

    whole = all_logits(lambda x: 5 * x, inputs, torch.device("cpu"))
    found = of_logits(best, lambda x: 5 * x, inputs, torch.device("cpu"))
    assert torch.equal(found, whole.softmax(-1).argmax(-1)) and sizes == [4, 4, 2]

    inputs.features[0, [5, 9]] = torch.nan
    with pytest.raises(AnswerError, match="2 of 10 answers are no numbers") as error:
        of_logits(best, lambda x: 5 * x, inputs, torch.device("cpu"))
    assert list(error.value.rows) == [5, 9]


def test_many_images_in_one_step_stay_where_they_are(
    tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = toy_problem(tiny_backbone)

    def trained() -> tuple[Tensor, Tensor]:
        seen: list[Tensor] = []
        method = build_method("coop", tiny_backbone, NAMES)
        own = method.loss

        def loss(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            seen.append(x)
            return own(x, y)

        method.loss = loss  # type: ignore[method-assign]
        train(method, features, labels, WHOLE)
        return seen[0], torch.from_numpy(method.state()["P"])

    shuffled, wanted = trained()
    monkeypatch.setattr(loop, "MANY", len(labels) - 1)
    kept, found = trained()
    assert not torch.equal(shuffled, kept)
    assert torch.equal(kept, FeatureInputs(features).features[0])
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
