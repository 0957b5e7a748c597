"""CLIP-Adapter and Tip-Adapter against their definitions, by plain torch and NumPy."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, noise, toy_problem
from torch import Tensor

from promptlet.classifier import prompt_file_of
from promptlet.errors import OptionError
from promptlet.methods import Method
from promptlet.methods.features.clip_adapter import ClipAdapter
from promptlet.methods.features.tip_adapter import TipAdapter, TipAdapterF, by_class, steps
from promptlet.methods.inputs import FeatureInputs, TrainingData
from promptlet.methods.method import MethodInfo
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, method_schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=3, batch_size=6, warmup_lr=None)
NEW = ("a boat", NAMES[3], "a tree", NAMES[0])
DESCENT = Schedule("descent", lr=0.01, epochs=30, batch_size=None, warmup_lr=None, optimizer="adamw")
both_caches = pytest.mark.parametrize("kind", [TipAdapter, TipAdapterF])


def unit(features: Tensor) -> Tensor:
    return features / features.norm(dim=-1, keepdim=True)


def zero_shot(backbone: Any, features: Tensor, names: Any = NAMES) -> Tensor:
    return ZeroShot(backbone, names).logits(features)


def problem(backbone: Any, drop: int = 0, **options: Any) -> tuple[Tensor, Tensor]:
    """The toy problem, shuffled, without the last ``drop`` images: the last class then has fewer."""
    features, labels = toy_problem(backbone, **options)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels) - drop))
    return features[:, order], labels[order]


def validation(backbone: Any, spread: float = 0.3) -> tuple[Tensor, Tensor]:
    features, labels = toy_problem(backbone, per_class=7)
    return unit(features + noise("validation", tuple(features.shape), spread)), labels


def copy_of(method: Any, backbone: Any, names: Any = NAMES) -> Any:
    """What a prompt file gives back: the class, the stored options and the state."""
    other = type(method)(backbone, names, **method.stored_options()).eval()
    other.load_state(method.state())
    return other


# -- CLIP-Adapter --------------------------------------------------------------------------------------


def test_clip_adapters_logits_and_gradient_are_those_of_linear_layers(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    x = features[0]
    method = ClipAdapter(tiny_backbone, NAMES, reduction=2, ratio=0.3)
    down, up = torch.nn.Linear(16, 8, bias=False), torch.nn.Linear(8, 16, bias=False)
    method.load_state({"down": down.weight.detach().numpy(), "up": up.weight.detach().numpy()})
    adapted = torch.relu(up(torch.relu(down(x))))
    classes = ZeroShot(tiny_backbone, NAMES).class_features()
    expected = tiny_backbone.logit_scale * unit(0.3 * adapted + 0.7 * x) @ classes.T
    loss = torch.nn.functional.cross_entropy(expected, labels)
    loss.backward()
    mine, logits = method.loss(x, labels)
    mine.backward()
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(mine, loss)
    torch.testing.assert_close(method.down.grad, down.weight.grad)
    torch.testing.assert_close(method.up.grad, up.weight.grad)


def test_clip_adapter_starts_as_torchs_linear_layers_from_its_seed(tiny_backbone: Any) -> None:
    method, same, other = (ClipAdapter(tiny_backbone, NAMES, seed=seed) for seed in (1, 1, 2))
    assert method.trainable_count() == 2 * 16 * 4
    assert method.down.shape == (4, 16)
    assert 0.2 < float(method.down.detach().abs().max()) <= 1 / math.sqrt(16)
    assert 0.4 < float(method.up.detach().abs().max()) <= 1 / math.sqrt(4)
    assert torch.equal(method.down, same.down)
    assert not torch.equal(method.up, other.up)


def test_clip_adapter_of_ratio_zero_is_zero_shot(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = ClipAdapter(tiny_backbone, NAMES, ratio=0.0)
    train(method, features, labels, SCHEDULE)
    torch.testing.assert_close(method.logits(features[0]), zero_shot(tiny_backbone, features[0]))


def test_clip_adapter_scales_with_its_input(tiny_backbone: Any) -> None:
    """So that adapting features before they are normalised, as the official code does, is the same."""
    features, _ = toy_problem(tiny_backbone)
    method = ClipAdapter(tiny_backbone, NAMES)
    torch.testing.assert_close(method.image_features(7.3 * features[0]), method.image_features(features[0]))


def test_clip_adapter_learns_and_goes_over_to_other_classes(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = ClipAdapter(tiny_backbone, NAMES, reduction=2, ratio=0.6)
    before = float(method.loss(features[0], labels)[0].detach())
    train(method, features, labels, DESCENT)
    assert float(method.loss(features[0], labels)[0].detach()) < 0.9 * before
    method.set_classes(NEW)
    score = method.scorer()
    expected = tiny_backbone.logits(
        method.image_features(features[0]), ZeroShot(tiny_backbone, NEW).class_features()
    )
    method.set_classes(NAMES)
    torch.testing.assert_close(score(features[0]), expected.detach())
    other = copy_of(method, tiny_backbone)
    assert torch.equal(other.logits(features[0]), method.logits(features[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": 0}, r"reduction=0 is outside 1\.\.16"),
        ({"reduction": 17}, r"reduction=17 is outside 1\.\.16"),
        ({"reduction": 2.5}, r"reduction=2.5 is outside 1\.\.16; give a whole number"),
        ({"ratio": 1.1}, r"ratio=1.1 is outside 0\.\.1"),
        ({"ratio": float("nan")}, r"ratio=nan is outside 0\.\.1"),
        ({"template": "x"}, "must hold {} exactly once"),
    ],
)
def test_clip_adapters_errors(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        ClipAdapter(tiny_backbone, NAMES, **options)


def test_clip_adapter_refuses_another_ones_state(tiny_backbone: Any) -> None:
    state = ClipAdapter(tiny_backbone, NAMES, reduction=2).state()
    with pytest.raises(OptionError, match=r"\(8, 16\).*this adapter \(reduction=4\).*give the reduction"):
        ClipAdapter(tiny_backbone, NAMES).load_state(state)


# -- Tip-Adapter ---------------------------------------------------------------------------------------


def official_logits(
    backbone: Any, x: Tensor, keys: Tensor, labels: Tensor, alpha: float, beta: float
) -> Tensor:
    """As Tip-Adapter's code has it: keys (N, D) of all images, one-hot values (N, C)."""
    values = torch.eye(len(NAMES))[labels]
    cached = (-(beta - beta * (x @ keys.T))).exp() @ values
    return zero_shot(backbone, x) + alpha * cached


