"""Classes sampled for a step: which, the loss among them, the same draw again, and who cannot."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, toy_problem

from promptlet.classifier import PromptClassifier
from promptlet.errors import OptionError, TrainingError
from promptlet.methods import METHODS, Method, build_method
from promptlet.training import Schedule, method_schedule, train
from promptlet.training.sampled import Among, Sampler, check_sampled

WHOLE = Schedule("whole", lr=0.01, epochs=6, batch_size=None, warmup_lr=None, optimizer="adamw")
LABELS = torch.arange(10).repeat_interleave(3)


def schedule(sampled: int | None, batch_size: int | None = None, **more: Any) -> Schedule:
    return Schedule("s", lr=0.01, epochs=6, batch_size=batch_size, sampled_classes=sampled, **more)


def draws(sampled: int, batch: torch.Tensor, batch_size: int | None, seed: int = 1) -> list[Among]:
    sampler = Sampler(schedule(sampled, batch_size), LABELS, 12, seed)
    return [sampler.among(batch, epoch, 0) for epoch in range(20)]


def names_of(among: Among) -> list[int]:
    assert among.classes is not None
    return among.classes.tolist()


def test_a_step_over_all_images_takes_those_of_the_sampled_classes() -> None:
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    found = draws(4, order, None)
    for among in found:
        assert len(set(names_of(among))) == 4
        assert names_of(among) == sorted(names_of(among))
        assert sorted(among.rows.tolist()) == [i for i in range(30) if int(LABELS[i]) in names_of(among)]
        assert torch.equal(torch.tensor(names_of(among))[among.labels], LABELS[among.rows])
    assert {name for among in found for name in names_of(among)} == set(range(10))
    assert len({tuple(names_of(among)) for among in found}) > 10


def test_a_batch_is_kept_whole_beside_others_by_chance() -> None:
    batch = torch.tensor([0, 1, 29, 5])
    found = draws(6, batch, 4)
    for among in found:
        assert torch.equal(among.rows, batch)
        assert {0, 1, 9} < set(names_of(among)) and len(names_of(among)) == 6
        assert torch.equal(torch.tensor(names_of(among))[among.labels], LABELS[batch])
    assert {name for among in found for name in names_of(among)} == set(range(12))


def test_a_batch_of_more_classes_than_asked_for_is_over_its_own() -> None:
    [among, *_] = draws(2, torch.tensor([0, 10, 29]), 3)
    assert names_of(among) == [0, 3, 9]


def test_the_only_batch_of_an_epoch_is_kept_whole_where_images_are_left_out() -> None:
    """It is not over all of them, though no other step follows."""
    assert schedule(4, 20).steps_per_epoch(30) == schedule(4, 30).steps_per_epoch(30) == 1
    assert not schedule(4, 20).takes_all(30) and schedule(4, 30).takes_all(30)
    for among in draws(4, torch.arange(20), 20):
        assert torch.equal(among.rows, torch.arange(20)) and names_of(among) == list(range(7))


def test_classes_without_images_are_drawn_where_others_do_not_suffice() -> None:
    found = draws(11, torch.arange(30), None)
    for among in found:
        assert set(range(10)) < set(names_of(among)) and len(names_of(among)) == 11
        assert len(among.rows) == 30
    assert {name for among in found for name in names_of(among)} == set(range(12))


def test_the_draw_follows_from_the_seed() -> None:
    once, again, other = (draws(4, torch.arange(30), None, seed) for seed in (1, 1, 2))
    assert list(map(names_of, once)) == list(map(names_of, again)) != list(map(names_of, other))


@pytest.mark.parametrize("name", ["coop", "rlp", "kgcoop", "prograd", "dip_do", "qcoop", "cocoop"])
def test_the_loss_is_that_of_a_method_over_these_names_alone(name: str, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method(name, tiny_backbone, NAMES).train()
    kept, chosen = [0, 1, 13, 19], np.array([0, 3, 4])
    among = Among(torch.tensor(kept), chosen, torch.tensor([0, 0, 1, 2]))
    alone = build_method(name, tiny_backbone, [NAMES[i] for i in chosen]).train()
    alone.stands_for = 2.0  # 4 others of each image, of which 2 are there
    gradients = []
    for loss, answers, of in (
        (*among.loss(method, F.normalize(features[0][kept], dim=-1)), method),
        (*alone.loss(F.normalize(features[0][kept], dim=-1), among.labels), alone),
    ):
        assert answers.shape == (4, 3)
        gradients.append([loss, *torch.autograd.grad(loss, list(of.trainables().values()))])
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert method.class_names == NAMES and method.stands_for == 1.0
    assert method.loss(features[0], labels)[1].shape == (len(labels), len(NAMES))


def test_other_classes_stand_for_those_left_out(tiny_backbone: Any) -> None:
    method = build_method("coop", tiny_backbone, NAMES)
    draw = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, 3, generator=draw), torch.tensor([0, 1, 2, 0, 1, 2])
    with method.among([0, 2, 4]):
        found = method.entropy(logits, labels)
    by_hand = [
        -logits[i, y] + torch.log(logits[i, y].exp() + 2 * (logits[i].exp().sum() - logits[i, y].exp()))
        for i, y in enumerate(labels)
    ]
    torch.testing.assert_close(found, torch.stack(by_hand).mean())
    assert method.entropy(logits, labels) == F.cross_entropy(logits, labels) < found


def test_the_sum_under_the_softmax_is_right_on_average(tiny_backbone: Any) -> None:
    """Over all ways to draw 2 of the 4 other classes, the mean of the estimates is the whole sum."""
    method = build_method("coop", tiny_backbone, NAMES)
    logits = torch.randn(5, generator=torch.Generator().manual_seed(0))
    sums = []
    for others in combinations(range(1, 5), 2):
        with method.among([0, *others]):
            loss = method.entropy(logits[[0, *others]][None], torch.tensor([0]))
        sums.append((loss + logits[0]).exp())
    torch.testing.assert_close(torch.stack(sums).mean(), logits.exp().sum())


def trained(backbone: Any, name: str = "rlp", **options: Any) -> tuple[Method, list[float]]:
    features, labels = toy_problem(backbone)
    method = build_method(name, backbone, NAMES)
    result = train(method, features, labels, schedule(**options, warmup_lr=None, optimizer="adamw"))
    return method, [one.loss for one in result.history]


def test_as_many_classes_as_there_are_is_all_of_them(tiny_backbone: Any) -> None:
    for batch_size in (None, 6):
        plain = trained(tiny_backbone, sampled=None, batch_size=batch_size)
        for sampled in (len(NAMES), 100):
            found = trained(tiny_backbone, sampled=sampled, batch_size=batch_size)
            assert found[1] == plain[1]
            assert all(np.array_equal(found[0].state()[k], v) for k, v in plain[0].state().items())


def test_fewer_classes_train_something_else_that_is_of_use(tiny_backbone: Any) -> None:
    method, losses = trained(tiny_backbone, sampled=3, batch_size=None)
    plain, whole = trained(tiny_backbone, sampled=None, batch_size=None)
    features, labels = toy_problem(tiny_backbone)
    start = build_method("rlp", tiny_backbone, NAMES).eval()
    with torch.no_grad():
        begun, found = (float(one.loss(features[0], labels)[0]) for one in (start, method))
    assert losses != whole
    assert not np.array_equal(method.state()["V"], plain.state()["V"])
    assert found < begun


def test_a_training_that_was_stopped_goes_on_with_the_same_draws(tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_problem(tiny_backbone)
    path = tmp_path / "stopped.ckpt"

    def run(sampled: int | None, stop: int = 0) -> Method:
        def on_epoch(report: Any) -> None:
            if report.epoch == stop:
                raise KeyboardInterrupt

        method = build_method("rlp", tiny_backbone, NAMES)
        train(method, features, labels, schedule(sampled, 6), checkpoint=path, on_epoch=on_epoch)
        return method

    whole = run(3)
    with pytest.raises(KeyboardInterrupt):
        run(3, stop=2)
    with pytest.raises(TrainingError, match="3 classes a step there"):
        run(4)
    with pytest.raises(TrainingError, match="other settings"):
        run(None)
    gone_on = run(3)
    assert all(np.array_equal(whole.state()[key], array) for key, array in gone_on.state().items())


def test_records_and_checkpoints_of_all_classes_are_as_they_were() -> None:
    assert "sampled_classes" not in WHOLE.facts()
    assert "sampled" not in repr(WHOLE)
    assert {**WHOLE.facts(), "sampled_classes": None} == asdict(WHOLE)
    assert Schedule(**schedule(3).facts()) == schedule(3)
    assert schedule(3).facts()["sampled_classes"] == 3


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("clip_adapter", "once"),
        ("clap", "once"),
        ("prolip", "once"),
        ("tip_adapter", "once"),
        ("tip_adapter_f", "once"),
        ("linear_probe", "once"),
        ("maple", "encodes images at every step"),
        ("clip_lora", "encodes images at every step"),
        ("clip_svd", "encodes images at every step"),
        ("two_sfs", "encodes images at every step"),
    ],
)
def test_methods_that_gain_nothing_refuse(name: str, why: str, tiny_backbone: Any) -> None:
    asked = method_schedule(METHODS[name].info, "fast", sampled_classes=3)
    with pytest.raises(
        OptionError, match=f"sampled_classes=3 is not possible with '{name}': .*{why}.*rlp or coop"
    ):
        check_sampled(METHODS[name], asked)
    features, labels = toy_problem(tiny_backbone)
    with pytest.raises(OptionError, match="sampled_classes=3"):
        train(build_method(name, tiny_backbone, NAMES), features, labels, asked)


def test_a_context_for_each_class_refuses(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("coop", tiny_backbone, NAMES, per_class=True)
    with pytest.raises(OptionError, match="each class has a context of its own"):
        train(method, features, labels, schedule(3))
    check_sampled(METHODS["zero_shot"], schedule(3))  # it has no steps


def test_a_classifier_takes_it_and_its_file_tells_it(tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_problem(tiny_backbone)
    words = np.array(NAMES)[labels.numpy()]
    classifier = PromptClassifier(tiny_backbone, sampled_classes=3, epochs=2).fit(features[0].numpy(), words)
    assert classifier.training_["sampled_classes"] == 3
    whole = PromptClassifier(tiny_backbone, epochs=2).fit(features[0].numpy(), words)
    assert "sampled_classes" not in whole.training_
    with pytest.raises(OptionError, match="sampled_classes="):
        PromptClassifier(tiny_backbone, sampled_classes=1).fit(features[0].numpy(), words)
    with pytest.raises(OptionError, match="not possible with 'tip_adapter'"):
        PromptClassifier(tiny_backbone, "tip_adapter", sampled_classes=3).fit(features[0].numpy(), words)
