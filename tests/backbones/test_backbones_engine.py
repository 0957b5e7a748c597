"""The engine gives the plain path's numbers: features to 1e-5, gradients to 1e-4 relative."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_models import OPEN_CLIP, clip_model, clip_tokenizer, shaken
from torch import Tensor

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.arithmetic import products as text_products
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.preprocessing.spec import ImageSpec

NAMES = [
    *(
        "dog",
        "dog house",
        "dog house roof",
        "cat",
        "a cat",
        "cat",
        "café",
        "東京 tower",
        "forget-me-not",
        "x y z",
    ),
    *("the photo of the dog of the cat", "Airbus A380-800", "d", "do", "dogs"),
]
PLACEMENTS = ["input", "batched", "deep", "batched deep", "per_class"]
CPU = torch.device("cpu")


def lowest(values: Tensor) -> float:
    """The smallest number in ``values``."""
    return float(values.detach().min())


def make_context(text: TextEncoder, placement: str, n_ctx: int = 4, classes: int = len(NAMES)) -> Tensor:
    """A context for a placement, drawn with a fixed seed."""
    shapes = {
        "input": (),
        "batched": (3,),
        "deep": (text.depth,),
        "batched deep": (3, text.depth),
        "per_class": (classes,),
    }
    draw = torch.Generator().manual_seed(n_ctx)
    return torch.randn(*shapes[placement], n_ctx, text.dim, generator=draw, requires_grad=True)


def kind(placement: str) -> Any:
    """What `TextEncoder.encode` calls it."""
    return {"batched": "input", "batched deep": "deep"}.get(placement, placement)


def probe(features: Tensor) -> Tensor:
    """A scalar in which every feature counts differently."""
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(features.shape, generator=draw).to(features.device)
    return (F.normalize(features.float(), dim=-1) * weights).sum()


def assert_same(text: TextEncoder, context: Tensor, names: list[str], placement: Any) -> None:
    """Features and gradients of both paths agree."""
    fast, plain = (encode(context, names, placement) for encode in (text.encode, text.encode_reference))
    assert fast.shape == plain.shape
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)
    (fast_grad,), (plain_grad,) = (torch.autograd.grad(probe(out), context) for out in (fast, plain))
    assert (fast_grad - plain_grad).norm() < 1e-4 * plain_grad.norm()


@pytest.fixture(scope="module", params=["clip", "gelu", "dual", "open_clip"])
def text(request: pytest.FixtureRequest) -> TextEncoder:
    """The text side of each causal tower."""
    prefix = "open_clip:" if request.param == "open_clip" else ""
    folder = request.getfixturevalue(f"{request.param}_folder")
    encoder = load_backbone(f"{prefix}{folder}", device="cpu").text
    assert encoder.exact_sharing
    return encoder


@pytest.fixture
def tight(text: TextEncoder) -> Iterator[TextEncoder]:
    """An encoder whose engine must cut into chunks and keep nothing."""
    assert text.engine is not None
    before = text.engine.max_rows, text.engine.keep_bytes
    text.engine.max_rows, text.engine.keep_bytes = 24, 0
    yield text
    text.engine.max_rows, text.engine.keep_bytes = before


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_equals_plain_path(text: TextEncoder, placement: str) -> None:
    assert_same(text, make_context(text, placement), NAMES, kind(placement))


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_equals_plain_path_in_chunks_recomputed(tight: TextEncoder, placement: str) -> None:
    assert_same(tight, make_context(tight, placement), NAMES, kind(placement))


@pytest.mark.parametrize("n_ctx", [0, 1, 2, 16])
def test_any_length_of_context(tiny_backbone: Backbone, n_ctx: int) -> None:
    assert_same_features(tiny_backbone.text, make_context(tiny_backbone.text, "input", n_ctx))
    if n_ctx:
        for placement in PLACEMENTS:
            assert_same(
                tiny_backbone.text, make_context(tiny_backbone.text, placement, n_ctx), NAMES, kind(placement)
            )


def assert_same_features(text: TextEncoder, context: Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(
            text.encode(context, NAMES), text.encode_reference(context, NAMES), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("names", [["dog"], ["dog"] * 5, ["dog", "cat", "dog"], ["the " * 20 + "dog", "d"]])
def test_single_and_repeated_and_long_names(tiny_backbone: Backbone, names: list[str]) -> None:
    text = tiny_backbone.text
    for placement in PLACEMENTS:
        assert_same(text, make_context(text, placement, classes=len(names)), names, kind(placement))


def test_some_depths(tiny_backbone: Backbone) -> None:
    context = make_context(tiny_backbone.text, "deep")
    for depth in (1, 2):
        assert_same(tiny_backbone.text, context[:depth].detach().requires_grad_(), NAMES, "deep")


def test_mixed_memory(tiny_backbone: Backbone) -> None:
    """Some chunks kept, some recomputed."""
    text = tiny_backbone.text
    engine = text.engine
    assert engine is not None
    before = engine.max_rows, engine.keep_bytes
    engine.max_rows, engine.keep_bytes = 32, 200_000
    try:
        for placement in PLACEMENTS:
            assert_same(text, make_context(text, placement), NAMES, kind(placement))
    finally:
        engine.max_rows, engine.keep_bytes = before


@pytest.mark.parametrize("text", ["clip", "open_clip"], indirect=True)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_backward_repeats(tight: TextEncoder, placement: str) -> None:
    for keep in (0, 1 << 30):
        assert tight.engine is not None
        tight.engine.keep_bytes = keep
        context = make_context(tight, placement)
        loss = probe(tight.encode(context, NAMES, kind(placement)))
        first = torch.autograd.grad(loss, context, retain_graph=True)[0].clone()
        again = torch.autograd.grad(loss, context)[0]
        anew = torch.autograd.grad(probe(tight.encode(context, NAMES, kind(placement))), context)[0]
        assert torch.equal(first, again)
        assert torch.equal(first, anew)


def test_gradient_of_deep_contexts_alone(tiny_backbone: Backbone) -> None:
    text = tiny_backbone.text
    first, rest = make_context(text, "deep").detach().split([1, text.depth - 1])
    rest.requires_grad_()
    assert_same_part = [
        torch.autograd.grad(probe(encode(torch.cat([first, rest]), NAMES, "deep")), rest)[0]
        for encode in (text.encode, text.encode_reference)
    ]
    torch.testing.assert_close(*assert_same_part, atol=1e-4, rtol=1e-3)


def test_without_gradient_nothing_is_recorded(tiny_backbone: Backbone) -> None:
    text = tiny_backbone.text
    context = make_context(text, "input")
    with torch.no_grad():
        assert not text.encode(context, NAMES).requires_grad
    assert not text.encode(context.detach(), NAMES).requires_grad
    with torch.inference_mode():
        inferred = text.encode(context, NAMES)
    torch.testing.assert_close(inferred.clone(), text.encode(context, NAMES), atol=1e-6, rtol=0)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_training_after_inference_mode(tiny_backbone: Backbone, placement: str) -> None:
    """What the engine remembers of a list of names must serve both."""
    text = tiny_backbone.text
    names = [f"{placement} {i}" for i in range(7)]
    context = make_context(text, placement, classes=7)
    with torch.inference_mode():
        text.encode(context, names, kind(placement))
    assert_same(text, context, names, kind(placement))


def test_inputs_are_left_alone(tiny_backbone: Backbone) -> None:
    text = tiny_backbone.text
    for placement in PLACEMENTS:
        context = make_context(text, placement)
        before = context.detach().clone()
        probe(text.encode(context, NAMES, kind(placement))).backward()
        assert torch.equal(context.detach(), before)
    assert all(p.grad is None for p in tiny_backbone.model.parameters())


def test_gradient_equals_finite_differences(tiny_backbone: Backbone) -> None:
    text = tiny_backbone.text
    context = make_context(text, "input", 2)
    direction = torch.randn(context.shape, generator=torch.Generator().manual_seed(5))
    slope = float((torch.autograd.grad(probe(text.encode(context, NAMES)), context)[0] * direction).sum())
    with torch.no_grad():
        step = 1e-2
        up, down = (probe(text.encode(context + s * direction, NAMES)) for s in (step, -step))
    assert math.isclose(float(up - down) / (2 * step), slope, rel_tol=1e-2, abs_tol=1e-2)


def by_hand(weights: dict[str, Tensor], ids: Tensor, context: Tensor, heads: int, act: str) -> Tensor:
    """CLIP's text tower written out: features of ids (L,) whose positions 1... hold ``context``."""

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(()))

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = weights["text_model.embeddings.token_embedding.weight"][ids]
    x = torch.cat([x[:1], context, x[1 + len(context) :]])
    x = x + weights["text_model.embeddings.position_embedding.weight"][: len(ids)]
    depth = 1 + max(int(k.split(".")[3]) for k in weights if k.startswith("text_model.encoder.layers."))
    for i in range(depth):
        at = f"text_model.encoder.layers.{i}"
        h = norm(f"{at}.layer_norm1", x)
        parts = []
        width = x.shape[1] // heads
        q, k, v = (linear(f"{at}.self_attn.{n}_proj", h) for n in "qkv")
        for head in range(heads):
            cut = slice(head * width, (head + 1) * width)
            scores = q[:, cut] @ k[:, cut].T / width**0.5
            scores = scores + torch.full_like(scores, float("-inf")).triu(1)
            parts.append(scores.softmax(-1) @ v[:, cut])
        x = x + linear(f"{at}.self_attn.out_proj", torch.cat(parts, 1))
        h = linear(f"{at}.mlp.fc1", norm(f"{at}.layer_norm2", x))
        h = h * torch.sigmoid(1.702 * h) if act == "quick_gelu" else h * 0.5 * (1 + torch.erf(h / 2**0.5))
        x = x + linear(f"{at}.mlp.fc2", h)
    return linear("text_projection", norm("text_model.final_layer_norm", x)[-1])