@both_caches
def test_tip_adapters_logits(kind: Any, tiny_backbone: Any) -> None:
    """Classes of unequal numbers of images, several views."""
    features, labels = problem(tiny_backbone, drop=3, views=3)
    method = kind(tiny_backbone, NAMES, alpha=2.5, beta=3.0)
    method.begin_training(_data(features, labels))
    assert method.keys.shape == (5, 4, 16)
    assert int((method.keys.norm(dim=-1) == 0).sum()) == 3
    x, _ = validation(tiny_backbone)
    expected = official_logits(tiny_backbone, x[0], unit(features.mean(0)), labels, 2.5, 3.0)
    torch.testing.assert_close(method.logits(x[0]), expected)
    torch.testing.assert_close(method.scorer()(x[0]), expected)


@both_caches
def test_the_mean_of_crops_is_taken_before_it_is_normalised(kind: Any, tiny_backbone: Any) -> None:
    """As in the official code: each crop's feature as long as the tower gives it."""
    features, labels = problem(tiny_backbone, views=10)
    features = features * (1 + noise("lengths", (10, len(labels), 1)).abs())
    method = kind(tiny_backbone, NAMES, alpha=2.5, beta=3.0)
    method.begin_training(TrainingData(FeatureInputs(features, in_turn=True), labels, 1))
    x, _ = validation(tiny_backbone)
    keys = [unit(features[:, row].double().sum(0) / 10).float() for row in range(len(labels))]
    expected = official_logits(tiny_backbone, x[0], torch.stack(keys), labels, 2.5, 3.0)
    torch.testing.assert_close(method.logits(x[0]), expected)
    before = kind(tiny_backbone, NAMES, alpha=2.5, beta=3.0)
    before.begin_training(_data(features, labels))
    assert float((before.logits(x[0]) - expected).detach().abs().max()) > 1e-3


