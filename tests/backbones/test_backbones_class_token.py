"""The class name at the end, in the middle or in front of the context: engine, plain path, and by hand."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.errors import DataError, OptionError

NAMES = [
    *("dog", "dog house", "dog house roof", "cat", "a cat", "cat", "café", "forget-me-not", "etc."),
    *("the photo of the dog of the cat", "Airbus A380-800", "d", "do", "a dog (old)"),
]
POSITIONS: Any = ["end", "middle", "front"]
POSITION = pytest.mark.parametrize("position", POSITIONS)
PLACEMENT = pytest.mark.parametrize("placement", ["input", "per_class"])


def make_context(text: TextEncoder, placement: str, n_ctx: int = 4, names: list[str] = NAMES) -> Tensor:
    draw = torch.Generator().manual_seed(n_ctx)
    shape = (len(names),) if placement == "per_class" else ()
    return (0.5 * torch.randn(*shape, n_ctx, text.dim, generator=draw)).requires_grad_()


def probe(features: Tensor) -> Tensor:
    """A scalar in which every feature counts differently."""
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    return (F.normalize(features.float(), dim=-1) * weights).sum()


def assert_close(context: Tensor, got: Tensor, expected: Tensor) -> None:
    """Features and gradients of both."""
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    (grad,), (expected_grad,) = (torch.autograd.grad(probe(out), context) for out in (got, expected))
    assert (grad - expected_grad).norm() < 1e-4 * expected_grad.norm()


def assert_same(
    text: TextEncoder, placement: Any, position: Any, n_ctx: int = 4, names: list[str] = NAMES
) -> None:
    """Engine and plain path agree."""
    context = make_context(text, placement, n_ctx, names)
    assert_close(
        context, *(f(context, names, placement, position) for f in (text.encode, text.encode_reference))
    )


@pytest.fixture(scope="module", params=["clip", "gelu", "dual", "open_clip"])
def text(request: pytest.FixtureRequest) -> TextEncoder:
    """The text side of each causal tower."""
    prefix = "open_clip:" if request.param == "open_clip" else ""
    return load_backbone(f"{prefix}{request.getfixturevalue(f'{request.param}_folder')}", device="cpu").text


@POSITION
@PLACEMENT
def test_equals_plain_path(text: TextEncoder, placement: str, position: str) -> None:
    assert text.exact_sharing
    assert_same(text, placement, position)


@POSITION
@PLACEMENT
def test_equals_plain_path_in_chunks_recomputed(
    tiny_backbone: Backbone, placement: str, position: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tiny_backbone.text.engine
    monkeypatch.setattr(engine, "max_rows", 24)
    monkeypatch.setattr(engine, "keep_bytes", 0)
    assert_same(tiny_backbone.text, placement, position)


@POSITION
@PLACEMENT
@pytest.mark.parametrize("n_ctx", [1, 2, 3, 5, 16, 40])
def test_any_length_of_context(tiny_backbone: Backbone, placement: str, position: str, n_ctx: int) -> None:
    assert_same(tiny_backbone.text, placement, position, n_ctx)


@POSITION
@PLACEMENT
@pytest.mark.parametrize("names", [["dog"], ["dog"] * 5, ["dog", "cat", "dog"], ["the " * 20 + "dog", "d"]])
def test_single_and_repeated_and_long_names(
    tiny_backbone: Backbone, placement: str, position: str, names: list[str]
) -> None:
    assert_same(tiny_backbone.text, placement, position, names=names)


def test_no_context_is_the_same_everywhere(tiny_backbone: Backbone) -> None:
    text, context = tiny_backbone.text, torch.zeros(0, 32)
    end = text.encode_reference(context, NAMES)
    for position in POSITIONS:
        for encode in (text.encode, text.encode_reference):
            torch.testing.assert_close(encode(context, NAMES, "input", position), end, atol=1e-5, rtol=0)


@POSITION
def test_one_context_is_every_classs_own(tiny_backbone: Backbone, position: Any) -> None:
    text = tiny_backbone.text
    context = make_context(text, "input", 5)
    own = context.expand(len(NAMES), -1, -1)
    assert_close(
        context,
        text.encode(context, NAMES, "input", position),
        text.encode(own, NAMES, "per_class", position),
    )


@POSITION
def test_the_same_bits_again(tiny_backbone: Backbone, position: Any) -> None:
    text = tiny_backbone.text
    context = make_context(text, "input")
    first, again = (
        torch.autograd.grad(probe(text.encode(context, NAMES, "input", position)), context)[0] for _ in "12"
    )
    assert torch.equal(first, again)


def embedded_by_hand(model: Any, tokenizer: Any, name: str, context: Tensor, position: str) -> Tensor:
    """States (L, d) of a whole prompt before positions are added, in CoOp's order of tokens."""

    def embed(words: str) -> Tensor:
        ids = tokenizer(words, add_special_tokens=False).input_ids
        return model.text_model.embeddings.token_embedding.weight[ids]

    table = model.text_model.embeddings.token_embedding.weight
    start, end = table[tokenizer.bos_token_id][None], table[tokenizer.eos_token_id][None]
    half = len(context) // 2
    parts = {
        "end": [start, context, embed(name), embed("."), end],
        "middle": [start, context[:half], embed(name), context[half:], embed("."), end],
        "front": [start, embed(name), context, embed("."), end],
    }
    return torch.cat(parts[position])