@pytest.mark.parametrize(("fixture", "act"), [("clip_folder", "quick_gelu"), ("gelu_folder", "gelu")])
def test_equals_a_transformer_written_by_hand(request: pytest.FixtureRequest, fixture: str, act: str) -> None:
    """Independent of the library's own forward pass."""
    backbone = load_backbone(request.getfixturevalue(fixture), device="cpu")
    weights = {
        k.replace("text_model.text_model.", "text_model."): v for k, v in backbone.model.state_dict().items()
    }
    context = make_context(backbone.text, "input", 3)
    tokens = backbone.text.tokenizer
    rows = [torch.tensor([tokens.start, 0, 0, 0, *tokens.name(name, 3)]) for name in NAMES]
    expected = torch.stack([by_hand(weights, row, context, 4, act) for row in rows])
    features = backbone.text.encode(context, NAMES)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    (got,), (want,) = (torch.autograd.grad(probe(out), context) for out in (features, expected))
    assert (got - want).norm() < 1e-4 * want.norm()


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("layers", [1, 2])
def test_towers_of_one_layer(heads: int, layers: int) -> None:
    model = clip_model(7, num_hidden_layers=layers, num_attention_heads=heads)
    spec = ImageSpec("exact", (32, 32), None, 3, (0.5,) * 3, (0.5,) * 3)
    text = wrap_transformers(model, clip_tokenizer(), spec, "toy", CPU, torch.float32).text
    for placement in PLACEMENTS:
        assert_same(text, make_context(text, placement), NAMES, kind(placement))


