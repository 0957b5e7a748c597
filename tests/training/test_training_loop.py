"""The loop: what it reports, in what order it goes, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, steps_of, toy_problem
from torch import Tensor

from promptlet import rng
from promptlet.errors import TrainingError
from promptlet.methods import Method, build_method
from promptlet.methods.inputs import FeatureInputs
from promptlet.training import EpochReport, Schedule, train

SCHEDULE = Schedule("short", lr=0.02, epochs=3, batch_size=6)


class Recorder:
    """Stands in for a method's loss and hooks, and writes down what came."""

    def __init__(self, method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.batches: list[tuple[Tensor, Tensor]] = []
        own_loss = method.loss

        def loss(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            self.calls.append("loss")
            self.batches.append((features, labels))
            assert method.training
            return own_loss(features, labels)

        for name in ("begin_step", "after_epoch"):
            own = getattr(method, name)
            monkeypatch.setattr(
                method, name, lambda at, name=name, own=own: (self.calls.append(f"{name} {at}"), own(at))
            )
        monkeypatch.setattr(method, "loss", loss)
        monkeypatch.setattr(method, "after_backward", lambda: self.calls.append("after_backward"))


def test_history_tells_every_epoch(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("rlp", tiny_backbone, NAMES)
    seen: list[EpochReport] = []
    result = train(method, features, labels, SCHEDULE, on_epoch=seen.append)
    assert result.history == tuple(seen)
    assert [(r.epoch, r.epochs) for r in seen] == [(1, 3), (2, 3), (3, 3)]
    assert [r.lr for r in seen] == [SCHEDULE.learning_rate(e) for e in range(3)]
    assert all(0 <= r.accuracy <= 100 and r.seconds > 0 for r in seen)
    assert result.text_passes == 3 * (20 // 6)
    assert result.seconds - result.seconds_around == pytest.approx(sum(r.seconds for r in seen))
    assert not method.training


def test_loss_and_accuracy_are_means_over_the_steps(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("coop", tiny_backbone, NAMES)
    given = steps_of(method)
    schedule = Schedule("one", lr=0.02, epochs=1, batch_size=6, drop_last=False)
    (report,) = train(method, features, labels, schedule).history
    assert [n for _, _, n in given] == [6, 6, 6, 2]
    assert report.loss == pytest.approx(np.mean([v for v, _, _ in given]))
    assert report.accuracy == pytest.approx(100 * sum(h for _, h, _ in given) / 20)


def test_hooks_come_in_their_order(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("rlp", tiny_backbone, NAMES)
    recorder = Recorder(method, monkeypatch)
    train(
        method,
        features,
        labels,
        Schedule("two", lr=0.02, epochs=2, batch_size=10),
        on_epoch=lambda report: recorder.calls.append(f"on_epoch {report.epoch}"),
    )
    step = ["loss", "after_backward"]
    epochs = [
        ["begin_step 0", *step, "begin_step 1", *step, "after_epoch 0", "on_epoch 1"],
        ["begin_step 2", *step, "begin_step 3", *step, "after_epoch 1", "on_epoch 2"],
    ]
    assert recorder.calls == [*epochs[0], *epochs[1]]


def test_each_epoch_has_an_order_of_its_own_that_follows_from_the_seed(
    tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("rlp", tiny_backbone, NAMES)
    recorder = Recorder(method, monkeypatch)
    train(method, features, labels, SCHEDULE, seed=5)
    for epoch in range(3):
        order = rng.generator(f"order/{epoch}", 5).permutation(20)[:18]  # the incomplete batch is left out
        batches = recorder.batches[3 * epoch : 3 * epoch + 3]
        assert torch.equal(torch.cat([y for _, y in batches]), labels[order])
        torch.testing.assert_close(torch.cat([x for x, _ in batches]), features[0][order])


def test_each_image_takes_one_view_an_epoch_and_meets_them_all(
    tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = toy_problem(tiny_backbone, views=4)
    method = build_method("rlp", tiny_backbone, NAMES)
    recorder = Recorder(method, monkeypatch)
    train(method, features, labels, Schedule("v", lr=0.001, epochs=30, batch_size=None), seed=2)
    chosen = np.zeros((30, 20), int)
    for epoch, (x, _) in enumerate(recorder.batches):
        order = rng.generator(f"order/{epoch}", 2).permutation(20)
        close = (x[None] - features[:, order]).norm(dim=-1) < 1e-5  # (V, N)
        assert torch.equal(close.sum(0), torch.ones(20, dtype=torch.long))
        chosen[epoch, order] = close.int().argmax(0).numpy()
    assert all(set(chosen[:, image]) == {0, 1, 2, 3} for image in range(20))
    assert abs(np.bincount(chosen.ravel(), minlength=4) / chosen.size - 0.25).max() < 0.06


def taken_in_turn(
    backbone: Any, monkeypatch: pytest.MonkeyPatch, crops: int, epochs: int, seed: int = 2
) -> np.ndarray:
    """Which crop of each image each epoch took (E, N)."""
    features, labels = toy_problem(backbone, views=crops)
    method = build_method("rlp", backbone, NAMES)
    recorder = Recorder(method, monkeypatch)
    inputs = FeatureInputs(features, in_turn=True)
    train(method, inputs, labels, Schedule("v", lr=0.001, epochs=epochs, batch_size=None), seed=seed)
    chosen = np.zeros((epochs, 20), int)
    for epoch, (x, _) in enumerate(recorder.batches):
        order = rng.generator(f"order/{epoch}", seed).permutation(20)
        close = (x[None] - features[:, order]).norm(dim=-1) < 1e-5  # (V, N)
        assert torch.equal(close.sum(0), torch.ones(20, dtype=torch.long))
        chosen[epoch, order] = close.int().argmax(0).numpy()
    return chosen


def test_crops_are_taken_in_turn(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many epochs after each other see all of an image's; images begin at different ones."""
    chosen = taken_in_turn(tiny_backbone, monkeypatch, crops=4, epochs=9)
    for begin in range(6):
        assert (np.sort(chosen[begin : begin + 4], axis=0) == np.arange(4)[:, None]).all()
    assert set(chosen[0]) == {0, 1, 2, 3}


def test_as_many_crops_as_epochs_are_new_in_each(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = taken_in_turn(tiny_backbone, monkeypatch, crops=6, epochs=6)
    assert (np.sort(chosen, axis=0) == np.arange(6)[:, None]).all()
    other = taken_in_turn(tiny_backbone, monkeypatch, crops=6, epochs=6, seed=3)
    assert not np.array_equal(chosen, other)


def test_features_are_normalised_here(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    short = build_method("rlp", tiny_backbone, NAMES)
    long = build_method("rlp", tiny_backbone, NAMES)
    train(short, features, labels, SCHEDULE)
    train(long, (features * 100).double(), labels, SCHEDULE)
    for a, b in zip(short.state().values(), long.state().values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_zero_shot_trains_nothing(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    result = train(build_method("zero_shot", tiny_backbone, NAMES), features, labels, SCHEDULE)
    assert (result.history, result.text_passes, result.seconds) == ((), 0, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_stop_training_with_advice(value: float, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    features[0, 3, 2] = value
    method = build_method("rlp", tiny_backbone, NAMES)
    message = (
        r"the loss became nan in epoch 1 at learning rate 1e-05; try a smaller lr, and check that no image"
    )
    with pytest.raises(TrainingError, match=message):
        train(method, features, labels, Schedule("all", lr=0.02, epochs=3, batch_size=None))
    assert not method.training


@pytest.mark.parametrize("shape", [(20, 16), (1, 19, 16), (1, 1, 20, 16)])
def test_features_that_do_not_fit_the_labels_are_refused(shape: tuple[int, ...], tiny_backbone: Any) -> None:
    _, labels = toy_problem(tiny_backbone)
    method = build_method("rlp", tiny_backbone, NAMES)
    with pytest.raises(TrainingError, match=r"do not fit 20 labels; expected \(views, images, D\)"):
        train(method, torch.ones(shape), labels, SCHEDULE)


def test_errors_of_a_callback_come_through(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("rlp", tiny_backbone, NAMES)

    def fail(report: EpochReport) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        train(method, features, labels, SCHEDULE, on_epoch=fail)
    assert not method.training
