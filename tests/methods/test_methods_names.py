"""Class names that a backbone reads alike are refused wherever classes are set, with what is read of both."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import SIGLIP_PIXELS, TOWER, gemma_tokenizer, shaken

from promptlet import PromptClassifier
from promptlet.backbones import Backbone, load_backbone, write_text_features
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.errors import DataError, PromptFileError
from promptlet.methods import METHODS, build_method
from promptlet.preprocessing.libraries import spec_from_transformers

CPU = torch.device("cpu")
SPEC = spec_from_transformers(SIGLIP_PIXELS, "toy")
CORPUS = ["a photo of a dog.", "a photo of a saint bernard", "c java python", "st bernard café tower"]


def siglip(tokenizer: Any) -> Backbone:
    """A tiny SigLIP over a tokenizer."""
    from transformers import SiglipConfig, SiglipModel

    text = {**TOWER, "vocab_size": len(tokenizer), "projection_size": 32}
    eyes = {**TOWER, "image_size": 32, "patch_size": 16}
    model = shaken(SiglipModel(SiglipConfig(text_config=text, vision_config=eyes)), 3)
    return wrap_transformers(model, tokenizer, SPEC, "toy", CPU, torch.float32)


@pytest.fixture(scope="module")
def spiece(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """SigLIP's own sentencepiece, which drops punctuation and does not know all letters."""
    import sentencepiece
    from transformers import SiglipTokenizer

    folder = tmp_path_factory.mktemp("spiece")
    (folder / "corpus.txt").write_text("\n".join(CORPUS * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "spiece"), vocab_size=40, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    return siglip(SiglipTokenizer(str(folder / "spiece.model")))


@pytest.fixture(scope="module")
def gemma() -> Backbone:
    """SigLIP 2's kind, which has bytes for what it does not know."""
    return siglip(gemma_tokenizer())


@pytest.fixture(scope="module")
def clip(tiny_backbone: Backbone) -> Backbone:
    """CLIP's BPE."""
    return tiny_backbone


@pytest.fixture(scope="module")
def open_siglip(open_siglip_folder: Path) -> Backbone:
    """open_clip's canonical text before Gemma's kind of tokenizer."""
    return load_backbone(f"open_clip:{open_siglip_folder}", device="cpu")


ALIKE = [
    ("spiece", "c", "c++"),
    ("spiece", "st bernard", "st. bernard"),
    ("spiece", "dog 東京", "dog 北京"),
    ("spiece", "java", "java!"),
    ("open_siglip", "C", "C++"),
    ("open_siglip", "St Bernard", "St. Bernard"),
    ("open_siglip", "Dog", "dog"),
    ("clip", "Dog", "dog"),
    ("clip", "dog", "dog "),
    ("gemma", "dog", "dog"),
]


@pytest.mark.parametrize(("kind", "first", "second"), ALIKE)
def test_names_read_alike_are_refused(
    kind: str, first: str, second: str, request: pytest.FixtureRequest
) -> None:
    """Their features are the same, by the library's own forward: no prompt could tell them apart."""
    backbone: Backbone = request.getfixturevalue(kind)
    texts = [f"a photo of a {name}." for name in (first, second)]
    features = backbone.encode_texts(texts)
    torch.testing.assert_close(features[0], features[1])
    said = (
        f"{re.escape(repr(first))} and {re.escape(repr(second))} are the same to '.*': it reads '.+' for both"
    )
    with pytest.raises(DataError, match="is there twice" if first == second else said):
        build_method("zero_shot", backbone, ["cat", first, "bird", second])
    method = build_method("rlp", backbone, ["cat", first], ctx_init="random")
    with pytest.raises(DataError, match="is there twice" if first == second else said):
        method.set_classes([first, second])
    assert method.class_names == ("cat", first)


@pytest.mark.parametrize("kind", ["spiece", "clip", "gemma", "open_siglip"])
def test_names_read_differently_are_not(kind: str, request: pytest.FixtureRequest) -> None:
    backbone: Backbone = request.getfixturevalue(kind)
    names = ["dog", "dogs", "a dog", "cat", "java", "c", "st bernard", "saint bernard"]
    features = backbone.encode_texts([f"a photo of a {name}." for name in names])
    assert torch.pdist(features).min() > 1e-4
    assert build_method("zero_shot", backbone, names).class_names == tuple(names)
    assert backbone.notes((), names) == ()


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("spiece", "東京", "is of nothing but characters that this backbone's tokenizer does not know"),
        ("spiece", "東 京", "is of nothing but characters"),
        ("spiece", "++", "has no tokens for this backbone"),
        ("open_siglip", "!!!", "has no tokens for this backbone"),
        ("clip", "<|endoftext|>", "holds a special or unknown token"),
        ("clip", " ", "has no tokens"),
    ],
)
@pytest.mark.parametrize("method", ["zero_shot", "rlp", "tip_adapter"])
def test_names_of_which_nothing_is_read(
    method: str, kind: str, name: str, said: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(DataError, match=said):
        options = {"ctx_init": "random"} if method == "rlp" else {}
        build_method(method, request.getfixturevalue(kind), ["cat", name], **options)


def test_unknown_characters_are_told(spiece: Backbone) -> None:
    method = build_method("zero_shot", spiece, ["dog 東", "cat", "java"])
    [note] = method.notes()
    assert note.startswith("the tokenizer of toy does not know all characters of 'dog 東': it reads one sign")


def every_way(backbone: Backbone) -> dict[str, Callable[[tuple[str, str]], Any]]:
    """All the ways in which class names arrive at a classifier."""
    features = np.random.default_rng(0).standard_normal((4, backbone.feature_dim)).astype(np.float32)
    fitted = PromptClassifier(backbone, epochs=1, ctx_init="random", cache=False).fit(
        features, ["dog", "cat"] * 2
    )

    return {
        "fit": lambda names: PromptClassifier(backbone, epochs=1, ctx_init="random", cache=False).fit(
            features, list(names) * 2
        ),
        "predict": lambda names: fitted.predict(features, names),
        "predict_proba": lambda names: fitted.predict_proba(features, names),
        "class_features": lambda names: fitted.class_features(names),
        "untaught": lambda names: fitted.untaught(names),
    }


def test_every_way_refuses(spiece: Backbone) -> None:
    for way, ask in every_way(spiece).items():
        with pytest.raises(DataError, match=r"'c' and 'c\+\+' are the same"):
            ask(("c", "c++"))
        assert way


def test_a_prompt_file_with_names_read_alike(spiece: Backbone, tmp_path: Path) -> None:
    """As another version may have written it."""
    from promptlet.promptfile import save_prompt_file

    features = np.random.default_rng(0).standard_normal((4, spiece.feature_dim)).astype(np.float32)
    fitted = PromptClassifier(spiece, epochs=1, ctx_init="random", cache=False).fit(
        features, ["dog", "cat"] * 2
    )
    file = fitted.prompt_file()
    save_prompt_file(tmp_path / "a.prompt", replace(file, class_names=("c", "c++")), "fp32", False)
    with pytest.raises(PromptFileError, match=r"cannot use .*a\.prompt: the class names 'c' and 'c\+\+' are"):
        PromptClassifier.load(tmp_path / "a.prompt", spiece)


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"linear_probe", "clip_lora"}))
def test_every_method_that_reads_names_refuses(name: str, clip: Backbone) -> None:
    with pytest.raises(DataError, match="'Dog' and 'dog' are the same"):
        build_method(name, clip, ["Dog", "cat", "dog"])