@pytest.mark.slow
def test_towers_of_the_real_size() -> None:
    """A text tower of ViT-B/16's size, random weights: 12 layers, d = 512, 8 heads, both activations."""
    size = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8}
    spec = ImageSpec("exact", (32, 32), None, 3, (0.5,) * 3, (0.5,) * 3)
    text = wrap_transformers(clip_model(8, **size), clip_tokenizer(), spec, "toy", CPU, torch.float32).text
    context = (0.4 * make_context(text, "input")).detach().requires_grad_()
    names = NAMES[:4]
    assert_same(text, context, names, "input")


@pytest.mark.slow
def test_open_clip_tower_of_the_real_size() -> None:
    open_clip = pytest.importorskip("open_clip")
    from promptlet.backbones.libraries.open_clip import wrap_open_clip

    size = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
    model = shaken(open_clip.CLIP(**{**OPEN_CLIP, "embed_dim": 512, "text_cfg": size}), 9)
    model.visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    text = wrap_open_clip(model, open_clip.SimpleTokenizer(), "toy", CPU, torch.float32).text
    assert text.exact_sharing
    context = (0.4 * make_context(text, "input")).detach().requires_grad_()
    assert_same(text, context, NAMES[:4], "input")


@pytest.mark.parametrize("text", ["clip", "open_clip"], indirect=True)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_autocast(tight: TextEncoder, placement: str) -> None:
    for keep in (0, 1 << 30):
        assert tight.engine is not None
        tight.engine.keep_bytes = keep
        context = make_context(tight, placement)
        exact = tight.encode(context, NAMES, kind(placement))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = tight.encode(context, NAMES, kind(placement))
        assert half.dtype == torch.float32
        assert lowest(F.cosine_similarity(half, exact, dim=-1)) > 0.999
        grads = [torch.autograd.grad(probe(out), context)[0].flatten() for out in (exact, half)]
        assert lowest(F.cosine_similarity(*grads, dim=0)) > 0.98