@both_caches
def test_several_templates_are_the_normalised_mean(kind: Any, tiny_backbone: Any) -> None:
    """CoOp's seven, as Tip-Adapter takes them on ImageNet; stored and read again."""
    seven = ("itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.",
             "a {} in a video game.", "art of the {}.", "a photo of the small {}.")  # fmt: skip
    each = [unit(tiny_backbone.encode_templates([one], NAMES)[0]) for one in seven]
    expected = unit(sum(each) / 7)
    method = kind(tiny_backbone, NAMES, template="select")
    torch.testing.assert_close(method.class_features(), expected)
    torch.testing.assert_close(
        kind(tiny_backbone, NAMES, template="|".join(seven)).class_features(), expected
    )
    features, labels = problem(tiny_backbone)
    method.begin_training(_data(features, labels))
    assert method.stored_options()["template"] == "select"
    torch.testing.assert_close(copy_of(method, tiny_backbone).logits(features[0]), method.logits(features[0]))
    with pytest.raises(OptionError, match=r"must hold \{\} exactly once"):
        kind(tiny_backbone, NAMES, template="selct")
    with pytest.raises(OptionError, match=r"must hold \{\} exactly once"):
        kind(tiny_backbone, NAMES, template="a {}.|b {} {}")


def _data(features: Tensor, labels: Tensor) -> Any:
    return TrainingData(FeatureInputs(features), labels, 1)


def test_by_class_keeps_the_order_of_images() -> None:
    features = torch.arange(1.0, 6.0)[:, None].expand(5, 2)
    keys = by_class(features, torch.tensor([2, 0, 2, 0, 2]), 4)
    assert keys[..., 0].tolist() == [[2, 4, 0], [0, 0, 0], [1, 3, 5], [0, 0, 0]]


@both_caches
def test_alpha_zero_is_exactly_zero_shot_and_so_is_an_untrained_cache(kind: Any, tiny_backbone: Any) -> None:
    features, labels = problem(tiny_backbone)
    method = kind(tiny_backbone, NAMES, alpha=0.0, search=False)
    untrained = kind(tiny_backbone, NAMES, alpha=3.0)
    train(method, features, labels, SCHEDULE)
    expected = zero_shot(tiny_backbone, features[0])
    assert torch.equal(method.logits(features[0]), expected)
    assert torch.equal(untrained.logits(features[0]), expected)
    assert untrained.state() == {}


@both_caches
def test_names_that_were_not_trained_get_zero_shot_logits(kind: Any, tiny_backbone: Any) -> None:
    features, labels = problem(tiny_backbone)
    method = kind(tiny_backbone, NAMES, alpha=2.0)
    train(method, features, labels, SCHEDULE)
    seen = method.logits(features[0])
    score = method.scorer()
    method.set_classes(NEW)
    logits = method.logits(features[0])
    torch.testing.assert_close(logits[:, [1, 3]], seen[:, [3, 0]])
    torch.testing.assert_close(
        logits[:, [0, 2]], zero_shot(tiny_backbone, features[0], (NEW[0], NEW[2])), atol=1e-4, rtol=1e-5
    )
    torch.testing.assert_close(method.scorer()(features[0]), logits)
    assert torch.equal(score(features[0]), seen.detach())
    assert not score(features[0]).requires_grad
    assert torch.equal(pickle.loads(pickle.dumps(score))(features[0]), seen.detach())
    assert method.state()["keys"].shape == (5, 4, 16)


def test_the_grid_is_the_official_one() -> None:
    """utils.py of Tip-Adapter, search_scale [7, 3], search_step [200, 20]."""
    betas = [i * (7 - 0.1) / 200 + 0.1 for i in range(200)]
    alphas = [i * (3 - 0.1) / 20 + 0.1 for i in range(20)]
    assert steps(7.0, 200) == betas
    assert steps(3.0, 20) == alphas


def official_search(backbone: Any, keys: Any, labels: Any, x: Tensor, y: Tensor) -> tuple[float, float]:
    """search_hp: beta outside, alpha inside, only a better one replaces the best."""
    best, found = 0.0, (0.0, 0.0)
    clip_logits, values = zero_shot(backbone, x), torch.eye(len(NAMES))[labels]
    for beta in [i * (12 - 0.1) / 200 + 0.1 for i in range(200)]:
        for alpha in [i * (10 - 0.1) / 20 + 0.1 for i in range(20)]:
            cached = (-(beta - beta * (x @ keys.T))).exp() @ values
            logits = clip_logits + cached * alpha
            share = float((logits.argmax(1) == y).float().mean())
            if share > best:
                best, found = share, (alpha, beta)
    return found


