"""open_clip's CoCa, PE and towers of transformers: open_clip's own features, with and without a context."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import toy_arrays
from tiny_open_clip import MADE, save_open_kind
from torch import Tensor

from promptlet import PromptClassifier
from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.libraries.texts.in_open_clip import KINDS, sizes_of
from promptlet.errors import BackboneError, DataError

open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")

NAMES = ["dog", "cat house", "the House of 7 dogs", "a", "Bad-Dog: no. 2", "!~ dog"]
TEXTS = ["dog.", "a photo of a dog", "A Photo, of the CAT!", "7"]
PARAMS = [pytest.param(kind, marks=pytest.mark.slow) if kind == "pe" else kind for kind in MADE]
"""PE's smallest image tower has six million numbers."""


@pytest.fixture(scope="module", params=PARAMS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each kind."""
    return save_open_kind(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return load_backbone(
        f"open_clip:{folder}", device="cpu", dtype="float32"
    )  # PE's is large enough for less


@cache
def theirs(folder: Path) -> tuple[Any, Any]:
    """The model and its tokenizer as open_clip itself reads the folder."""
    model = open_clip.create_model(f"local-dir:{folder}", require_pretrained=True).eval()
    return model, open_clip.get_tokenizer(f"local-dir:{folder}")


def official(folder: Path, texts: list[str]) -> Tensor:
    model, tokenizer = theirs(folder)
    with torch.no_grad():
        features: Tensor = model.encode_text(tokenizer(texts), normalize=False)
    return features


def test_texts_give_the_official_features(folder: Path, backbone: Backbone) -> None:
    expected = official(folder, TEXTS)
    torch.testing.assert_close(backbone.text.encode_texts(TEXTS), expected, atol=1e-5, rtol=0)
    alone = torch.cat([backbone.text.encode_texts([text]) for text in TEXTS])
    torch.testing.assert_close(alone, expected, atol=1e-5, rtol=0)
    long = ["x" * 300]
    torch.testing.assert_close(backbone.text.encode_texts(long), official(folder, long), atol=1e-5, rtol=0)


@pytest.mark.parametrize("words", ["a photo of a", "The 7:"])
def test_words_as_context_give_the_official_features(folder: Path, backbone: Backbone, words: str) -> None:
    """A name that begins with the token 0, CoCa's padding, too: it must not hold a place for the context."""
    context = backbone.text.embed_words(words)
    expected = official(folder, [f"{words} {name}." for name in NAMES])
    for features in (
        backbone.text.encode(context, NAMES),
        backbone.text.encode_reference(context, NAMES),
        backbone.text.encode(context.expand(len(NAMES), *context.shape), NAMES, "per_class"),
    ):
        torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)


def by_hand(folder: Path, context: Tensor, names: list[str]) -> Tensor:
    """The context in place of words of the prompt, on the library's own model: its text behind "x x x"."""
    model, tokenizer = theirs(folder)
    ids = tokenizer([f"{'x ' * len(context)}{name}." for name in names])
    named = dict(getattr(model, "text", model).named_modules())
    place = next(
        named[name]
        for name in ("token_embedding", "transformer.embeddings.word_embeddings", "transformer.embed_tokens")
        if name in named
    )
    at = 0 if "mt5" in str(folder) else 1

    def put(_module: Any, _args: Any, states: Tensor) -> Tensor:
        own = context.expand(len(states), *context.shape)
        return torch.cat([states[:, :at], own, states[:, at + len(context) :]], dim=1)

    hook = place.register_forward_hook(put)
    try:
        features: Tensor = model.encode_text(ids, normalize=False)
    finally:
        hook.remove()
    return features


def test_a_learned_context_and_its_gradient(folder: Path, backbone: Backbone) -> None:
    text, names = backbone.text, ["dog", "cat house"]
    n_ctx = len(text.tokenizer.words("x x x "))
    draw = torch.Generator().manual_seed(7)
    context = (0.3 * torch.randn(n_ctx, text.dim, generator=draw)).requires_grad_()
    expected = by_hand(folder, context, names) if n_ctx == 3 else text.encode_reference(context, names)
    weights = torch.randn(expected.shape, generator=draw)
    (slope,) = torch.autograd.grad((expected * weights).sum(), context)
    features = text.encode(context, names)
    (gradient,) = torch.autograd.grad((features * weights).sum(), context)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient, slope, atol=1e-4 * float(slope.abs().max()), rtol=0)
    deep = torch.randn(text.depth, 2, text.dim, generator=draw, requires_grad=True)
    (gradient,) = torch.autograd.grad(text.encode(deep, names, "deep").pow(2).sum(), deep)
    assert bool((gradient.flatten(1).norm(dim=1) > 0).all())


