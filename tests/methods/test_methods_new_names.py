"""Decoupled answers: held to the formula in `promptlet.methods.new_names` by plain NumPy; their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, noise, toy_problem

from promptlet.errors import OptionError
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.new_names import BLEND_WEIGHT, RULES, answering_by, check_rule, weight_of
from promptlet.methods.text_prompt import TextPrompt
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=4, batch_size=None, warmup_lr=None, optimizer="adamw")
TAUGHT = NAMES[:3]
OTHERS = ("cat and dog", "a box of the dog")
HAVING = [name for name, method in METHODS.items() if issubclass(method, TextPrompt)]


def trained(backbone: Any, name: str = "coop", new_names: str = "learned", **options: Any) -> Any:
    """A method that was taught the first three names."""
    features, labels = toy_problem(backbone)
    known = labels < len(TAUGHT)
    method = build_method(name, backbone, TAUGHT, new_names=new_names, **options)
    train(method, features[:, known], labels[known], SCHEDULE)
    return method


def images(backbone: Any) -> torch.Tensor:
    features, _ = toy_problem(backbone)
    return features[0]


def probabilities(method: Method, inputs: torch.Tensor) -> np.ndarray:
    return method.scorer()(inputs).double().softmax(-1).numpy()


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("rule", ["blend", "blend:0.2", "zero-shot"])
def test_taught_and_new_names_together_follow_the_formula(rule: str, tiny_backbone: Any) -> None:
    method, inputs = trained(tiny_backbone, new_names=rule), images(tiny_backbone)
    names = (OTHERS[0], *TAUGHT, OTHERS[1])
    is_taught = np.array([False, True, True, True, False])
    method.set_classes(names)
    scale, x = tiny_backbone.logit_scale, inputs.double().numpy()
    learned = unit(
        tiny_backbone.text.encode_reference(method.context.merged(), names).detach().double().numpy()
    )
    sentences = [f"a photo of a {name}." for name in names]
    zero_shot = unit(
        torch.cat([tiny_backbone.text.encode_texts([text]) for text in sentences]).double().numpy()
    )
    b = weight_of(rule)
    w = unit((1 - b) * learned + b * zero_shot)
    fair = softmax(scale * x @ unit(learned + w).T)
    kind = fair[:, is_taught].sum(1, keepdims=True)
    expected = np.zeros_like(fair)
    expected[:, is_taught] = kind * softmax(scale * x @ learned[is_taught].T)
    expected[:, ~is_taught] = (1 - kind) * softmax(scale * x @ w[~is_taught].T)
    np.testing.assert_allclose(expected.sum(1), 1.0, atol=1e-12)
    np.testing.assert_allclose(probabilities(method, inputs), expected, atol=2e-5)
    with torch.no_grad():
        logits = method.eval().logits(inputs)
    np.testing.assert_allclose(logits.double().softmax(-1).numpy(), expected, atol=2e-5)
    by_kind = np.where(is_taught[:, None], learned, w)
    np.testing.assert_allclose(method.class_features().detach().numpy(), by_kind, atol=1e-5)


def test_taught_names_alone_are_answered_as_learned_whatever_the_rule(tiny_backbone: Any) -> None:
    method, inputs = trained(tiny_backbone), images(tiny_backbone)
    for names in (TAUGHT, TAUGHT[::-1], TAUGHT[:2]):
        method.set_classes(names)
        as_learned = method.scorer()(inputs)
        for rule in ("blend", "zero-shot"):
            with answering_by(method, rule):
                assert torch.equal(method.scorer()(inputs), as_learned)
                assert torch.equal(method.class_features(), method.learned_features())


def test_new_names_alone_are_zero_shots_under_zero_shot(tiny_backbone: Any) -> None:
    template = "the {} of a dog."
    method = trained(tiny_backbone, "rlp", "zero-shot", template=template)
    zero_shot = build_method("zero_shot", tiny_backbone, OTHERS, template=template)
    method.set_classes(OTHERS)
    inputs = images(tiny_backbone)
    torch.testing.assert_close(method.scorer()(inputs), zero_shot.scorer()(inputs), atol=1e-4, rtol=1e-5)


def test_no_blend_at_all_is_the_learned_prompt(tiny_backbone: Any) -> None:
    method, inputs = trained(tiny_backbone), images(tiny_backbone)
    method.set_classes((*TAUGHT, *OTHERS))
    as_learned = method.scorer()(inputs)
    with answering_by(method, "blend:0"):
        assert method.new_names == "learned"
        assert torch.equal(method.scorer()(inputs), as_learned)
    with answering_by(method, "blend:0.000001"):
        torch.testing.assert_close(method.scorer()(inputs), as_learned, atol=1e-3, rtol=1e-3)
    with answering_by(method, "blend:1"):
        assert method.new_names == "zero-shot"


def test_adding_a_new_name_takes_from_all_taught_names_alike(tiny_backbone: Any) -> None:
    """Which taught name an image shows does not depend on the new names that are asked."""
    method, inputs = trained(tiny_backbone, new_names="zero-shot"), images(tiny_backbone)
    method.set_classes(TAUGHT)
    alone = probabilities(method, inputs)
    method.set_classes((*TAUGHT, *OTHERS))
    among = probabilities(method, inputs)[:, : len(TAUGHT)]
    np.testing.assert_allclose(among / among.sum(1, keepdims=True), alone, atol=1e-5)


def test_a_name_is_taught_if_the_tower_reads_it_as_a_taught_one(tiny_backbone: Any) -> None:
    method = trained(tiny_backbone, new_names="zero-shot")
    method.set_classes(("CAT", "box", "Dog"))
    assert method.is_taught() == [True, False, True]


def test_before_training_and_within_it_all_names_are_answered_as_learned(tiny_backbone: Any) -> None:
    method = build_method("coop", tiny_backbone, TAUGHT, new_names="zero-shot")
    method.load_state({"P": noise("context", (4, 32)).numpy()})
    method.eval().set_classes(OTHERS)
    assert method.taught is None and method.decoupled() is None
    method.taught = TAUGHT
    assert method.decoupled() is not None and method.train().decoupled() is None


@pytest.mark.parametrize("name", HAVING)
def test_every_prompt_at_the_text_side_has_the_choice(name: str, tiny_backbone: Any) -> None:
    method, inputs = trained(tiny_backbone, name, "zero-shot"), images(tiny_backbone)
    assert METHODS[name].info.options["new_names"] == ("zero-shot" if name == "rlp" else "learned")
    zero_shot = build_method("zero_shot", tiny_backbone, OTHERS)
    method.set_classes(OTHERS)
    torch.testing.assert_close(method.scorer()(inputs), zero_shot.scorer()(inputs), atol=1e-4, rtol=1e-5)
    assert method.stored_options()["new_names"] == "zero-shot"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero_shot", "it learns nothing, so every name is answered zero-shot"),
        ("cocoop", "it has no class features of its own: they depend on the image"),
        ("linear_probe", "it knows only the classes it was trained on"),
        ("tip_adapter", "its class features are zero-shot already"),
        ("clap", "it answers names that were not taught zero-shot already"),
        ("maple", "it changes how the image tower reads images"),
    ],
)
def test_methods_without_the_choice_say_why(name: str, reason: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=rf"'{name}' has no option 'new_names' \({reason}"):
        build_method(name, tiny_backbone, NAMES, new_names="zero-shot")
    method = build_method(name, tiny_backbone, NAMES)
    with (
        pytest.raises(OptionError, match=f"is not possible with '{name}': {reason}"),
        answering_by(method, "blend"),
    ):
        pass


def test_contexts_of_one_class_each_know_no_new_names(tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="not possible with per_class=True, which knows only the classes"):
        build_method("coop", tiny_backbone, NAMES, per_class=True, new_names="blend")


def test_rules() -> None:
    assert [weight_of(rule) for rule in RULES] == [0.0, BLEND_WEIGHT, 1.0]
    assert check_rule("blend") == f"blend:{BLEND_WEIGHT:g}" and weight_of("blend:0.25") == 0.25
    assert [check_rule(f"blend:{b}") for b in ("0", "1.0", ".5")] == ["learned", "zero-shot", "blend:0.5"]


@pytest.mark.parametrize(
    "rule", ["", "zeroshot", "blend:", "blend:1.1", "blend:-0.1", "blend:nan", 0.5, None]
)
def test_rules_that_are_none_are_refused(rule: Any, tiny_backbone: Any) -> None:
    with pytest.raises(
        OptionError, match="is not allowed; give one of learned, blend, zero-shot, or a blend"
    ):
        build_method("coop", tiny_backbone, NAMES, new_names=rule)
