"""CoCoOp against its definition (arXiv 2203.05557, equations 3 and 4), written out in plain torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise, toy_arrays, toy_problem
from torch import Tensor

from promptlet import PromptClassifier
from promptlet.backbones import load_backbone
from promptlet.errors import OptionError
from promptlet.methods.text import cocoop
from promptlet.methods.text.cocoop import CoCoOp, MetaNet
from promptlet.methods.text.coop import CoOp
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=3, batch_size=6)
D, WIDTH, HIDDEN = 16, 32, 5  # of the tiny backbone: image features, token states; between them


def drawn_state(scale: float = 0.5) -> dict[str, np.ndarray]:
    shapes = {
        "P": (4, WIDTH),
        "meta.down.weight": (HIDDEN, D),
        "meta.down.bias": (HIDDEN,),
        "meta.up.weight": (WIDTH, HIDDEN),
        "meta.up.bias": (WIDTH,),
    }
    return {name: noise(name, shape, scale).numpy() for name, shape in shapes.items()}


def images(count: int = 3) -> Tensor:
    return F.normalize(noise("images", (count, D)), dim=-1)


def made(backbone: Any, names: Any = NAMES, scale: float = 0.5) -> CoCoOp:
    method = CoCoOp(backbone, names, hidden=HIDDEN)
    method.load_state(drawn_state(scale))
    return method


def logits_by_hand(model: Any, tokenizer: Any, learned: dict[str, Tensor], x: Tensor) -> Tensor:
    """Every image with every class: a prompt of its own, put together from token embeddings."""
    embedding = model.text_model.embeddings.token_embedding
    hidden = (x @ learned["meta.down.weight"].T + learned["meta.down.bias"]).clamp_min(0)
    shift = hidden @ learned["meta.up.weight"].T + learned["meta.up.bias"]
    rows = []
    for image, moved in zip(x, shift, strict=True):
        row = []
        for name in NAMES:
            start, *words = tokenizer(f"{name}.").input_ids
            states = torch.cat([embedding.weight[[start]], learned["P"] + moved, embedding.weight[words]])
            ids = torch.tensor([[0] * (len(states) - 1) + [words[-1]]])
            hook = embedding.register_forward_hook(lambda *_, states=states: states[None])
            try:
                pooled = model.text_model(input_ids=ids).pooler_output
            finally:
                hook.remove()
            features = model.text_projection(pooled)[0]
            row.append(model.logit_scale.exp() * image @ (features / features.norm()))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def test_logits_and_gradients_by_hand(clip_folder: Path, tiny_backbone: Any) -> None:
    from transformers import AutoTokenizer, CLIPModel

    model = CLIPModel.from_pretrained(clip_folder).eval().requires_grad_(False)
    learned = {name: torch.from_numpy(a).requires_grad_() for name, a in drawn_state().items()}
    labels = torch.tensor([2, 0, 4])
    expected = logits_by_hand(model, AutoTokenizer.from_pretrained(clip_folder), learned, images())
    loss_by_hand = -expected.log_softmax(-1)[range(3), labels].mean()
    wanted = torch.autograd.grad(loss_by_hand, list(learned.values()))

    method = made(tiny_backbone).train()
    loss, logits = method.loss(images(), labels)
    loss.backward()
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loss, loss_by_hand, atol=1e-4, rtol=1e-4)
    trainables = method.trainables()
    for name, gradient in zip(learned, wanted, strict=True):
        own = trainables["context.P" if name == "P" else name].grad
        assert own is not None
        assert (own - gradient).norm() < 1e-3 * gradient.norm(), name


def test_without_the_network_it_is_coop(tiny_backbone: Any) -> None:
    state = {n: a if n == "P" else np.zeros_like(a) for n, a in drawn_state().items()}
    method, coop = CoCoOp(tiny_backbone, NAMES, hidden=HIDDEN), CoOp(tiny_backbone, NAMES)
    method.load_state(state)
    coop.load_state({"P": state["P"]})
    labels = torch.tensor([2, 0, 4])
    for one in (method, coop):
        one.loss(images(), labels)[0].backward()
    torch.testing.assert_close(method.logits(images()), coop.logits(images()), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(method.context.P.grad, coop.context.P.grad, atol=1e-3, rtol=1e-3)


def test_each_image_has_its_own_text(tiny_backbone: Any) -> None:
    """As with `encode_reference` of one context at a time; the others in the batch do not matter."""
    method = made(tiny_backbone).eval()
    with torch.no_grad():
        contexts = method.contexts(images())
        classes = [F.normalize(tiny_backbone.text.encode_reference(c, NAMES), dim=-1) for c in contexts]
        expected = tiny_backbone.logit_scale * torch.stack([classes[i] @ x for i, x in enumerate(images())])
        torch.testing.assert_close(method.logits(images()), expected, atol=1e-4, rtol=1e-4)
    assert float((contexts[0] - contexts[1]).abs().max()) > 0.01
    shift = contexts - method.context.P.detach()
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift))


def test_a_bias_is_added(siglip_folder: Path) -> None:
    """SigLIP's; its tower has no engine."""
    backbone = load_backbone(siglip_folder, device="cpu")
    assert not backbone.text.exact_sharing
    assert backbone.logit_bias != 0
    method = CoCoOp(backbone, NAMES, ctx_init="random").eval()
    x = F.normalize(noise("siglip", (2, backbone.feature_dim)), dim=-1)
    with torch.no_grad():
        texts = [backbone.text.encode_reference(c, NAMES) for c in method.contexts(x)]
        expected = torch.cat(
            [backbone.logits(x[i : i + 1], F.normalize(t, dim=-1)) for i, t in enumerate(texts)]
        )
        torch.testing.assert_close(method.logits(x), expected, atol=1e-4, rtol=1e-4)


