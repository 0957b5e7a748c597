"""FiftyOne's protocol of a model, asked as `apply_model` and `compute_embeddings` ask it.

FiftyOne brings a database of its own, so the tests have a stand-in for the three classes that it documents in
`fiftyone.core.models` and one label; where FiftyOne itself is installed, they run with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import promptlet as pl
from promptlet.errors import DataError, MissingExtraError, OptionError

NAME = "promptlet.integrations.fiftyone"


class Model:
    """As documented: what a subclass does not say is an error."""

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    media_type = ragged_batches = transforms = preprocess = property(lambda self: 1 / 0)
    has_logits = has_embeddings = can_embed_prompts = False


class LogitsMixin:
    def __init__(self) -> None:
        self._store_logits = False

    @property
    def store_logits(self) -> bool:
        return self._store_logits

    @store_logits.setter
    def store_logits(self, flag: bool) -> None:
        assert self.has_logits  # type: ignore[attr-defined]
        self._store_logits = flag


class EmbeddingsMixin:
    pass


class Classification:
    def __init__(self, label: str, confidence: float, logits: Any = None) -> None:
        self.label, self.confidence, self.logits = label, confidence, logits


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`promptlet.integrations.fiftyone`, over FiftyOne or its stand-in."""
    if find_spec("fiftyone") is None:
        own = {
            "fiftyone": ModuleType("fiftyone"),
            "fiftyone.core": ModuleType("fiftyone.core"),
            "fiftyone.core.models": ModuleType("fiftyone.core.models"),
            "fiftyone.core.labels": ModuleType("fiftyone.core.labels"),
        }
        for part in (Model, LogitsMixin, EmbeddingsMixin):
            setattr(own["fiftyone.core.models"], part.__name__, part)
        own["fiftyone.core.labels"].Classification = Classification  # type: ignore[attr-defined]
        for name, module in own.items():
            monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield import_module(NAME)
    sys.modules.pop(NAME, None)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six red and six green ones; every second one lies on its side and says so (EXIF)."""
    folder, found = tmp_path_factory.mktemp("pictures"), []
    for i in range(12):
        image = Image.new("RGB", (48, 40), ((200, 20 * i, 30), (30, 200, 20 * i))[i % 2])
        image.paste((0, 0, 0), (0, 0, 10 + i, 10))
        exif = image.getexif()
        exif[0x112] = 6 if i % 4 > 1 else 1
        image.save(folder / f"{i:02d}.png", exif=exif)
        found.append(folder / f"{i:02d}.png")
    return found


@pytest.fixture(scope="module")
def classifier(tiny_backbone: Any, pictures: list[Path]) -> Any:
    clf = pl.PromptClassifier(tiny_backbone, cache=False, epochs=3)
    return clf.fit(pictures, ["cat", "dog"] * 6)


def read(path: Path) -> np.ndarray:
    """As FiftyOne reads: upright, (H, W, 3) uint8."""
    from PIL import ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def test_each_image_gets_the_label_that_predict_gives(
    theirs: Any, classifier: Any, pictures: list[Path]
) -> None:
    with theirs.PromptModel(classifier) as model:
        assert model.media_type == "image" and not model.ragged_batches and model.transforms is None
        labels = model.predict_all([read(path) for path in pictures])
        one = model.predict(read(pictures[0]))
    told = classifier.predict_proba(pictures)
    assert [label.label for label in labels] == classifier.predict(pictures).tolist()
    np.testing.assert_allclose([label.confidence for label in labels], told.max(axis=1), atol=1e-6)
    assert one.label == labels[0].label and one.logits is None
    batch = np.stack([np.zeros((40, 48, 3), np.uint8)] * 3)  # as its loaders may give them
    assert len(model.predict_all(batch)) == 3


def test_logits_are_those_of_the_probabilities(theirs: Any, classifier: Any, pictures: list[Path]) -> None:
    model = theirs.PromptModel(classifier, class_names=["cat", "dog", "box"])
    model.store_logits = True
    label = model.predict(read(pictures[0]))
    raised = np.exp(label.logits)
    want = classifier.predict_proba(pictures[:1], ["cat", "dog", "box"])[0]
    np.testing.assert_allclose(raised / raised.sum(), want, atol=1e-6)
    assert label.label == model.class_names[int(want.argmax())]
    assert np.isfinite(model._label(np.array([1.0, 0.0, 0.0], np.float32)).logits).all()


def test_an_image_of_none_of_these_gets_no_label(theirs: Any, classifier: Any, pictures: list[Path]) -> None:
    model = theirs.PromptModel(classifier, reject=50)
    images = [read(path) for path in pictures]
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    labels = model.predict_all([*images, noise])
    like = classifier.accepts([*images, noise], accepted=50)
    assert [label is not None for label in labels] == like.tolist() and not all(like)


def test_embeddings_are_the_backbones_features(theirs: Any, classifier: Any, pictures: list[Path]) -> None:
    from promptlet.features import encode_images

    model = theirs.PromptModel(classifier)
    assert model.has_embeddings and model.get_embeddings() is None
    found = model.embed_all([read(path) for path in pictures])
    want = encode_images(classifier.backbone_, pictures)[0]
    np.testing.assert_allclose(found, want / np.linalg.norm(want, axis=1, keepdims=True), atol=1e-5)
    assert model.get_embeddings() is found and model.embed(read(pictures[1])).shape == (16,)


def test_what_it_refuses(theirs: Any, classifier: Any, tiny_backbone: Any, pictures: list[Path]) -> None:
    with pytest.raises(Exception, match="not fitted"):
        theirs.PromptModel(pl.PromptClassifier(tiny_backbone))
    with pytest.raises(DataError, match="class_names is the text 'cat'"):
        theirs.PromptModel(classifier, class_names="cat")
    with pytest.raises(OptionError, match="give a number from 50 to 90"):
        theirs.PromptModel(classifier, reject=10).predict(read(pictures[0]))


def test_without_fiftyone_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    monkeypatch.setitem(sys.modules, "fiftyone.core.labels", None)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    with pytest.raises(MissingExtraError, match="pip install fiftyone"):
        import_module(NAME)
