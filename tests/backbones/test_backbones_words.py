"""Prompts in words give the libraries' own text features: names are tokenised as in a whole sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import SIGLIP_PIXELS, TOWER, clip_tokenizer, gemma_tokenizer

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.libraries.transformers import patches, wrap_transformers
from promptlet.backbones.text.tokenizer import split_special
from promptlet.errors import BackboneError, DataError, OptionError
from promptlet.preprocessing.libraries import spec_from_transformers

NAMES = [
    "dog",
    "Forget-me-not",
    "dog house",
    "Airbus A380-800, 2012",
    "café au lait",
    "the 's cat",
    "a",
    "1920s tv",
]
NAMES += ["2012 Tesla Model S", "  spaced   out ", "o'neil's <b>", "東京"]
TEMPLATES = ["a photo of a", "a", "The painting, of the:"]


def official(backbone: Backbone, texts: list[str]) -> torch.Tensor:
    """Features as the library's own documentation says to get them."""
    model: Any = backbone.model
    with torch.no_grad():
        if backbone.framework == "open_clip":
            import open_clip

            tokenizer = open_clip.get_tokenizer(f"local-dir:{backbone.name.removeprefix('open_clip:')}")
            return model.encode_text(tokenizer(texts))
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(backbone.name)
        if backbone.text.exact_sharing:
            inputs = tokenizer(texts, padding=True, return_tensors="pt")
        else:
            inputs = tokenizer(
                texts, padding="max_length", max_length=64, truncation=True, return_tensors="pt"
            )
            inputs = {"input_ids": inputs["input_ids"]}
        features = model.get_text_features(**inputs)
        return features if isinstance(features, torch.Tensor) else features.pooler_output


KINDS = ["clip", "gelu", "dual", "siglip", "siglip_naflex", "open_clip", "open_siglip"]