def test_counts_by_hand(tiny_backbone: Any) -> None:
    vitb16 = 4 * 512 + (512 * 32 + 32) + (32 * 512 + 512)
    assert vitb16 == 35360
    assert 4 * 512 + sum(p.numel() for p in MetaNet(512, 512, None, 1).parameters()) == vitb16
    assert CoCoOp(tiny_backbone, NAMES).trainable_count() == 4 * 32 + (16 * 1 + 1) + (1 * 32 + 32)
    assert made(tiny_backbone).trainable_count() == 4 * 32 + (16 * 5 + 5) + (5 * 32 + 32)
    assert sum(a.size for a in made(tiny_backbone).state().values()) == 4 * 32 + 16 * 5 + 5 + 5 * 32 + 32


def test_the_network_starts_as_torchs_layers_do() -> None:
    """Uniform within 1 / sqrt(fan-in), from the library's generator: torch's own state stays."""
    before = torch.random.get_rng_state()
    net = MetaNet(256, 300, 64, 1)
    assert torch.equal(torch.random.get_rng_state(), before)
    for parameter, fan_in in ((net.down.weight, 256), (net.down.bias, 256), (net.up.weight, 64)):
        bound = fan_in**-0.5
        values = parameter.detach()
        assert float(values.abs().max()) <= bound
        assert float(values.abs().max()) > 0.9 * bound
        assert abs(float(values.std()) - bound / 3**0.5) < 0.2 * bound
    other, same = MetaNet(256, 300, 64, 2), MetaNet(256, 300, 64, 1)
    assert torch.equal(net.up.weight, same.up.weight)
    assert not torch.equal(net.up.weight, other.up.weight)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_bits(seed: int, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    states = []
    for _ in range(2):
        method = CoCoOp(tiny_backbone, NAMES, seed=seed)
        train(method, features, labels, SCHEDULE, seed=seed)
        states.append(method.state())
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_training_lowers_the_loss_and_moves_everything(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = made(tiny_backbone, scale=0.1)
    result = train(method, features, labels, Schedule("adam", 0.01, 15, None, "adamw", warmup_lr=None))
    assert result.history[-1].loss < 0.9 * result.history[0].loss
    assert all(not np.array_equal(a, drawn_state(0.1)[name]) for name, a in method.state().items())


@pytest.mark.parametrize("prompts", [1, 2 * len(NAMES), 16384])
def test_scorer_is_logits_in_pieces(
    prompts: int, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cocoop, "PROMPTS", prompts)
    method = made(tiny_backbone).eval()
    expected = method.logits(images(5)).detach()
    score = method.scorer()
    method.set_classes(["a boat"])  # it keeps the classes it was made with
    scored = score(images(5))
    assert not scored.requires_grad
    torch.testing.assert_close(scored, expected, atol=1e-4, rtol=1e-4)


def test_scorer_bounds_the_prompts_of_a_pass(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    encode = tiny_backbone.text.encode

    def counted(context: Tensor, names: Any) -> Tensor:
        sizes.append(len(context) * len(names))
        return encode(context, names)  # type: ignore[no-any-return]

    monkeypatch.setattr(tiny_backbone.text, "encode", counted)
    monkeypatch.setattr(cocoop, "PROMPTS", 12)
    made(tiny_backbone).scorer()(images(5))
    assert sizes == [10, 10, 5]


def test_unseen_classes(tiny_backbone: Any) -> None:
    method = made(tiny_backbone).eval()
    before = method.logits(images())
    names = ["a boat", NAMES[1], "a tree"]
    method.set_classes(names)
    logits = method.logits(images())
    assert logits.shape == (3, 3)
    torch.testing.assert_close(logits[:, 1], before[:, 1], atol=1e-4, rtol=1e-4)


def test_state_comes_back_and_is_a_copy(tiny_backbone: Any) -> None:
    method, other = made(tiny_backbone).eval(), CoCoOp(tiny_backbone, NAMES, hidden=HIDDEN).eval()
    state = method.state()
    assert list(state) == list(drawn_state())
    assert all(a.dtype == np.float32 for a in state.values())
    other.load_state(state)
    for array in state.values():
        array += 1
    assert torch.equal(other.logits(images()), method.logits(images()))


@pytest.mark.parametrize("change", ["missing", "more", "shape"])
def test_other_tensors_are_refused_and_nothing_is_taken(change: str, tiny_backbone: Any) -> None:
    method = made(tiny_backbone)
    state = {name: array + 1 for name, array in drawn_state().items()}
    if change == "missing":
        del state["meta.up.bias"]
    elif change == "more":
        state["X"] = np.zeros(3, np.float32)
    else:
        state["meta.up.bias"] = state["meta.up.bias"][:-1]
    with pytest.raises(OptionError, match=r"the learned tensors have shapes .*; this method has "):
        method.load_state(state)
    assert all(np.array_equal(a, drawn_state()[name]) for name, a in method.state().items())


def test_there_are_no_class_features(tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=r"they depend on the image; use predict or logits"):
        made(tiny_backbone).class_features()


def test_hidden(tiny_backbone: Any) -> None:
    assert CoCoOp(tiny_backbone, NAMES).stored_options() == {}
    assert made(tiny_backbone).stored_options() == {"hidden": HIDDEN}
    for given in (0, -1, 2.5, True, "8"):
        with pytest.raises(OptionError, match=r"hidden=.* is not allowed; give a whole number.*None for 1"):
            CoCoOp(tiny_backbone, NAMES, hidden=given)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"n_ctx": 2, "method_options": {"hidden": 3}}])
def test_a_prompt_file_answers_alike(options: dict[str, Any], tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_arrays(tiny_backbone)
    clf = PromptClassifier(tiny_backbone, method="cocoop", epochs=2, **options)
    clf.fit(features, labels)
    clf.save(tmp_path / "some.prompt")
    back = PromptClassifier.load(tmp_path / "some.prompt", tiny_backbone)
    names = ["a boat", *NAMES]
    for given in ({}, {"class_names": names}):
        assert (back.predict_proba(features, **given) == clf.predict_proba(features, **given)).all()


def test_settings_show_in_the_checkpoints_description(tiny_backbone: Any) -> None:
    shown = {
        " ".join(repr(CoCoOp(tiny_backbone, NAMES, **options)).split())
        for options in ({}, {"n_ctx": 2}, {"hidden": 3}, {"ctx_init": "the dog of a"})
    }
    assert len(shown) == 4
