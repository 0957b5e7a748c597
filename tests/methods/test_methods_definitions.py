"""Methods against their definitions, computed another way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise, toy_problem
from torch import Tensor

from promptlet.methods import build_method
from promptlet.prompts import LowRankContext
from promptlet.training import Schedule, train

SPARE = (200, 210, 220, 230)  # token ids that no prompt here uses


@pytest.fixture(scope="module")
def tokenizer(clip_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(clip_folder)


def library_features(model: Any, ids: list[list[int]]) -> Tensor:
    """Normalised features of token ids by the library's own `get_text_features`, one text at a time."""
    rows = []
    with torch.no_grad():
        for row in ids:
            given = model.get_text_features(input_ids=torch.tensor([row]))
            rows.append(getattr(given, "pooler_output", given)[0])
    return F.normalize(torch.stack(rows), dim=-1)


@contextmanager
def spare_embeddings(model: Any, context: Tensor) -> Iterator[None]:
    """The rows of four spare tokens replaced by a context (4, d)."""
    weight = model.text_model.embeddings.token_embedding.weight
    before = weight[list(SPARE)].clone()
    with torch.no_grad():
        weight[list(SPARE)] = context
    try:
        yield
    finally:
        with torch.no_grad():
            weight[list(SPARE)] = before