@pytest.mark.slow
def test_the_search_is_the_official_one(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlet.methods.features.tip_adapter.SEARCHED_AT_ONCE", 8)
    features, labels = problem(tiny_backbone, drop=1)
    val = validation(tiny_backbone, spread=0.5)
    method = TipAdapter(tiny_backbone, NAMES)
    train(method, features, labels, SCHEDULE, val=val)
    expected = official_search(tiny_backbone, features[0], labels, val[0][0], val[1])
    assert (method.alpha, method.beta) == expected
    assert expected != (0.1, 0.1)


@both_caches
def test_the_search_finds_a_planted_optimum(kind: Any, tiny_backbone: Any) -> None:
    features, labels = problem(tiny_backbone)
    x, _ = validation(tiny_backbone, spread=1.0)
    options = {"search": False, "alpha": steps(10.0, 20)[15], "beta": steps(12.0, 200)[40]}
    planted = kind(tiny_backbone, NAMES, **options)
    train(planted, features, labels, Schedule("none", lr=1e-9, epochs=1, batch_size=None, warmup_lr=None))
    answers = planted.scorer()(x[0]).argmax(1)
    method = kind(tiny_backbone, NAMES, alpha=0.0)
    assert not torch.equal(zero_shot(tiny_backbone, x[0]).argmax(1), answers)
    train(
        method,
        features,
        labels,
        Schedule("none", lr=1e-9, epochs=1, batch_size=None, warmup_lr=None),
        val=(x, answers),
    )
    assert torch.equal(method.scorer()(x[0]).argmax(1), answers)
    assert 0 < method.beta <= options["beta"] + 1e-9  # the first best, and the planted one is a best


@both_caches
@pytest.mark.parametrize("case", ["no validation images", "search=False"])
def test_without_a_search_alpha_and_beta_stay(kind: Any, case: str, tiny_backbone: Any) -> None:
    """Training is told of no test images; without validation images there is nothing to tune on."""
    features, labels = problem(tiny_backbone)
    method = kind(tiny_backbone, NAMES, alpha=2.0, beta=3.0, search=case != "search=False")
    train(
        method, features, labels, SCHEDULE, val=validation(tiny_backbone) if case == "search=False" else None
    )
    assert (method.alpha, method.beta) == (2.0, 3.0)


def test_a_second_training_starts_from_the_given_alpha_and_beta(tiny_backbone: Any) -> None:
    features, labels = problem(tiny_backbone)
    method = TipAdapter(tiny_backbone, NAMES)
    train(method, features, labels, SCHEDULE, val=validation(tiny_backbone))
    assert (method.alpha, method.beta) != (1.17, 1.0)
    train(method, features, labels, SCHEDULE)
    assert (method.alpha, method.beta) == (1.17, 1.0)


def test_tip_adapter_f_learns_its_keys_alone_and_missing_ones_stay_zero(tiny_backbone: Any) -> None:
    features, labels = problem(tiny_backbone, drop=3)
    frozen, method = TipAdapter(tiny_backbone, NAMES), TipAdapterF(tiny_backbone, NAMES)
    for each in (frozen, method):
        train(each, features, labels, SCHEDULE)
    assert frozen.trainable_count() == 0
    assert method.trainable_count() == 5 * 4 * 16
    assert torch.equal(method.keys == 0, frozen.keys == 0)
    with torch.no_grad():
        assert method.loss(features[0], labels)[0] < frozen.loss(features[0], labels)[0]


def test_tip_adapter_fs_step_is_cross_entropys(tiny_backbone: Any) -> None:
    features, labels = problem(tiny_backbone)
    keys = features[0].clone().requires_grad_()
    logits = official_logits(tiny_backbone, features[0], keys, labels, 1.17, 1.0)
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels), keys)
    method = TipAdapterF(tiny_backbone, NAMES)
    method.begin_training(_data(features, labels))
    method.loss(features[0], labels)[0].backward()
    torch.testing.assert_close(method.keys.grad, by_class(gradient, labels, 5))