def test_backward_inside_autocast(tiny_backbone: Backbone) -> None:
    context = make_context(tiny_backbone.text, "input")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        probe(tiny_backbone.text.encode(context, NAMES)).backward()
    assert context.grad is not None


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "open_clip:"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision(request: pytest.FixtureRequest, prefix: str, dtype: str) -> None:
    folder = request.getfixturevalue("open_clip_folder" if prefix else "clip_folder")
    exact, low = (load_backbone(f"{prefix}{folder}", device="cpu", dtype=d) for d in ("float32", dtype))
    assert low.fingerprint == exact.fingerprint
    assert low.image_fingerprint == exact.image_fingerprint
    engine = low.text.engine
    assert engine is not None
    block = engine.tower.blocks[0]
    weights = (block.query.weight, block.key.bias, block.up.weight, engine.tower.projection.weight)
    assert {w.dtype for w in weights if w is not None} == {low.dtype} == {getattr(torch, dtype)}
    for placement in PLACEMENTS:
        context = make_context(exact.text, placement)
        want, got, plain = (
            encode(context, NAMES, kind(placement))
            for encode in (exact.text.encode, low.text.encode, low.text.encode_reference)
        )
        assert got.dtype == plain.dtype == torch.float32
        assert lowest(F.cosine_similarity(got, want, dim=-1)) > 0.998
        assert lowest(F.cosine_similarity(plain, want, dim=-1)) > 0.998
        grads = [torch.autograd.grad(probe(out), context)[0].flatten() for out in (want, got)]
        assert lowest(F.cosine_similarity(*grads, dim=0)) > 0.98
    pixels = torch.rand(2, 3, 32, 32)
    seen, sharp = low.images.encode(pixels), exact.images.encode(pixels)
    assert seen.dtype == torch.float32
    assert lowest(F.cosine_similarity(seen, sharp, dim=-1)) > 0.998


@pytest.mark.cuda
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_cuda(clip_folder: Any, placement: str) -> None:
    backbone = load_backbone(clip_folder, device="cuda")
    text = backbone.text
    context = make_context(text, placement).detach().cuda().requires_grad_()
    assert_same(text, context, NAMES, kind(placement))
    with torch.autocast("cuda", dtype=torch.bfloat16):
        half = text.encode(context, NAMES, kind(placement))
    torch.autograd.grad(probe(half), context)
    assert lowest(F.cosine_similarity(half, text.encode(context, NAMES, kind(placement)), dim=-1)) > 0.999


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_without_onednn(text: TextEncoder, placement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers where PyTorch has no oneDNN."""
    monkeypatch.setattr(text_products, "ONEDNN", None)
    assert_same(text, make_context(text, placement), NAMES, kind(placement))


def test_onednn_switched_off(tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("used although switched off")

    monkeypatch.setattr(text_products, "ONEDNN", refuse)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert_same(tiny_backbone.text, make_context(tiny_backbone.text, "input"), NAMES, "input")