def run_by_hand(model: Any, tokenizer: Any, states: Tensor) -> Tensor:
    """The model's own features of one prompt whose token embeddings are ``states``."""
    ids = torch.full((1, len(states)), 0)
    ids[0, -1] = tokenizer.eos_token_id
    hook = model.text_model.embeddings.token_embedding.register_forward_hook(lambda *_: states[None])
    try:
        pooled = model.text_model(input_ids=ids).pooler_output
    finally:
        hook.remove()
    features: Tensor = model.text_projection(pooled)[0]
    return features


@POSITION
@pytest.mark.parametrize("n_ctx", [4, 5])
def test_equals_prompts_put_together_by_hand(clip_folder: Path, position: Any, n_ctx: int) -> None:
    from transformers import AutoTokenizer, CLIPModel

    tokenizer, model = (
        AutoTokenizer.from_pretrained(clip_folder),
        CLIPModel.from_pretrained(clip_folder).eval(),
    )
    text = load_backbone(clip_folder, device="cpu").text
    names = [name for name in NAMES if name.replace(" ", "").isalpha()]
    generic, own = (make_context(text, placement, n_ctx, names) for placement in ("input", "per_class"))
    for context, placement in ((generic, "input"), (own, "per_class")):
        each = context.expand(len(names), -1, -1) if placement == "input" else context
        expected = torch.stack(
            [
                run_by_hand(model, tokenizer, embedded_by_hand(model, tokenizer, name, one, position))
                for name, one in zip(names, each, strict=True)
            ]
        )
        assert_close(context, text.encode(context, names, placement, position), expected)  # type: ignore[arg-type]


def test_positions_differ(tiny_backbone: Backbone) -> None:
    context = make_context(tiny_backbone.text, "input").detach()
    features = [tiny_backbone.text.encode(context, NAMES, "input", position) for position in POSITIONS]
    assert all(float((a - b).abs().max()) > 0.01 for a, b in pairwise(features))


@pytest.mark.parametrize("position", ["middle", "front"])
def test_towers_without_the_engine(siglip_folder: Path, position: Any) -> None:
    """One token moved: with one context vector, front is the name, then the vector."""
    text = load_backbone(siglip_folder, device="cpu").text
    assert not text.exact_sharing
    context = text.embed_words("dog")[:1]
    moved = text.encode(context, ["a"], "input", position)
    ids = [*text.tokenizer.name("a", 1)]
    ids.insert(1, text.tokenizer.words("dog")[0])
    rows = torch.tensor([text.tokenizer.full(tuple(ids), 0)])
    torch.testing.assert_close(moved, text.plain.forward(rows), atol=1e-5, rtol=0)


def test_a_sign_that_merges_with_the_dot_is_the_names(open_clip_folder: Path) -> None:
    """CLIP's vocabulary has ")." as one token."""
    text = load_backbone(f"open_clip:{open_clip_folder}", device="cpu").text
    whole, context = text.tokenizer.name("dog (old)", 1), make_context(text, "input", 1)
    assert len(whole) == len(text.tokenizer.words("dog (old)")) + 1
    front = text.encode(context, ["dog (old)"], "input", "front")
    rows = torch.tensor([text.tokenizer.full((*whole[:-1], whole[0], whole[-1]), 0)])
    before = text.plain.token_embedding.register_forward_hook(
        lambda _m, _a, out: torch.cat([out[:, : len(whole)], context[None], out[:, len(whole) + 1 :]], dim=1)
    )
    expected = text.plain.forward(rows)
    before.remove()
    torch.testing.assert_close(front, expected, atol=1e-5, rtol=0)


def test_long_names_are_refused_alike(tiny_backbone: Backbone) -> None:
    for position in POSITIONS:
        with pytest.raises(DataError, match="room for"):
            tiny_backbone.text.encode(torch.zeros(70, 32), ["the dog of the cat of"], "input", position)


@pytest.mark.parametrize("reference", [False, True])
def test_what_does_not_go(tiny_backbone: Backbone, reference: bool) -> None:
    text = tiny_backbone.text
    encode = text.encode_reference if reference else text.encode
    for shape, placement in (((2, 4, 32), "input"), ((2, 4, 32), "deep"), ((1, 2, 4, 32), "deep")):
        with pytest.raises(OptionError, match=r"class_token='front' is not possible.*class_token='end'"):
            encode(torch.zeros(shape), NAMES, placement, "front")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="class_token='centre' is not known; allowed: end, middle, front"):
        encode(torch.zeros(4, 32), NAMES, "input", "centre")  # type: ignore[arg-type]


@PLACEMENT
@POSITION
def test_training_after_inference_mode(tiny_backbone: Backbone, placement: Any, position: Any) -> None:
    """What is remembered of a list of names must serve both."""
    names = [f"{placement} {position} {i}" for i in range(7)]
    context = make_context(tiny_backbone.text, placement, names=names)
    with torch.inference_mode():
        tiny_backbone.text.encode(context, names, placement, position)
    assert_same(tiny_backbone.text, placement, position, names=names)