def test_images_and_scale(folder: Path, backbone: Backbone) -> None:
    model, _ = theirs(folder)
    pixels = torch.rand(2, 3, *backbone.images.spec.output_size)
    with torch.no_grad():
        expected = model.encode_image(pixels, normalize=False)
    torch.testing.assert_close(backbone.images.encode(pixels), expected, atol=1e-5, rtol=0)
    assert backbone.logit_scale == pytest.approx(model.logit_scale.detach().exp().item())
    if not backbone.images.has_tokens:  # CoCa pools by attention, PE is timm's
        with pytest.raises(BackboneError, match="prompts cannot enter an image tower of kind"):
            backbone.images.encode_prompted(pixels, torch.zeros(1, 2, 32))


def test_what_shares(folder: Path, backbone: Backbone) -> None:
    """PE's and MetaCLIP 2's text towers are causal; CoCa reads a token behind the text, the others look both
    ways."""
    kind = folder.name.rstrip("0123456789")
    assert backbone.text.exact_sharing == (kind in ("pe", "worldwide"))
    assert backbone.text.tokenizer.hides_padding == (kind not in ("pe", "worldwide", "coca"))
    again = load_backbone(f"open_clip:{folder}", device="cpu")
    assert again.fingerprint == backbone.fingerprint
    assert all(getattr(layer, "name_or_path", "") == "" for layer in again.model.modules())


def test_what_is_learned_answers_alike_from_its_file(
    folder: Path, backbone: Backbone, tmp_path: Path
) -> None:
    features, labels = toy_arrays(backbone, per_class=2)
    clf = PromptClassifier(backbone, method="rlp", epochs=2).fit(features, labels)
    clf.save(tmp_path / "some.prompt")
    again = load_backbone(f"open_clip:{folder}", device="cpu")
    back = PromptClassifier.load(tmp_path / "some.prompt", again)
    np.testing.assert_allclose(back.predict_proba(features), clf.predict_proba(features), atol=1e-6)


def changed(folder: Path, **text: Any) -> str:
    """The folder with other words in its ``text_cfg``."""
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"].update(text)
    path.write_text(json.dumps(config))
    return f"open_clip:{folder}"


def test_how_features_are_read_is_part_of_the_identity(tmp_path: Path) -> None:
    folder = save_open_kind("roberta", tmp_path)
    mean = load_backbone(f"open_clip:{folder}", device="cpu").fingerprint
    first = load_backbone(changed(folder, hf_pooler_type="cls_last_hidden_state_pooler"), device="cpu")
    assert first.fingerprint.split("-")[1:] == mean.split("-")[1:]
    assert first.fingerprint != mean


def test_a_pooler_that_open_clip_cannot_run(tmp_path: Path) -> None:
    folder = save_open_kind("roberta", tmp_path)
    with pytest.raises(BackboneError, match=r"text tower .* cannot be used"):
        load_backbone(changed(folder, hf_pooler_type="max_pooler"), device="cpu")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "distilbert"}, "of kind 'distilbert', which is not known; known are bert, roberta"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "comes with Python code of its own"),
        ({"num_hidden_layers": 10**7}, "config.json: num_hidden_layers is 10000000"),
        ({"vocab_size": 10**6}, "asks for a model of over"),
        ({"hidden_act": "nothing_known"}, "cannot load"),
        ({"pad_token_id": 3}, "hides the padding token 3 and the tokenizer's is 1"),
    ],
)
def test_configurations_of_towers_are_looked_at(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = save_open_kind("roberta", tmp_path)
    path = folder / "tower" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BackboneError, match=said):
        load_backbone(f"open_clip:{folder}", device="cpu")


def test_nothing_but_sizes_is_taken(tmp_path: Path) -> None:
    """No kernel of attention, no other class, no path, whatever stands there."""
    folder = save_open_kind("roberta", tmp_path)
    before = load_backbone(f"open_clip:{folder}", device="cpu").fingerprint
    path = folder / "tower" / "config.json"
    more = {
        "attn_implementation": "somebody/kernel",
        "_attn_implementation": "somebody/kernel",
        "quantization_config": {"quant_method": "bitsandbytes"},
        "architectures": ["Evil"],
        "_name_or_path": "somebody/else",
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    assert not set(more) & set(sizes_of(path, "toy"))
    backbone = load_backbone(f"open_clip:{folder}", device="cpu")
    assert backbone.fingerprint == before
    configs = (module.config for module in backbone.model.modules() if hasattr(module, "config"))
    assert {config._attn_implementation for config in configs} == {"sdpa"}


def test_every_kind_that_open_clip_can_read_is_known() -> None:
    from open_clip.hf_configs import arch_dict

    assert set(KINDS) == set(arch_dict)


def test_names_with_the_padding_are_refused(tmp_path: Path) -> None:
    text = load_backbone(f"open_clip:{save_open_kind('bert', tmp_path)}", device="cpu").text
    with pytest.raises(DataError, match="special or unknown token"):
        text.encode(torch.zeros(2, 32), ["dog [PAD] cat"])