def test_a_linear_probe_reads_no_names(clip: Backbone) -> None:
    assert build_method("linear_probe", clip, ["Dog", "dog"]).class_names == ("Dog", "dog")


def test_files_of_vectors(tmp_path: Path) -> None:
    """Two names with one vector, as a tokenizer elsewhere read them alike."""
    vectors = np.eye(3, 8, dtype=np.float32)
    vectors[2] = vectors[0]
    write_text_features(tmp_path / "t.npz", ["C", "dog", "C++"], vectors)
    backbone = load_backbone(f"features:{tmp_path / 't.npz'}", device="cpu")
    assert build_method("zero_shot", backbone, ["C", "dog"]).class_names == ("C", "dog")
    with pytest.raises(
        DataError, match=r"'C' and 'C\+\+' are the same to .* it reads the same vector for both"
    ):
        build_method("zero_shot", backbone, ["C", "dog", "C++"])


def test_names_are_read_once(clip: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    build_method("zero_shot", clip, ["read once", "and for all"])
    monkeypatch.setattr(type(clip.text.tokenizer), "behind_words", None)
    assert build_method("zero_shot", clip, ["and for all", "read once"])


def test_imagenets_names_differ_for_clip() -> None:
    """CLIP's own list, with its two twins as `promptlet.data` calls them, by open_clip's own tokenizer."""
    zero_shot = pytest.importorskip("open_clip.zero_shot_metadata")
    open_clip = pytest.importorskip("open_clip")
    from promptlet.backbones.readings import NameRead, check_distinct
    from promptlet.backbones.text.tokenizer import Tokenizer

    own = open_clip.SimpleTokenizer()
    tokenizer = Tokenizer(lambda text: list(own.encode(text)), own.sot_token_id, own.eot_token_id, 0, 77)
    names = list(zero_shot.IMAGENET_CLASSNAMES)
    for twin, other in (("missile", "projectile"), ("sunglasses", "sunglass")):
        places = [i for i, name in enumerate(names) if name == twin]
        assert len(places) == 2
        names[places[0]] = other if other not in names else f"{other} (2)"
    check_distinct([NameRead(name, tokenizer.reading(name).ids, "") for name in names], "CLIP")
