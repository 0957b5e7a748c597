"""Answers from exported folders: those of NumPy over the library's own pixels, and refusals in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import onnx
import onnxruntime
from tiny_graphs import DIM, NAMES, SPEC, WEIGHT, drawn, folder, model, unit, vectors

from promptlet.classifier.rejection import scores, threshold_of
from promptlet.data.images.opening import image_in_turn
from promptlet.data.images.reduced import whole
from promptlet.errors import (
    AnswerError,
    DataError,
    ExportError,
    ImageError,
    MissingExtraError,
    OptionError,
)
from promptlet.exported import write_vectors
from promptlet.preprocessing.views import pixels_of
from promptlet.runtime import Classifier


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Seven pictures of different sizes, one of them on its side by EXIF."""
    paths = []
    for row, size in enumerate([(20, 12), (9, 31), (8, 8), (64, 64), (30, 17), (12, 50), (5, 5)]):
        draw = np.random.default_rng(row).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        path = tmp_path / f"{row}.{'jpg' if row % 2 else 'png'}"
        turned = Image.Exif()
        turned[274] = 6
        Image.fromarray(draw).save(path, **({"exif": turned} if row == 1 else {}))
        paths.append(path)
    return paths


def wanted_features(images: list[Any]) -> np.ndarray:
    """By NumPy, of the pixels that the library makes."""
    rows = []
    for image in images:
        with image_in_turn(image) as picture:
            rows.append(pixels_of(whole(picture), SPEC, "", 0).reshape(-1))
    return unit(np.stack(rows) @ WEIGHT)


def wanted_probabilities(features: np.ndarray, rows: list[int] | None = None) -> np.ndarray:
    own = vectors()
    classes = own.classes if rows is None else own.classes[rows]
    raised = np.exp(own.logit_scale * features.astype(np.float64) @ classes.T + own.logit_bias)
    found: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return found


@pytest.mark.parametrize("given", [{}, {"tower_alone": True}, {"batch": 3}], ids=["whole", "tower", "fixed"])
@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_answers_are_those_of_the_pixels_that_the_library_makes(
    given: dict[str, Any], batch_size: int, photos: list[Path], tmp_path: Path
) -> None:
    classifier = Classifier(folder(tmp_path / "out", **given), batch_size=batch_size, threads=1)
    features = wanted_features(photos)
    np.testing.assert_allclose(classifier.features(photos), features, atol=1e-5, rtol=0)
    probabilities = wanted_probabilities(features)
    np.testing.assert_allclose(classifier.predict_proba(photos), probabilities, atol=1e-5, rtol=0)
    assert classifier.predict(photos).tolist() == [NAMES[row] for row in probabilities.argmax(axis=1)]
    assert classifier.names == NAMES


def test_paths_bytes_pillow_and_arrays_are_the_same_image(photos: list[Path], tmp_path: Path) -> None:
    classifier = Classifier(folder(tmp_path / "out"))
    with Image.open(photos[3]) as image:
        pixels = np.asarray(image.convert("RGB"))
    given = [photos[3], str(photos[3]), photos[3].read_bytes(), Image.fromarray(pixels), pixels]
    found = classifier.features(given)
    assert (found == found[0]).all()


def test_features_are_taken_as_they_are(tmp_path: Path) -> None:
    features = 7.0 * drawn(5, DIM, seed=9)
    write_vectors(tmp_path / "pets.json", vectors())
    for classifier in (
        Classifier.from_vectors(vectors()),
        Classifier.from_vectors(tmp_path / "pets.json"),
        Classifier(folder(tmp_path / "out")),
    ):
        np.testing.assert_allclose(
            classifier.predict_proba(features), wanted_probabilities(unit(features)), atol=1e-5
        )
        assert classifier.predict(features).shape == (5,)
        huge = features.astype(np.float64) * 1e200
        np.testing.assert_allclose(classifier.features(huge), unit(features), atol=1e-6)
    assert classifier.predict_proba([]).shape == (0, 4)
    assert Classifier.from_vectors(vectors()).predict(np.zeros((0, DIM))).shape == (0,)