@pytest.mark.parametrize("template", ["a photo of a {}.", "the {} of a dog.", "{}"])
def test_zero_shot_is_the_librarys_text_features(template: str, tiny_backbone: Any, tokenizer: Any) -> None:
    method = build_method("zero_shot", tiny_backbone, NAMES, template=template)
    ids = [tokenizer(template.replace("{}", name)).input_ids for name in NAMES]
    expected = library_features(tiny_backbone.model, ids)
    torch.testing.assert_close(method.class_features(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["coop", "rlp"])
def test_before_training_a_prompt_is_the_hand_written_one(name: str, tiny_backbone: Any) -> None:
    prompt = build_method(name, tiny_backbone, NAMES, n_ctx=4).eval()
    zero_shot = build_method("zero_shot", tiny_backbone, NAMES)
    torch.testing.assert_close(prompt.class_features(), zero_shot.class_features(), atol=1e-5, rtol=1e-4)


def test_coops_features_are_the_plain_ones_with_the_context_put_in_by_hand(
    tiny_backbone: Any, tokenizer: Any
) -> None:
    context = noise("by hand", (4, 32), 0.5)
    method = build_method("coop", tiny_backbone, NAMES).eval()
    method.load_state({"P": context.numpy()})
    ids = []
    for name in NAMES:
        start, *words = tokenizer(f"{name}.").input_ids
        ids.append([start, *SPARE, *words])
    assert not set(SPARE) & {i for row in ids for i in row[5:]}
    with spare_embeddings(tiny_backbone.model, context):
        expected = library_features(tiny_backbone.model, ids)
    torch.testing.assert_close(method.class_features(), expected, atol=1e-5, rtol=1e-4)


def test_class_specific_contexts_are_coops_one_class_at_a_time(tiny_backbone: Any) -> None:
    contexts = noise("per class", (len(NAMES), 4, 32), 0.5)
    method = build_method("coop", tiny_backbone, NAMES, per_class=True).eval()
    method.load_state({"P": contexts.numpy()})
    together = method.class_features()
    for row, name in enumerate(NAMES):
        alone = build_method("coop", tiny_backbone, [name]).eval()
        alone.load_state({"P": contexts[row].numpy()})
        torch.testing.assert_close(together[row], alone.class_features()[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("epochs", [1, 3])
def test_sgd_on_coop_is_plain_torch(epochs: int, tiny_backbone: Any) -> None:
    """Gradients through `encode_reference`, cross-entropy and SGD with momentum written out."""
    lr, momentum, decay = 0.1, 0.9, 5e-4
    schedule = Schedule("hand", lr, epochs, None, momentum=momentum, weight_decay=decay, warmup_lr=None)
    features, labels = toy_problem(tiny_backbone)
    method = build_method("coop", tiny_backbone, NAMES)
    train(method, features, labels, schedule)

    context = tiny_backbone.text.embed_words("a photo of a")
    velocity = torch.zeros_like(context)
    for epoch in range(epochs):
        context.requires_grad_(True)
        classes = tiny_backbone.text.encode_reference(context, NAMES)
        classes = classes / classes.norm(dim=-1, keepdim=True)
        logits = tiny_backbone.logit_scale * features[0] @ classes.T
        loss = -logits.log_softmax(-1)[range(len(labels)), labels].mean()
        (gradient,) = torch.autograd.grad(loss, context)
        context = context.detach()
        velocity = momentum * velocity + gradient + decay * context
        context = context - schedule.learning_rate(epoch) * velocity
    start = tiny_backbone.text.embed_words("a photo of a")
    moved = method.context.merged() - start
    assert float(moved.abs().max()) > 1e-3
    torch.testing.assert_close(moved, context - start, atol=1e-4, rtol=1e-3)


def test_rlps_gradient_is_coops_through_the_factors(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    rlp = build_method("rlp", tiny_backbone, NAMES, rank=1, dropout=0.0).train()
    u, v = noise("u", (4, 1), 0.1), rlp.context.V.detach().clone()
    rlp.load_state({"U": u.numpy(), "V": v.numpy()})
    coop = build_method("coop", tiny_backbone, NAMES).train()
    coop.load_state({"P": rlp.context.merged().numpy()})
    for method in (rlp, coop):
        method.loss(features[0], labels)[0].backward()
    gradient = coop.context.P.grad
    torch.testing.assert_close(rlp.context.U.grad, gradient @ v.T, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rlp.context.V.grad, u.T @ gradient, atol=1e-5, rtol=1e-4)


def test_rlp_of_full_rank_can_be_any_coop(tiny_backbone: Any) -> None:
    wanted = noise("any", (4, 32))
    coop = build_method("coop", tiny_backbone, NAMES).eval()
    coop.load_state({"P": wanted.numpy()})
    rlp = build_method("rlp", tiny_backbone, NAMES, n_ctx=4, rank=4).eval()
    assert isinstance(rlp.context, LowRankContext)
    left, singular, right = torch.linalg.svd(wanted - rlp.context.P0, full_matrices=False)
    rlp.load_state({"U": (left * singular).numpy(), "V": right.numpy()})
    torch.testing.assert_close(rlp.class_features(), coop.class_features(), atol=1e-4, rtol=1e-3)


def test_dropout_is_off_in_evaluation_and_on_in_training(tiny_backbone: Any) -> None:
    method = build_method("rlp", tiny_backbone, NAMES, rank=1, dropout=0.5)
    method.load_state({"U": noise("u", (4, 1)).numpy(), "V": noise("v", (1, 32)).numpy()})
    method.begin_step(0)
    with torch.no_grad():
        trained, plain = method.train().class_features(), method.eval().class_features()
    merged = build_method("coop", tiny_backbone, NAMES).eval()
    merged.load_state({"P": method.context.merged().numpy()})
    torch.testing.assert_close(plain, merged.class_features())
    assert not torch.allclose(trained, plain, atol=1e-3)


def test_each_factor_has_a_rate_of_its_own(tiny_backbone: Any) -> None:
    """One step of plain SGD: V moves by v_rate times the learning rate times its gradient, U by that once."""
    features, labels = toy_problem(tiny_backbone)
    schedule = Schedule("one", 0.01, 1, None, momentum=0.0, weight_decay=0.0, warmup_lr=None)
    start = {"U": noise("u", (4, 1), 0.1).numpy(), "V": noise("v", (1, 32), 0.1).numpy()}
    moves: dict[float, dict[str, Tensor]] = {}
    for v_rate in (1.0, 7.0):
        method = build_method("rlp", tiny_backbone, NAMES, rank=1, v_rate=v_rate)
        method.load_state(start)
        assert method.rates() == {"context.V": v_rate}
        train(method, features, labels, schedule)
        moves[v_rate] = {n: torch.from_numpy(method.state()[n] - start[n]) for n in start}
    assert float(moves[1.0]["V"].abs().max()) > 1e-6
    torch.testing.assert_close(moves[7.0]["U"], moves[1.0]["U"])
    torch.testing.assert_close(moves[7.0]["V"], 7.0 * moves[1.0]["V"], atol=1e-7, rtol=1e-3)
