"""A `SentenceTransformer` over a tiny CLIP: one model for an index and for prompts."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import promptlet as pl
from promptlet.errors import BackboneError, ImageError, MissingExtraError, OptionError, WrongBackboneError

pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.slow  # it takes seconds to import


@pytest.fixture(scope="module")
def st() -> Any:
    return import_module("promptlet.integrations.sentence_transformers")


@pytest.fixture(scope="module")
def model(clip_folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(clip_folder), device="cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for i in range(12):
        base = np.array(((200, 30, 30), (30, 200, 30))[i % 2])
        pixels = (base + draw.integers(-25, 25, (60, 48, 3))).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:02d}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def prompt(clip_folder: Path, pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned by Promptlet from the folder, without sentence-transformers."""
    clf = pl.PromptClassifier(pl.load_backbone(clip_folder, device="cpu"), cache=False, epochs=4)
    clf.fit(pictures, ["cat", "dog"] * 6)
    path = tmp_path_factory.mktemp("prompt") / "pets.prompt"
    clf.save(path)
    return path


def test_it_is_the_same_backbone(st: Any, model: Any, clip_folder: Path) -> None:
    own, there = pl.load_backbone(clip_folder, device="cpu"), st.backbone_of(model, "my-clip")
    assert there.fingerprint == own.fingerprint and there.name == "my-clip"
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_prompt_answers_about_what_the_model_encodes(
    st: Any, model: Any, prompt: Path, clip_folder: Path, pictures: list[Path]
) -> None:
    own = pl.PromptClassifier.load(prompt, pl.load_backbone(clip_folder, device="cpu"))
    there = st.EncodedClassifier(model, prompt)
    np.testing.assert_allclose(there.predict_proba(pictures), own.predict_proba(pictures), atol=2e-3)
    assert there.predict(pictures).tolist() == own.predict(pictures).tolist()
    index = model.encode([Image.open(path) for path in pictures])  # as an index holds them
    np.testing.assert_allclose(there.predict_proba(index), there.predict_proba(pictures), atol=1e-5)
    names = ["cat", "box"]
    np.testing.assert_allclose(there.class_features(names), own.class_features(names), atol=1e-5)
    assert there.predict_proba(index, names).shape == (12, 2) and there.class_names == ("cat", "dog")
    far = there.predict(index, reject=50)
    assert far.tolist() == own.predict(pictures, reject=50).tolist()


def test_a_prompt_can_be_learned_for_it(st: Any, model: Any, pictures: list[Path], tmp_path: Path) -> None:
    clf = pl.PromptClassifier(st.backbone_of(model), cache=False, epochs=4)
    clf.fit(model.encode([Image.open(path) for path in pictures]), ["cat", "dog"] * 6)
    clf.save_pretrained(tmp_path / "pets")
    again = st.EncodedClassifier(model, tmp_path / "pets")
    assert again.predict(pictures).tolist() == st.EncodedClassifier(model, clf).predict(pictures).tolist()


def test_another_model_is_refused(st: Any, prompt: Path, gelu_folder: Path, tiny_backbone: Any) -> None:
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(str(gelu_folder), device="cpu")
    with pytest.raises(WrongBackboneError):
        st.EncodedClassifier(other, prompt)
    with pytest.raises(WrongBackboneError):
        st.EncodedClassifier(other, pl.PromptClassifier.load(prompt, tiny_backbone))


def test_what_does_not_fit_is_refused(
    st: Any, model: Any, clip_folder: Path, pictures: list[Path], tiny_backbone: Any, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    with pytest.raises(BackboneError, match="behind its model this SentenceTransformer has Dense"):
        st.backbone_of(SentenceTransformer(modules=[model[0], Dense(16, 8)], device="cpu"))
    st.backbone_of(SentenceTransformer(modules=[model[0], Normalize()], device="cpu"))
    half = SentenceTransformer(str(clip_folder), device="cpu", model_kwargs={"dtype": "float16"})
    with pytest.raises(BackboneError, match=r"weights are torch\.float16; a backbone's are float32"):
        st.backbone_of(half)
    with pytest.raises(BackboneError, match="no CLIP or SigLIP with both towers"):
        st.backbone_of(SentenceTransformer(modules=[Normalize()], device="cpu"))
    seen = pl.PromptClassifier(tiny_backbone, "vpt", cache=False, epochs=1).fit(pictures, ["cat", "dog"] * 6)
    with pytest.raises(OptionError, match="'vpt' changes the image tower"):
        st.EncodedClassifier(model, seen)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    own = st.EncodedClassifier(
        model, pl.PromptClassifier(tiny_backbone, "zero_shot", cache=False).fit(pictures, ["cat", "dog"] * 6)
    )
    with pytest.raises(ImageError):
        own.predict([tmp_path / "a.jpg"])


def test_without_it_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "promptlet.integrations.sentence_transformers"
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MissingExtraError, match="pip install sentence-transformers"):
        import_module(name)
