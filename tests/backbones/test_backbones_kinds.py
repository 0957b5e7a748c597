"""Dual encoders of transformers with other text towers than CLIP's: the library's own features, with and
without a learned context, and what cannot be done with them."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_kinds import MADE
from torch import Tensor

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.text.tokenizer import Tokenizer
from promptlet.errors import BackboneError, DataError

NAMES = ["dog", "cat house", "the House of 7 dogs", "café!", "a", "一只狗", "Bad-Dog: no. 2"]
TEXTS = ["dog.", "a photo of a dog", "A Photo, of the CAT!", "照片", "7"]


@pytest.fixture(scope="module", params=MADE)
def backbone(request: pytest.FixtureRequest, kind_folders: dict[str, Path]) -> Backbone:
    """Each kind, loaded."""
    return load_backbone(kind_folders[request.param], device="cpu")


@cache
def own_tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def told(backbone: Backbone, texts: list[str]) -> Any:
    """What the model's own tokenizer makes of texts of different lengths: ids and the mask of the padding."""
    return own_tokenizer(backbone.name)(texts, padding=True, return_tensors="pt")


def official(backbone: Backbone, texts: list[str]) -> Tensor:
    """Text features as the library's documentation says to get them."""
    model: Any = backbone.model
    with torch.no_grad():
        features = model.get_text_features(**told(backbone, texts))
    return features if isinstance(features, Tensor) else features.pooler_output


def test_which_kinds_share(backbone: Backbone, kind_folders: dict[str, Path]) -> None:
    causal = backbone.name == str(kind_folders["metaclip_2"])
    assert backbone.text.exact_sharing == causal
    assert backbone.text.tokenizer.hides_padding != causal


def test_texts_give_the_official_features(backbone: Backbone) -> None:
    expected = official(backbone, TEXTS)
    torch.testing.assert_close(backbone.text.encode_texts(TEXTS), expected, atol=1e-5, rtol=0)
    alone = torch.cat([backbone.text.encode_texts([text]) for text in TEXTS])
    torch.testing.assert_close(alone, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("words", ["a photo of a", "The 7:"])
def test_words_as_context_give_the_official_features(backbone: Backbone, words: str) -> None:
    context = backbone.text.embed_words(words)
    expected = official(backbone, [f"{words} {name}." for name in NAMES])
    torch.testing.assert_close(backbone.text.encode(context, NAMES), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(backbone.text.encode_reference(context, NAMES), expected, atol=1e-5, rtol=0)
    each = backbone.text.encode(context.expand(len(NAMES), *context.shape), NAMES, "per_class")
    torch.testing.assert_close(each, expected, atol=1e-5, rtol=0)


def by_embeddings(backbone: Backbone, context: Tensor, names: list[str]) -> Tensor:
    """Features of prompts by the library's own `inputs_embeds`, one name at a time and without any padding:
    start token, context, name and ".", end token."""
    model: Any = backbone.model
    tower, ids = model.text_model, told(backbone, names[:1]).input_ids[0]
    rows = []
    for name in names:
        tokens = [ids[0].item(), *backbone.text.tokenizer.name(name, len(context))]
        words = tower.get_input_embeddings()(torch.tensor(tokens))
        states = torch.cat([words[:1], context, words[1:]])[None]
        out = tower(inputs_embeds=states)
        kind = type(model).__name__
        read = out.pooler_output if kind.startswith("VisionText") else out.last_hidden_state[:, 0]
        rows.append(model.text_projection(read))
    return torch.cat(rows)


def test_a_learned_context_and_its_gradient(backbone: Backbone) -> None:
    """Against embeddings that are handed to the tower, where the library takes them (MetaCLIP 2 does not: its
    engine is held against its plain path)."""
    text, names = backbone.text, NAMES[:4]
    draw = torch.Generator().manual_seed(7)
    context = (0.3 * torch.randn(5, text.dim, generator=draw)).requires_grad_()
    if text.exact_sharing:
        expected = text.encode_reference(context, names)
    else:
        expected = by_embeddings(backbone, context, names)
    weights = torch.randn(expected.shape, generator=draw)
    (slope,) = torch.autograd.grad((expected * weights).sum(), context)
    features = text.encode(context, names)
    (gradient,) = torch.autograd.grad((features * weights).sum(), context)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient, slope, atol=1e-4 * float(slope.abs().max()), rtol=0)
    assert float(slope.abs().max()) > 0


def test_other_placements(backbone: Backbone) -> None:
    text, names = backbone.text, ["dog", "cat house"]
    context = text.embed_words("a photo of")
    expected = text.encode(context, names)
    batch = text.encode(context.expand(2, *context.shape), names)  # a context for each input, as in CoCoOp
    torch.testing.assert_close(batch[1], expected, atol=1e-5, rtol=0)
    deep = torch.randn(text.depth, *context.shape, generator=torch.Generator().manual_seed(0))
    features = text.encode(deep.requires_grad_(), names, "deep")
    (gradient,) = torch.autograd.grad(features.pow(2).sum(), deep)
    assert bool((gradient.flatten(1).norm(dim=1) > 0).all())
    for place in ("middle", "front"):
        features = text.encode(context, names, class_token=place)
        torch.testing.assert_close(features, text.encode_reference(context, names, class_token=place))
        assert not torch.allclose(features, expected)
    if text.tokenizer.behind_words("dog") != text.tokenizer.words("dog"):
        return  # RoBERTa's word behind others is another token than the same word alone
    swapped = text.encode(text.embed_words("dog"), ["a photo of"], class_token="front")
    torch.testing.assert_close(swapped, official(backbone, ["a photo of dog."]), atol=1e-5, rtol=0)


def test_images_and_scale(backbone: Backbone) -> None:
    model: Any = backbone.model
    pixels = torch.rand(3, 3, *backbone.images.spec.output_size)
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=pixels)
        expected = expected if isinstance(expected, Tensor) else expected.pooler_output
        ids = told(backbone, TEXTS)
        logits = model(**ids, pixel_values=pixels).logits_per_image
    features = backbone.images.encode(pixels)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    unit = [
        torch.nn.functional.normalize(one, dim=-1) for one in (features, backbone.text.encode_texts(TEXTS))
    ]
    torch.testing.assert_close(backbone.logits(*unit), logits, atol=1e-4, rtol=1e-4)


