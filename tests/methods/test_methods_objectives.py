"""Objectives against their definitions, by plain torch; and the limits in which one method is another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from learning_toys import NAMES, noise, toy_problem
from torch import Tensor

from promptlet.methods import Method, build_method
from promptlet.methods.text.prograd import aligned
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=4, batch_size=6)
TEMPLATE = "the {} of a dog."


def unit(features: Tensor) -> Tensor:
    return features / features.norm(dim=-1, keepdim=True)


def learned(backbone: Any, name: str, **options: Any) -> Tensor:
    """The merged context after a short training."""
    features, labels = toy_problem(backbone)
    method = build_method(name, backbone, NAMES, **options)
    train(method, features, labels, SCHEDULE)
    return method.context.merged()  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(
    ("name", "options"), [("kgcoop", {}), ("prograd", {}), ("dip_do", {}), ("dip_pp", {})]
)
def test_weight_zero_is_coop(name: str, options: dict[str, Any], tiny_backbone: Any) -> None:
    plain = learned(tiny_backbone, "coop")
    torch.testing.assert_close(
        learned(tiny_backbone, name, weight=0.0, **options), plain, atol=1e-6, rtol=1e-5
    )
    assert not torch.allclose(learned(tiny_backbone, name, weight=4.0, **options), plain, atol=1e-4)


@pytest.mark.parametrize("name", ["kgcoop", "prograd"])
@pytest.mark.parametrize("rank", [1, 3])
def test_weight_zero_with_rank_is_rlp(name: str, rank: int, tiny_backbone: Any) -> None:
    """Dropout and all: the low-rank context is the same part."""
    composed = learned(tiny_backbone, name, weight=0.0, rank=rank)
    plain = learned(tiny_backbone, "rlp", rank=rank, n_ctx=4)
    torch.testing.assert_close(composed, plain, atol=1e-6, rtol=1e-5)
    update = composed - tiny_backbone.text.embed_words("a photo of a")
    assert int(torch.linalg.matrix_rank(update, atol=1e-5)) == rank


def plain_classes(backbone: Any, context: Tensor) -> Tensor:
    return unit(backbone.text.encode_reference(context, NAMES))


def plain_anchor(backbone: Any) -> Tensor:
    with torch.no_grad():
        return unit(torch.cat([backbone.text.encode_texts([TEMPLATE.format(name)]) for name in NAMES]))


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.log_softmax(-1)[range(len(labels)), labels].mean()


def test_kgcoops_loss(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    context = noise("kg", (4, 32), 0.5).requires_grad_()
    classes = plain_classes(tiny_backbone, context)
    cosines = (classes * plain_anchor(tiny_backbone)).sum(-1)
    logits = tiny_backbone.logit_scale * features[0] @ classes.T
    expected = cross_entropy(logits, labels) + 8.0 * (1 - cosines.mean())
    (gradient,) = torch.autograd.grad(expected, context)

    method = build_method("kgcoop", tiny_backbone, NAMES, template=TEMPLATE).train()
    method.load_state({"P": context.detach().numpy()})
    loss, _ = method.loss(features[0], labels)
    loss.backward()
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(method.context.P.grad, gradient, atol=1e-4, rtol=1e-3)


def step(method: Method, features: Tensor, labels: Tensor) -> None:
    """What the loop does before the optimiser's step."""
    method.begin_step(0)
    method.loss(features, labels)[0].backward()
    method.after_backward()


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("weight", [1.0, 0.8])
def test_prograds_gradient(weight: float, temperature: float, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    seen = set()
    for trial in range(6):
        context = noise(f"pg {trial}", (4, 32), 0.5).requires_grad_()
        classes = plain_classes(tiny_backbone, context)
        logits = tiny_backbone.logit_scale * features[0] @ classes.T
        teacher = tiny_backbone.logit_scale * features[0] @ plain_anchor(tiny_backbone).T
        soft = (teacher / temperature).softmax(-1)
        divergence = -(soft * (logits / temperature).log_softmax(-1)).sum(-1).mean() * temperature**2
        (special,) = torch.autograd.grad(cross_entropy(logits, labels), context, retain_graph=True)
        (general,) = torch.autograd.grad(divergence, context)
        direction = general / general.norm()
        conflict = float((special * direction).sum()) < 0
        expected = special - weight * (special * direction).sum() * direction if conflict else special

        options = {"weight": weight, "temperature": temperature, "template": TEMPLATE}
        method = build_method("prograd", tiny_backbone, NAMES, **options).train()
        method.load_state({"P": context.detach().numpy()})
        step(method, features[0], labels)
        torch.testing.assert_close(method.context.P.grad, expected, atol=1e-3, rtol=1e-3)
        seen.add(conflict)
    assert seen == {True, False}, "both cases should have come up"


def test_aligned_by_hand() -> None:
    general = torch.tensor([[2.0, 0.0]])
    assert aligned(torch.tensor([[1.0, 3.0]]), general, 1.0).tolist() == [[1.0, 3.0]]
    assert aligned(torch.tensor([[-1.0, 3.0]]), general, 1.0).tolist() == [[0.0, 3.0]]
    assert aligned(torch.tensor([[-1.0, 3.0]]), general, 0.5).tolist() == [[-0.5, 3.0]]
    assert aligned(torch.tensor([[-1.0, 3.0]]), torch.zeros(1, 2), 1.0).tolist() == [[-1.0, 3.0]]


def test_prograd_forgets_the_general_gradient_between_steps(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = build_method("prograd", tiny_backbone, NAMES).train()
    step(method, features[0], labels)
    assert method._general == {}  # type: ignore[union-attr]
    with torch.no_grad():
        method.loss(features[0], labels)  # evaluation asks for no gradient


@pytest.mark.parametrize("name", ["kgcoop", "prograd"])
def test_the_anchor_follows_the_classes(name: str, tiny_backbone: Any) -> None:
    method: Any = build_method(name, tiny_backbone, NAMES, template=TEMPLATE)
    torch.testing.assert_close(method.anchor(), plain_anchor(tiny_backbone), atol=1e-5, rtol=1e-4)
    method.set_classes(NAMES[:2])
    assert method.anchor().shape[0] == 2


def test_density_terms_move_the_context_the_way_they_say(tiny_backbone: Any) -> None:
    from promptlet.density import information_density, positional_penalty

    plain = learned(tiny_backbone, "coop")
    denser = learned(tiny_backbone, "dip_do", weight=20.0)
    penalised = learned(tiny_backbone, "dip_pp", weight=20.0)
    assert information_density(denser) > information_density(plain) + 0.05
    assert positional_penalty(penalised) < positional_penalty(plain) - 0.05