def test_rejection_threshold_and_top_are_the_library_s(photos: list[Path], tmp_path: Path) -> None:
    classifier, own = Classifier(folder(tmp_path / "out")), vectors()
    features = wanted_features(photos)
    assert own.rejection is not None
    for share in (True, 80.0, 90.0):
        like = scores(own.rejection, features) >= threshold_of(own.rejection, share)
        assert (classifier.accepts(photos, accepted=share) == like).all()
        told = classifier.predict(photos, reject=share)
        plain = classifier.predict(photos)
        assert told.tolist() == [name if one else None for name, one in zip(plain, like, strict=True)]
    assert 0 < like.sum() < len(photos)
    probabilities = wanted_probabilities(features)
    answers = classifier.answers(photos, top=2, threshold=0.6)
    for path, row, answer in zip(photos, probabilities, answers, strict=True):
        order = np.argsort(-row)
        assert answer.path == str(path)
        assert [name for name, _ in answer.top] == [NAMES[order[0]], NAMES[order[1]]]
        assert answer.class_name == (NAMES[order[0]] if row.max() >= 0.6 else None)
    assert [answer.class_name for answer in classifier.answers(photos, reject=80.0)] == [
        None if name is None else str(name) for name in classifier.predict(photos, reject=80.0)
    ]


def test_some_of_the_names_in_any_order_and_no_others(photos: list[Path], tmp_path: Path) -> None:
    classifier = Classifier(folder(tmp_path / "out"))
    asked = ["BOAT", "tabby cat", "dog"]
    features = wanted_features(photos)
    probabilities = wanted_probabilities(features, [3, 0, 1])
    np.testing.assert_allclose(classifier.predict_proba(photos, asked), probabilities, atol=1e-5)
    assert classifier.predict(photos, asked).tolist() == [asked[r] for r in probabilities.argmax(axis=1)]
    own = vectors().rejection
    assert own is not None
    like = scores(own, features, [3, 0, 1]) >= threshold_of(own, 90.0)
    assert (classifier.accepts(photos, asked, 90.0) == like).all()
    with pytest.raises(
        OptionError, match=r"'red foxes' is none of the 4 classes .* Did you mean 'red fox'\?"
    ):
        classifier.predict(photos, ["boat", "red foxes"])
    with pytest.raises(DataError, match="give a list of names"):
        classifier.predict(photos, "boat")