def test_prompts_beside_the_patches(backbone: Backbone) -> None:
    """In CLIP's own image tower, under whatever name; ALIGN's convolutions have no place for them."""
    images = backbone.images
    pixels = torch.rand(2, 3, *images.spec.output_size)
    if images.kind == "AlignVisionModel":
        assert not images.has_tokens
        with pytest.raises(BackboneError, match="cannot enter an image tower of kind AlignVisionModel"):
            images.encode_prompted(pixels, torch.zeros(1, 2, 32))
        return
    context = torch.randn(2, 3, images.dim, generator=torch.Generator().manual_seed(1)).requires_grad_()
    features, plain = (
        images.encode_prompted(pixels, context),
        images.encode_prompted_reference(pixels, context),
    )
    torch.testing.assert_close(features, plain, atol=1e-5, rtol=0)
    (gradient,) = torch.autograd.grad(features.pow(2).sum(), context)
    assert bool((gradient.flatten(1).norm(dim=1) > 0).all())


def test_padding_costs_nothing(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no token sees it, rows are as long as the longest; in full length they give the same."""
    tokens = backbone.text.tokenizer
    context = backbone.text.embed_words("a photo of a")
    n_ctx = len(context)
    short = backbone.text.encode_reference(context, NAMES[:2])
    sequences = backbone.text.sequences(NAMES[:2], n_ctx)
    whole = [tokens.full(sequence, n_ctx) for sequence in sequences]
    longest = max(map(len, tokens.rows(sequences, n_ctx)))
    assert longest == (1 + n_ctx + max(map(len, sequences)) if tokens.hides_padding else tokens.length)
    monkeypatch.setattr(Tokenizer, "rows", lambda *_: whole)
    full = backbone.text.encode_reference(context, NAMES[:2])
    torch.testing.assert_close(short, full, atol=1e-5, rtol=0)


def test_the_longest_name_that_fits(backbone: Backbone) -> None:
    tokens = backbone.text.tokenizer
    context = torch.randn(3, backbone.text.dim, generator=torch.Generator().manual_seed(2))
    more = tokens.length - 4 - len(tokens.name("z", 0))  # a start token and a context of three
    longest = "z" * (1 + more)
    assert bool(backbone.text.encode(context, [longest]).isfinite().all())
    with pytest.raises(DataError, match="Shorten the name or lower n_ctx"):
        backbone.text.encode(context, [longest + "z"])


def test_names_with_special_tokens_are_refused(kind_folders: dict[str, Path]) -> None:
    """The padding's too, where it is hidden: a tower would pass over a part of the name."""
    bert = load_backbone(kind_folders["chinese_clip"], device="cpu").text
    for name in ("dog [PAD] cat", "[CLS]", "dog [SEP]"):
        with pytest.raises(DataError, match="special or unknown token"):
            bert.encode(torch.zeros(2, 32), [name])


@pytest.mark.parametrize("kind", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
def test_low_precision(backbone: Backbone, kind: str) -> None:
    low = load_backbone(backbone.name, device="cpu", dtype=kind)
    assert low.fingerprint == backbone.fingerprint
    sharp, rough = (one.text.encode_texts(TEXTS) for one in (backbone, low))
    assert float(torch.cosine_similarity(sharp, rough).min()) > 0.99


def test_what_is_not_theirs_is_refused(kind_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(kind_folders["dual_bert"], tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["model_type"] = "distilbert"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"\(distilbert\) model.*text tower of CLIP, BERT, RoBERTa"):
        load_backbone(folder, device="cpu")


def test_a_text_tower_that_is_not_known_is_refused(kind_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(kind_folders["chinese_clip"], tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["model_type"] = "gpt2"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        BackboneError, match=r"chinese_clip \(gpt2\) model, not a dual encoder that Promptlet"
    ):
        load_backbone(folder, device="cpu")


def test_texts_without_room_are_refused(kind_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(kind_folders["align"], tmp_path / "copy"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    for length in (3, 4, 5):
        config["model_max_length"] = length
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        if length == 5:
            assert load_backbone(folder, device="cpu").text.tokenizer.length == 5
            continue
        with pytest.raises(BackboneError, match=f"a text may have {length} tokens .* room for 5 at least"):
            load_backbone(folder, device="cpu")


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("chinese_clip", "pad_token_id", 3, "hides the padding token 3 and the tokenizer's is 0"),
        ("metaclip_2", "eos_token_id", 5, "pools at token 5 but the tokenizer ends a text with 2"),
    ],
)
def test_tokens_that_do_not_belong_to_the_tower(
    kind: str, field: str, value: int, said: str, kind_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(kind_folders[kind], tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"][field] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=said):
        load_backbone(folder, device="cpu")


@pytest.mark.slow
def test_a_temperature_is_one_above_a_scale(kind_folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    assert load_backbone(kind_folders["align"], device="cpu").logit_scale == pytest.approx(20)
    folder = Path(shutil.copytree(kind_folders["align"], tmp_path / "copy"))
    weights = load_file(folder / "model.safetensors")
    for value in (0.0, -0.05, 1e6):
        weights["temperature"] = torch.tensor(value)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(BackboneError, match=r"logit scale .* one over its temperature"):
            load_backbone(folder, device="cpu")


def test_align_as_older_versions_saved_it(kind_folders: dict[str, Path], tmp_path: Path) -> None:
    """Its parts under the names of what they were made of."""
    folder = Path(shutil.copytree(kind_folders["align"], tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["model_type"], config["vision_config"]["model_type"] = "bert", "efficientnet"
    (folder / "config.json").write_text(json.dumps(config))
    fingerprints = {load_backbone(one, device="cpu").fingerprint for one in (folder, kind_folders["align"])}
    assert len(fingerprints) == 1