@pytest.fixture(scope="module", params=KINDS)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Each kind of backbone, loaded."""
    prefix = "open_clip:" if request.param.startswith("open_") else ""
    loaded = load_backbone(f"{prefix}{request.getfixturevalue(f'{request.param}_folder')}", device="cpu")
    assert loaded.text.exact_sharing == ("siglip" not in request.param)
    return loaded


@pytest.mark.parametrize("words", TEMPLATES)
def test_words_as_context_give_the_official_features(backbone: Backbone, words: str) -> None:
    context = backbone.text.embed_words(words)
    expected = official(backbone, [f"{words} {name}." for name in NAMES])
    torch.testing.assert_close(backbone.text.encode(context, NAMES), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(backbone.text.encode_reference(context, NAMES), expected, atol=1e-5, rtol=0)


def test_texts_give_the_official_features(backbone: Backbone) -> None:
    texts = ["dog.", "a photo of a dog", "Hello, world!", "x" * 300, "the dog. And: the cat"]
    if backbone.framework == "transformers" and backbone.text.exact_sharing:
        texts.remove("x" * 300)  # CLIP's own tokenizer in transformers does not cut
    torch.testing.assert_close(
        backbone.text.encode_texts(texts), official(backbone, texts), atol=1e-5, rtol=0
    )
    assert backbone.text.encode_texts(["x" * 300]).shape == (1, backbone.feature_dim)


def test_all_placements_on_the_plain_path(backbone: Backbone) -> None:
    text = backbone.text
    names = ["dog", "cat", "dog house"]
    context = text.embed_words("a photo of")
    n_ctx, dim = context.shape
    expected = text.encode(context, names)
    batch = text.encode(context.expand(2, n_ctx, dim), names)
    assert batch.shape == (2, 3, expected.shape[1])
    torch.testing.assert_close(batch[1], expected, atol=1e-5, rtol=0)
    each = text.encode(context.expand(3, n_ctx, dim), names, "per_class")
    torch.testing.assert_close(each, expected, atol=1e-5, rtol=0)
    deep = torch.randn(text.depth, n_ctx, dim, generator=torch.Generator().manual_seed(0), requires_grad=True)
    features = text.encode(deep, names, "deep")
    gradient = torch.autograd.grad(features.pow(2).sum(), deep)[0]
    assert bool((gradient.flatten(1).norm(dim=1) > 0).all())
    torch.testing.assert_close(features, text.encode(deep[None], names, "deep")[0], atol=1e-5, rtol=0)
    one = text.encode(context[None], names, "deep")
    torch.testing.assert_close(one, expected, atol=1e-5, rtol=0)


def test_names_are_tokenised_once(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    first = backbone.text.sequences(["one", "two"], 4)
    monkeypatch.setattr(type(backbone.text.tokenizer), "name", None)
    assert backbone.text.sequences(["one", "two"], 4) is first


def test_images_and_scale(backbone: Backbone) -> None:
    pixels = torch.rand(3, 3, 32, 32)
    features = backbone.images.encode(pixels)
    own = {} if backbone.images.spec.patch_size is None else patches(pixels, 8)
    assert features.shape == (3, backbone.feature_dim)
    assert not features.requires_grad
    assert not features.is_inference()
    model: Any = backbone.model
    with torch.no_grad():
        if backbone.framework == "open_clip":
            expected = model.encode_image(pixels)
        else:
            expected = model.get_image_features(**{"pixel_values": pixels, **own})
            expected = expected if isinstance(expected, torch.Tensor) else expected.pooler_output
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    assert backbone.logit_scale == pytest.approx(float(model.logit_scale.exp()))
    bias = getattr(model, "logit_bias", None)
    assert backbone.logit_bias == (0 if bias is None else float(bias))
    assert backbone.logits(features, features).shape == (3, 3)


def test_siglip_with_its_own_sentencepiece_tokenizer(tmp_path: Path) -> None:
    import sentencepiece
    from transformers import SiglipConfig, SiglipModel, SiglipTokenizer

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join([" ".join(NAMES), *TEMPLATES, "dogs and cats and houses"] * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=80,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    tokenizer = SiglipTokenizer(str(tmp_path / "spiece.model"))
    text = {**TOWER, "vocab_size": len(tokenizer), "projection_size": 32}
    model = SiglipModel(
        SiglipConfig(text_config=text, vision_config={**TOWER, "image_size": 32, "patch_size": 16})
    )
    spec = spec_from_transformers(SIGLIP_PIXELS, "toy")
    backbone = wrap_transformers(model, tokenizer, spec, "toy", torch.device("cpu"), torch.float32)
    ids = tokenizer(
        [f"a photo of a {n}." for n in NAMES], padding="max_length", max_length=64, return_tensors="pt"
    )
    with torch.no_grad():
        expected = model.text_model(input_ids=ids.input_ids).pooler_output
    features = backbone.text.encode(backbone.text.embed_words("a photo of a"), NAMES)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "class_names is empty"),
        ("dog", "give a list of names"),
        (["dog", ""], "class name '' has no tokens"),
        (["   "], "has no tokens"),
        (["x " * 90], "has room for 70|has room\nfor 70|room for 70"),
        (["dog <|endoftext|> cat"], "holds a special or unknown token"),
        (["<|startoftext|>"], "holds a special or unknown token"),
    ],
)
def test_names_that_do_not_fit(tiny_backbone: Backbone, names: Any, said: str) -> None:
    context = torch.zeros(5, 32)
    for encode in (tiny_backbone.text.encode, tiny_backbone.text.encode_reference):
        with pytest.raises(DataError, match=said):
            encode(context, names)


def test_the_longest_name_that_fits(tiny_backbone: Backbone) -> None:
    text = tiny_backbone.text
    for n_ctx in (1, 8):
        room = 77 - 3 - n_ctx
        context = torch.randn(n_ctx, 32)
        names = ["x " * room]
        torch.testing.assert_close(
            text.encode(context, names), text.encode_reference(context, names), atol=1e-5, rtol=0
        )
        with pytest.raises(DataError, match="Shorten the name or lower n_ctx"):
            text.encode(context, ["x " * (room + 1)])


@pytest.mark.parametrize(
    ("shape", "placement", "said"),
    [
        ((4, 31), "input", r"\(4, 31\) does not fit placement='input'.*d=32"),
        ((32,), "input", "expected"),
        ((1, 1, 4, 32), "input", "expected"),
        ((0, 4, 32), "input", "expected"),
        ((4, 32), "deep", r"expected \(depth, n_ctx, d\)"),
        ((4, 4, 32), "deep", "depth 4 is outside 1..3"),
        ((4, 32), "per_class", "expected"),
        ((3, 4, 32), "per_class", "3 per-class contexts for 2 class names"),
        ((4, 32), "depe", "Did you mean 'deep'"),
    ],
)
def test_contexts_that_do_not_fit(tiny_backbone: Backbone, shape: Any, placement: Any, said: str) -> None:
    for encode in (tiny_backbone.text.encode, tiny_backbone.text.encode_reference):
        with pytest.raises(OptionError, match=said):
            encode(torch.zeros(shape), ["dog", "cat"], placement)


def test_words_and_texts_that_are_none(tiny_backbone: Backbone) -> None:
    with pytest.raises(OptionError, match="has no tokens"):
        tiny_backbone.text.embed_words(" ")
    for texts in ([], "a photo of a dog."):
        with pytest.raises(DataError, match="give a list"):
            tiny_backbone.text.encode_texts(texts)


def test_special_tokens_around_a_text() -> None:
    assert split_special([1, 5, 6, 2, 0], [5, 6]) == (1, 2)
    assert split_special([5, 6, 2], [5, 6]) == (None, 2)
    assert split_special([5, 6], [5, 6]) == (None, None)
    with pytest.raises(BackboneError, match="more than one start token"):
        split_special([1, 1, 5, 6, 2], [5, 6])


def test_the_toy_tokenizers_are_of_the_real_kind() -> None:
    assert clip_tokenizer()("a photo").input_ids[0] == len(clip_tokenizer()) - 2
    alone, behind = (gemma_tokenizer()(t, add_special_tokens=False).input_ids for t in ("dog", "a dog"))
    assert behind[1:] != alone  # SigLIP 2 marks the space: a name alone is another token