@pytest.mark.slow
def test_images_that_cannot_be_read_are_named_together(photos: list[Path], tmp_path: Path) -> None:
    classifier = Classifier(folder(tmp_path / "out"), batch_size=2)
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(ImageError) as caught:
        classifier.predict([photos[0], tmp_path / "text.jpg", photos[1], tmp_path / "gone.png"])
    assert "2 images cannot be read" in str(caught.value)
    assert "text.jpg: this is not an image" in str(caught.value) and "gone.png: there is no" in str(
        caught.value
    )
    bomb = Image.new("1", (20_000, 20_000))
    bomb.save(tmp_path / "bomb.png")
    with pytest.raises(ImageError, match=r"bomb\.png: 20000 x 20000 is 400,000,000 pixels"):
        classifier.predict([tmp_path / "bomb.png"])


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda c: c.predict("cat.jpg"), DataError, "images is one str; give a list"),
        (lambda c: c.predict(np.zeros((2, 9))), DataError, "features of 9 numbers do not fit .* have 6"),
        (lambda c: c.answers([], top=0), OptionError, "top=0 is outside 1"),
        (lambda c: c.answers([], threshold=2.0), OptionError, "threshold=2.0 must be a number 0 or more, 1"),
        (lambda c: c.accepts([], accepted=99.0), OptionError, "give a number from 80 to 95"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    ask: Callable[[Classifier], Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        ask(Classifier(folder(tmp_path / "out")))


def test_vectors_alone_make_no_features_of_images(photos: list[Path]) -> None:
    with pytest.raises(OptionError, match=r"give features .N, D. of tiny \(aaaa1111bbbb-"):
        Classifier.from_vectors(vectors()).predict(photos)
    with pytest.raises(OptionError, match="this prompt does not know 'none of these'"):
        Classifier.from_vectors(vectors(rejection=None)).accepts(np.zeros((1, DIM)))


def test_folders_and_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    whole_one = folder(tmp_path / "out")
    with pytest.raises(ExportError, match="has no graph in fp16 that takes pixel values; it has: fp32"):
        Classifier(whole_one, precision="fp16")
    with pytest.raises(OptionError, match="precision='fp8' is not known; allowed: fp32, fp16, int8"):
        Classifier(whole_one, precision="fp8")
    with pytest.raises(OptionError, match=r"TensorFrost is not in this onnxruntime, which has: .*CPU"):
        Classifier(whole_one, providers=["TensorFrost"])
    with pytest.raises(OptionError, match="batch_size=0 is outside 1"):
        Classifier(whole_one, batch_size=0)
    with pytest.raises(OptionError, match="threads=0 is outside 1"):
        Classifier(whole_one, threads=0)
    with pytest.raises(ExportError, match="is no folder; give one that `promptlet export` made"):
        Classifier(tmp_path / "no")
    with pytest.raises(ExportError, match=r"onnxruntime .* cannot run it .* upgrade onnxruntime"):
        Classifier(folder(tmp_path / "strange", op="NoSuchOperator"))
    (whole_one / "model.onnx").write_bytes((whole_one / "model.onnx").read_bytes()[::-1])
    with pytest.raises(ExportError, match="was changed after it was exported"):
        Classifier(whole_one)


@pytest.mark.skipif(
    onnxruntime.__version__ < "1.24", reason="this onnxruntime lets a graph read what lies elsewhere"
)
def test_a_graph_that_reads_outside_of_its_folder_is_refused(tmp_path: Path) -> None:
    made = model(None)
    [weight] = (one for one in made.graph.initializer if one.name == "weight")
    (tmp_path / "secret.bin").write_bytes(weight.raw_data)
    told = {"location": "../secret.bin", "offset": "0", "length": str(len(weight.raw_data))}
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in told.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    with pytest.raises(ExportError, match=r"cannot run it .*[Ee]xternal data path"):
        Classifier(folder(tmp_path / "out", made=made, tower_alone=True))


def test_a_graph_that_is_not_what_the_folder_tells_is_refused(photos: list[Path], tmp_path: Path) -> None:
    small = vectors(preprocessing=replace(SPEC, size=(4, 4), crop=(4, 4)))
    with pytest.raises(
        ExportError, match=r"takes images of \[3, 8, 8\], and the preprocessing .* \[3, 4, 4\]"
    ):
        Classifier(folder(tmp_path / "a", small))  # before any picture is decoded
    with pytest.raises(ExportError, match="takes 1,000,000,000 images at once and no other number"):
        Classifier(folder(tmp_path / "d", batch=10**9))
    with pytest.raises(ExportError, match=r"gives features of length .*, not 1"):
        Classifier(folder(tmp_path / "b", op="Identity")).predict(photos)
    other = vectors(classes=unit(drawn(4, 5)), rejection=None)
    with pytest.raises(ExportError, match=r"features of shape \[7, 6\], expected \[7, 5\]"):
        Classifier(folder(tmp_path / "c", other, tower_alone=True)).predict(photos)


@pytest.mark.parametrize("name", [b"pixels", b"LpNormalization"])
def test_names_in_a_graph_that_are_no_text_are_refused_in_words_alone(
    name: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(tmp_path / "out", tower_alone=True)
    harmed = model(None).SerializeToString().replace(name, b"\xd4" + name[1:])
    (place / "model.onnx").write_bytes(harmed)
    told = json.loads((place / "export.json").read_text())
    told["files"]["model.onnx"] = {"bytes": len(harmed), "sha256": hashlib.sha256(harmed).hexdigest()}
    (place / "export.json").write_text(json.dumps(told))
    with pytest.raises(ExportError, match="cannot run it"):
        Classifier(place)
    assert capsys.readouterr().out == ""  # where onnxruntime would tell of a second try


def test_an_answer_that_is_no_number_is_an_error_of_its_image(photos: list[Path], tmp_path: Path) -> None:
    classifier = Classifier(folder(tmp_path / "out"))
    features = drawn(4, DIM, seed=9)
    features[2, 0] = np.nan
    with pytest.raises(ImageError, match="image 2: 1 of 4 answers are no numbers to go by: a logit is nan"):
        classifier.predict(features)
    with pytest.raises(AnswerError, match="4 of 4 answers"):
        classifier.predict(np.full((4, DIM), np.nan))


def test_without_onnxruntime_it_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(tmp_path / "out")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[runtime\]'"):
        Classifier(place)


def test_sessions_keep_no_memory_for_shapes_and_use_the_threads_that_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    own = onnxruntime.InferenceSession

    def session(path: str, options: Any, providers: Any, **more: Any) -> Any:
        spins = options.get_session_config_entry("session.intra_op.allow_spinning")
        seen.append((options.enable_mem_pattern, options.intra_op_num_threads, spins, providers))
        return own(path, options, providers=providers, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    Classifier(folder(tmp_path / "out"), threads=3)
    assert seen == [(False, 3, "0", ["CPUExecutionProvider"])]
