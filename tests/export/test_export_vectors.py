"""Class vectors of trained classifiers: one product gives what the library answers, or they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import NAMES, toy_arrays

import promptlet
from promptlet import PromptClassifier, rng
from promptlet.backbones import write_text_features
from promptlet.classifier.files import prompt_file_of
from promptlet.classifier.learner import PromptLearner
from promptlet.classifier.rejection import scores, threshold_of
from promptlet.errors import DataError, ExportError, OptionError, WrongBackboneError
from promptlet.export.vectors import export_vectors, vectors_of
from promptlet.exported import SUFFIXES, Vectors, read_vectors
from promptlet.methods import METHODS, build_method
from promptlet.methods.method import IMAGES, NOTHING, class_matrix
from promptlet.promptfile import save_prompt_file

NO_MATRIX = {
    "cocoop": "its class features depend on the image",
    "linear_probe": "its weights are not of length 1",
    "tip_adapter": "it compares an image with every training image",
    "tip_adapter_f": "it compares an image with every training image",
    "gda": "it adds a logit of each class's Gaussian",
    "lp_pp": "its weights are not of length 1",
    "prolip": "it changes image features before it compares them; a folder with the image tower",
    "clip_adapter": "it changes image features before it compares them; a folder with the image tower",
}
OF_IMAGES = [name for name, method in METHODS.items() if method.info.reads == IMAGES]
WITH_MATRIX = [name for name in METHODS if name not in NO_MATRIX and name not in OF_IMAGES]


def fitted(backbone: Any, method: str, **options: Any) -> PromptLearner:
    """Learned from toy features."""
    features, labels = toy_arrays(backbone)
    return PromptLearner(backbone, method=method, epochs=1, cache=False, **options).fit(features, labels)


def queries(backbone: Any) -> np.ndarray:
    """Image features (7, D) of any length."""
    return rng.normal("test/export/queries", 5, (7, backbone.feature_dim), 3.0)


def by_numpy(vectors: Vectors, features: np.ndarray) -> np.ndarray:
    """Probabilities as the page of the specification says."""
    x = features / np.linalg.norm(features, axis=1, keepdims=True)
    logits = vectors.logit_scale * x @ vectors.classes.T + vectors.logit_bias
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return found


@pytest.mark.parametrize("names", [None, ("a boat", "a tree")], ids=["own", "new"])
@pytest.mark.parametrize("method", WITH_MATRIX)
def test_one_product_gives_what_the_library_answers(method: str, names: Any, tiny_backbone: Any) -> None:
    classifier = fitted(tiny_backbone, method)
    vectors, asked = vectors_of(classifier, names), queries(tiny_backbone)
    np.testing.assert_allclose(
        by_numpy(vectors, asked), classifier.predict_proba(asked, names), atol=2e-6, rtol=0
    )
    assert vectors.names == (names or tuple(map(str, classifier.classes_)))
    assert vectors.taught == (() if METHODS[method].info.learns == NOTHING else vectors_of(classifier).names)
    assert (vectors.method, vectors.version) == (method, promptlet.__version__)
    assert (vectors.fingerprint, vectors.tower) == (tiny_backbone.fingerprint, "frozen")
    assert vectors.preprocessing == tiny_backbone.images.spec
    assert (vectors.rejection is None) == (names is not None)


def test_words_between_context_and_name_are_in_the_vectors(tiny_backbone: Any) -> None:
    classifier = fitted(tiny_backbone, "prograd", method_options={"between": "of the"})
    method: Any = classifier.method_
    sentences = [f"of the {name}" for name in map(str, classifier.classes_)]
    plain = tiny_backbone.text.encode_reference(method.context.merged(), sentences).numpy()
    wanted = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors_of(classifier).classes, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", NO_MATRIX)
def test_methods_that_are_more_than_a_matrix_are_refused_with_the_reason(
    method: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    classifier = fitted(tiny_backbone, method)
    with pytest.raises(ExportError, match=f"the answers of '{method}' .* {NO_MATRIX[method]}"):
        export_vectors(classifier, tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", OF_IMAGES)
def test_methods_that_change_the_tower_give_vectors_for_their_own_alone(
    method: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    built = build_method(method, tiny_backbone, NAMES).eval()
    path = tmp_path / "x.prompt"
    save_prompt_file(path, prompt_file_of(built, NAMES, {}))
    classifier = PromptLearner.load(path, tiny_backbone)
    with pytest.raises(ExportError, match="it changes the image tower, so its vectors fit no other"):
        vectors_of(classifier)
    vectors = vectors_of(classifier, own_features=True)
    assert (vectors.tower, vectors.rejection) == ("changed", None)
    np.testing.assert_array_equal(vectors.classes, classifier.class_features())
    assert class_matrix(built.scorer()) is None


def test_taught_and_new_names_together_are_weighed_by_more_than_a_matrix(tiny_backbone: Any) -> None:
    classifier = fitted(tiny_backbone, "rlp", new_names="blend")
    with pytest.raises(ExportError, match="give taught names alone, new ones alone, or new_names='learned'"):
        vectors_of(classifier, ("dog", "a boat"))
    learned = vectors_of(classifier, ("dog", "a boat"), "learned")
    asked = queries(tiny_backbone)
    np.testing.assert_allclose(
        by_numpy(learned, asked), classifier.predict_proba(asked, ("dog", "a boat"), "learned"), atol=2e-6
    )


def test_the_rejection_goes_along_in_the_order_of_the_names(tiny_backbone: Any) -> None:
    classifier, names = fitted(tiny_backbone, "rlp"), ("the dog", "box", "cat")
    asked, rejection = queries(tiny_backbone), vectors_of(classifier, names).rejection
    assert rejection is not None
    for share in (80.0, True):
        found = scores(rejection, asked) >= threshold_of(rejection, share)
        assert (found == classifier.accepts(asked, names, share)).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_prompt_file_is_exported_and_read_again(suffix: str, tiny_backbone: Any, tmp_path: Path) -> None:
    classifier = fitted(tiny_backbone, "coop")
    classifier.save(tmp_path / "pets.prompt")
    made = promptlet.export_vectors(
        tmp_path / "pets.prompt", tmp_path / f"pets{suffix}", backbone=tiny_backbone
    )
    found = read_vectors(tmp_path / f"pets{suffix}")
    assert found.classes.tobytes() == made.classes.tobytes()
    np.testing.assert_allclose(
        by_numpy(found, queries(tiny_backbone)), classifier.predict_proba(queries(tiny_backbone)), atol=2e-6
    )


def test_nobody_is_told_where_the_model_lies(tiny_backbone: Any) -> None:
    assert "/" in tiny_backbone.name
    assert vectors_of(fitted(tiny_backbone, "coop")).backbone == Path(tiny_backbone.name).name


def test_a_backbone_of_features_alone_is_exported_without_preprocessing(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    write_text_features(tmp_path / "texts.npz", ["cat", "dog"], draw.normal(size=(2, 8)).astype(np.float32))
    classifier = PromptLearner(f"features:{tmp_path / 'texts.npz'}", method="zero_shot")
    features = draw.normal(size=(6, 8)).astype(np.float32)
    classifier.fit(features, ["cat", "dog"] * 3)
    vectors = export_vectors(classifier, tmp_path / "pets.npz")
    assert (vectors.preprocessing, vectors.backbone) == (None, "features:texts.npz")
    np.testing.assert_allclose(by_numpy(vectors, features), classifier.predict_proba(features), atol=2e-6)


def test_labels_that_are_numbers_are_exported_as_words(tiny_backbone: Any) -> None:
    features, labels = toy_arrays(tiny_backbone)
    words = sorted(set(labels.tolist()))
    numbers = np.array([words.index(label) for label in labels])
    classifier = PromptClassifier(tiny_backbone, epochs=1, cache=False, label_names=words)
    assert vectors_of(classifier.fit(features, numbers)).names == tuple(words)


def test_what_cannot_be_exported_is_told(tiny_backbone: Any, siglip_folder: Path, tmp_path: Path) -> None:
    classifier = fitted(tiny_backbone, "coop")
    with pytest.raises(OptionError, match=r"is called NAME\.npz"):
        export_vectors(classifier, tmp_path / "x.onnx")
    classifier.save(tmp_path / "small.prompt", compact=True)
    with pytest.raises(DataError, match="saved without class names"):
        export_vectors(tmp_path / "small.prompt", tmp_path / "x.npz", backbone=tiny_backbone)
    export_vectors(
        tmp_path / "small.prompt", tmp_path / "y.npz", backbone=tiny_backbone, class_names=["cat", "dog"]
    )
    with pytest.raises(ExportError, match="it is there already"):
        export_vectors(classifier, tmp_path / "y.npz")
    classifier.save(tmp_path / "pets.prompt")
    with pytest.raises(WrongBackboneError):
        export_vectors(tmp_path / "pets.prompt", tmp_path / "z.npz", backbone=siglip_folder)
    assert not (tmp_path / "z.npz").exists()