def test_tip_adapter_fs_official_schedule() -> None:
    schedule = method_schedule(TipAdapterF.info, "official")
    assert (schedule.optimizer, schedule.lr, schedule.epochs) == ("adamw", 0.001, 20)
    assert schedule.steps_per_epoch(800) == 4  # an incomplete batch counts
    assert schedule.learning_rate(0) == 0.001


@both_caches
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "kmeans4", "kmeans1"])
def test_a_prompt_file_keeps_the_answers(kind: Any, precision: str, tiny_backbone: Any) -> None:
    """Also where coarse precisions make something else of the missing keys' zeros."""
    features, labels = problem(tiny_backbone, drop=3)
    method = kind(tiny_backbone, NAMES)
    train(method, features, labels, SCHEDULE, val=validation(tiny_backbone))
    file = loads(dumps(prompt_file_of(method, NAMES, {}), precision))
    assert set(file.options) == {"template", "alpha", "beta"}
    other = kind(tiny_backbone, file.class_names, **file.options)
    other.load_state(file.tensors)
    counted = (other.class_keys() != other.class_keys()[..., :1]).any(-1)
    assert int((~counted).sum()) == 3
    if precision == "fp32":
        assert torch.equal(other.logits(features[0]), method.logits(features[0]))


@both_caches
def test_a_cache_takes_any_number_of_images_but_its_own_classes(kind: Any, tiny_backbone: Any) -> None:
    keys = unit(noise("keys", (5, 9, 16))).numpy()
    kind(tiny_backbone, NAMES).load_state({"keys": keys})
    with pytest.raises(
        OptionError, match=r"0 class names and 16 features.*give the class names of the train"
    ):
        kind(tiny_backbone, ()).load_state({"keys": keys})
    with pytest.raises(OptionError, match="4 class names"):
        kind(tiny_backbone, NAMES[:4]).load_state({"keys": keys})
    for wrong in ({}, {"X": keys}, {"keys": keys[0]}, {"keys": keys[:, :0]}):
        with pytest.raises(OptionError, match=r"this cache has keys \(5, K, 16\)"):
            kind(tiny_backbone, NAMES).load_state(wrong)


@both_caches
def test_a_caches_state_is_a_copy(kind: Any, tiny_backbone: Any) -> None:
    keys = unit(noise("keys", (5, 2, 16))).numpy()
    method = kind(tiny_backbone, NAMES)
    method.load_state({"keys": keys})
    method.state()["keys"] += 1
    keys += 1
    assert float(method.keys.detach().norm(dim=-1).max()) < 1.01


@both_caches
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha=-1.0 must be a number, 0 or more"),
        ({"beta": float("inf")}, "beta=inf must be"),
        ({"alpha_max": float("nan")}, "alpha_max=nan must be"),
        ({"search": "yes"}, "search='yes' is not allowed; give True"),
    ],
)
def test_tip_adapters_errors(kind: Any, options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        kind(tiny_backbone, NAMES, **options)


@pytest.mark.parametrize("kind", [ClipAdapter, TipAdapter, TipAdapterF])
def test_training_repeats_and_goes_on_from_a_checkpoint(kind: Any, tiny_backbone: Any, tmp_path: Any) -> None:
    features, labels = problem(tiny_backbone)

    class CutError(Exception):
        pass

    def cut(report: Any) -> None:
        if report.epoch == 2:
            raise CutError

    whole, again = kind(tiny_backbone, NAMES), kind(tiny_backbone, NAMES)
    train(whole, features, labels, SCHEDULE)
    if whole.trainables():
        with pytest.raises(CutError):
            train(again, features, labels, SCHEDULE, checkpoint=tmp_path / "c", on_epoch=cut)
        again = kind(tiny_backbone, NAMES)
    train(again, features, labels, SCHEDULE, checkpoint=tmp_path / "c")
    assert _bytes(whole) == _bytes(again)


def _bytes(method: Method) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in method.state().items()}


@pytest.mark.parametrize("info", [ClipAdapter.info, TipAdapter.info, TipAdapterF.info])
def test_infos_say_what_is_learned(info: MethodInfo) -> None:
    assert info.unseen_classes
    assert info.notes
    assert info.uses_val == info.name.startswith("tip")
