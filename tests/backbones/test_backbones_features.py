"""A backbone of ready text features: what its file may hold, whose vector is whose, what it refuses."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from promptlet import load_backbone
from promptlet.backbones import Backbone, write_text_features
from promptlet.backbones import pickling as travelling
from promptlet.backbones.vectors.file import read_text_features
from promptlet.errors import BackboneError, DataError, OptionError, WrongBackboneError

NAMES = ("cat", "dog", "golden_retriever", "Polish")
VECTORS = np.random.default_rng(0).normal(size=(4, 6))
TEXTS = ("a photo of a cat.", "a drawing of a dog.")
TEXT_VECTORS = np.random.default_rng(1).normal(size=(2, 6))
GOOD: dict[str, Any] = {"class_names": np.array(NAMES), "text_features": VECTORS}
SENTENCES: dict[str, Any] = {"sentences": np.array(TEXTS), "sentence_features": TEXT_VECTORS}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """``saved(array=...)`` writes these arrays with NumPy itself; the backbone's name."""

    def make(**arrays: Any) -> str:
        np.savez(tmp_path / "texts.npz", **arrays)
        return f"features:{tmp_path / 'texts.npz'}"

    return make


def load(name: str) -> Any:
    return load_backbone(name, device="cpu")


# -- whose vector is whose ---------------------------------------------------------------------------------


def test_a_name_stands_in_any_template(saved: Any) -> None:
    backbone = load(saved(**GOOD))
    found = backbone.encode_templates(["a photo of a {}.", "{}"], ["dog", "cat"])
    assert found.shape == (2, 2, 6) and not found.requires_grad and found.dtype == torch.float32
    expected = VECTORS[[1, 0]].astype(np.float32)
    assert all(np.array_equal(one.numpy(), expected) for one in found)


def test_a_sentence_comes_before_the_name_in_it(saved: Any) -> None:
    backbone = load(saved(**GOOD, **SENTENCES))
    photo, drawing = backbone.encode_templates(["a photo of a {}.", "a drawing of a {}."], ["cat", "dog"])
    hand_made = np.stack([[TEXT_VECTORS[0], VECTORS[1]], [VECTORS[0], TEXT_VECTORS[1]]])
    np.testing.assert_array_equal(torch.stack([photo, drawing]).numpy(), hand_made.astype(np.float32))
    np.testing.assert_array_equal(backbone.encode_texts(TEXTS).numpy(), TEXT_VECTORS.astype(np.float32))


def test_sentences_alone_will_do(saved: Any) -> None:
    backbone = load(saved(**SENTENCES, class_names=np.array(["left to a feature file of images"])))
    assert backbone.encode_templates(["a photo of a {}."], ["cat"]).shape == (1, 1, 6)
    with pytest.raises(BackboneError, match="has no vector of 1 class name: 'dog'"):
        backbone.encode_templates(["a photo of a {}."], ["dog"])


@pytest.mark.parametrize(
    ("asked", "row"),
    [("golden retriever", 2), ("golden_retriever", 2), (" Golden  Retriever", 2), ("CAT", 0), ("polish", 3)],
)
def test_names_are_cleaned_and_case_gives_way_where_one_is_left(asked: str, row: int, saved: Any) -> None:
    found = load(saved(**GOOD)).encode_templates(["{}"], [asked])
    np.testing.assert_array_equal(found[0, 0].numpy(), VECTORS[row].astype(np.float32))


def test_case_decides_where_two_names_are_left(saved: Any) -> None:
    backbone = load(saved(class_names=np.array(["Polish", "polish"]), text_features=VECTORS[:2]))
    found = backbone.encode_templates(["{}"], ["polish", "Polish"])[0]
    np.testing.assert_array_equal(found.numpy(), VECTORS[[1, 0]].astype(np.float32))
    with pytest.raises(BackboneError, match="'POLISH' may be 'Polish' or 'polish': give one of these"):
        backbone.encode_templates(["{}"], ["POLISH"])


def test_all_that_is_missing_is_told_at_once(saved: Any) -> None:
    backbone = load(saved(**GOOD))
    with pytest.raises(BackboneError, match=r"no vector of 2 class names: 'cta', 'lynx'.*Did you mean 'cat'"):
        backbone.encode_templates(["a photo of a {}."], ["cta", "dog", "lynx"])
    many = [f"class {i}" for i in range(27)]
    with pytest.raises(BackboneError) as caught:
        backbone.encode_templates(["{}", "a {}"], many)
    told = str(caught.value)
    assert "27 class names: 'class 0'" in told and "'class 19' and 7 more" in told and "class 20" not in told
    with pytest.raises(BackboneError, match=r"no vector of 2 sentences: 'a', 'b'.*4 class names"):
        backbone.encode_texts(["a", "b", "a"])
    assert "write_text_features" in told


@pytest.mark.parametrize("wrong", ["cat", []])
def test_a_text_is_no_list_of_names(wrong: Any, saved: Any) -> None:
    backbone = load(saved(**GOOD, **SENTENCES))
    for ask in (lambda: backbone.encode_templates(["{}"], wrong), lambda: backbone.encode_texts(wrong)):
        with pytest.raises(DataError, match="give a list of at least one"):
            ask()


def test_a_tower_encodes_each_sentence(tiny_backbone: Any) -> None:
    templates, names = ["a photo of a {}.", "the {}"], ["cat", "{}"]
    found = tiny_backbone.encode_templates(templates, names)
    for template, row in zip(templates, found, strict=True):
        expected = tiny_backbone.text.encode_texts([template.replace("{}", name) for name in names])
        torch.testing.assert_close(row, expected)
    tiny_backbone.check_images()
    assert tiny_backbone.has_towers and tiny_backbone.notes(templates, names) == ()


# -- what it is --------------------------------------------------------------------------------------------


def test_what_it_is(saved: Any) -> None:
    name = saved(
        **GOOD, **SENTENCES, logit_scale=np.array(42.5), template=np.array("a {}."), image_backbone=["B/16"]
    )
    backbone = load(name)
    assert isinstance(backbone, Backbone) and not backbone.has_towers
    assert (backbone.name, backbone.framework, backbone.feature_dim) == (name, "features", 6)
    assert (backbone.logit_scale, backbone.logit_bias, backbone.dtype) == (42.5, 0.0, torch.float32)
    assert backbone.facts == {
        "class_names": 4,
        "sentences": 2,
        "logit_scale_of": "the file",
        "template": "a {}.",
        "image_backbone": "B/16",
    }
    assert backbone.notes((), NAMES) == ()
    unit = torch.eye(6)[:2]
    torch.testing.assert_close(backbone.logits(unit, unit), 42.5 * torch.eye(2))


def test_a_logit_scale_that_is_not_told_is_clips_and_that_is_told(saved: Any) -> None:
    backbone = load(saved(**GOOD))
    assert backbone.logit_scale == 100.0 and "the file has none" in backbone.facts["logit_scale_of"]
    [note] = backbone.notes(["{}"], NAMES)
    assert "no logit_scale: 100 is taken, CLIP's" in note


def test_templates_that_one_vector_stands_for_are_told(saved: Any) -> None:
    two = ["a photo of a {}.", "a drawing of a {}."]
    [note] = load(saved(**GOOD, logit_scale=1.0)).notes(two, ["cat", "dog"])
    assert "2 templates are asked for" in note and "none of their sentences" in note
    backbone = load(saved(**GOOD, **SENTENCES, logit_scale=1.0))
    assert "some of their sentences" in backbone.notes(two, ["cat"])[0]
    assert backbone.notes(two[:1], ["cat", "dog"]) == ()  # one template is what a name stands for
    whole = {"sentences": [t.replace("{}", "cat") for t in two], "sentence_features": TEXT_VECTORS}
    assert load(saved(**whole, logit_scale=1.0)).notes(two, ["cat"]) == ()


def test_what_needs_a_tower_is_refused(saved: Any) -> None:
    backbone = load(saved(**GOOD))
    with pytest.raises(BackboneError, match=r"no text tower.*no context can be learned.*clip_adapter"):
        _ = backbone.text
    with pytest.raises(BackboneError, match=r"no image tower.*cannot encode images; give their features"):
        _ = backbone.images
    with pytest.raises(BackboneError, match="no image tower"):
        backbone.check_images()
    with pytest.raises(BackboneError, match="has no model"):
        _ = backbone.model


def test_pictures_are_refused_before_they_are_read(saved: Any) -> None:
    from promptlet.features import encode_images

    with pytest.raises(BackboneError, match="no image tower"):
        encode_images(load(saved(**GOOD)), ["there-is-no-such.jpg"])


# -- identity ----------------------------------------------------------------------------------------------


def fingerprint(name: str) -> list[str]:
    parts: list[str] = load(name).fingerprint.split("-")
    assert all(re.fullmatch("[0-9a-f]{12}", part) for part in parts) and len(parts) == 3
    return parts


def test_the_fingerprint_is_that_of_the_content(saved: Any) -> None:
    first = fingerprint(saved(**GOOD, **SENTENCES))
    order = [2, 0, 3, 1]
    same = {"class_names": np.array(NAMES)[order], "text_features": VECTORS[order]}
    same |= {name: array[::-1] for name, array in SENTENCES.items()}
    images = {"features": np.ones((9, 6)), "labels": np.zeros(9, int), "template": np.array("a {}.")}
    assert fingerprint(saved(**same, **images, logit_scale=100.0)) == first
    half = VECTORS.astype(np.float16)
    stored = fingerprint(saved(class_names=np.array(NAMES), text_features=half))
    assert stored == fingerprint(saved(class_names=np.array(NAMES), text_features=half.astype(np.float32)))


@pytest.mark.parametrize(
    ("changes", "different"),
    [
        ({"text_features": VECTORS + 1e-3}, [0]),
        ({"text_features": VECTORS[[1, 0, 2, 3]]}, [0]),
        ({"logit_scale": np.array(50.0)}, [0]),
        ({"class_names": np.array(["cat", "dog", "golden retriever", "polish"])}, [0, 1]),
        ({"class_names": np.array(["cat", "hound", "golden retriever", "Polish"])}, [0, 1]),
        (SENTENCES, [0, 1]),
        ({"image_backbone": np.array("ViT-B/16")}, [2]),
    ],
)
def test_other_content_has_another_fingerprint(
    changes: dict[str, Any], different: list[int], saved: Any
) -> None:
    before = fingerprint(saved(**GOOD))
    after = fingerprint(saved(**{**GOOD, **changes}))
    assert [i for i in range(3) if before[i] != after[i]] == different


def test_a_changed_file_is_told_from_what_it_was(saved: Any) -> None:
    name = saved(**GOOD)
    before = load(name).fingerprint
    saved(**{**GOOD, "text_features": -VECTORS})
    with pytest.raises(WrongBackboneError) as caught:
        load(name).check_fingerprint(before, name, "x.prompt")
    assert "Different: vectors or logit scale. It has changed since: give it as it was" in str(caught.value)


def test_it_is_pickled_as_its_name_and_its_content_is_checked(
    saved: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = saved(**GOOD)
    backbone = load(name)
    packed = pickle.dumps(backbone)
    assert pickle.loads(packed) is backbone
    monkeypatch.setattr(travelling, "_loaded", {})  # as in another process
    again = pickle.loads(packed)
    assert again is not backbone and again.fingerprint == backbone.fingerprint
    monkeypatch.setattr(travelling, "_loaded", {})
    saved(**{**GOOD, "text_features": -VECTORS})
    with pytest.raises(WrongBackboneError, match="the pickle was made with backbone 'features:"):
        pickle.loads(packed)


# -- the file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_features": None}, r"has no features of texts; it needs class_names with text_features"),
        ({"class_names": None}, "has text_features without class_names; give both"),
        ({"sentences": np.array(TEXTS)}, "has sentences without sentence_features"),
        ({"sentence_features": TEXT_VECTORS}, "has sentence_features without sentences"),
        ({"class_names": np.array([1, 2, 3, 4])}, r"class_names is int64 of shape \(4,\); expected text"),
        ({"class_names": np.array([NAMES])}, r"class_names is <U16 of shape \(1, 4\); expected text"),
        ({"text_features": np.ones((4, 6), int)}, "text_features is int64 of shape .*; expected floats"),
        ({"text_features": VECTORS[0]}, r"text_features is float64 of shape \(6,\); expected floats with 2"),
        ({"text_features": VECTORS[:3]}, r"class_names has 4 entries and text_features the shape \(3, 6\)"),
        ({"text_features": VECTORS[:, :0]}, r"the shape \(4, 0\); expected as many rows"),
        ({**SENTENCES, "sentence_features": np.ones((2, 5))}, "have 6 numbers and sentence_features 5"),
        ({"class_names": np.array(["a_b", "a b", "c", "d"])}, "class_names has 'a b' more than once"),
        ({"class_names": np.array(["a", " ", "c", "d"])}, r"class_names\[1\] is empty"),
        ({**SENTENCES, "sentences": np.array(["x", "x"])}, "sentences has 'x' more than once"),
        ({"text_features": np.where(VECTORS > 1, np.nan, VECTORS)}, "holds a number that is NaN or infinite"),
        ({"text_features": VECTORS * 1e300}, r"text_features\[0\] holds a number that .* \(4 of 4 rows"),
        ({"text_features": VECTORS * [[1], [1], [0], [1]]}, r"text_features\[2\] holds zeros alone"),
        ({"logit_scale": np.array(0.0)}, "logit_scale is 0.0; expected one number above 0 and finite"),
        ({"logit_scale": np.array([1.0, 2.0])}, r"logit_scale is \[1.0, 2.0\]; expected one number"),
        ({"logit_scale": np.array("100")}, "logit_scale is '100'; expected one number"),
        ({"logit_scale": np.array(np.inf)}, "logit_scale is inf"),
        ({"template": np.array(["a", "b"])}, r"template is <U1 of shape \(2,\); expected one text"),
        ({"image_backbone": np.array(3)}, r"image_backbone is int64 of shape \(\); expected one text"),
        ({"class_names": np.array(NAMES, dtype=object)}, "array of Python objects, which is never loaded"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(changes: dict[str, Any], message: str, saved: Any) -> None:
    arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
    with pytest.raises(BackboneError, match=message):
        load(saved(**arrays))


def test_what_is_no_file(tmp_path: Path, saved: Any) -> None:
    with pytest.raises(BackboneError, match=r"names no file; give features:FILE\.npz"):
        load("features:")
    with pytest.raises(BackboneError, match=r"absent.npz: cannot be read \(No such file"):
        load(f"features:{tmp_path / 'absent.npz'}")
    (tmp_path / "odd.npz").write_bytes(b"no zip at all")
    with pytest.raises(
        BackboneError, match=r"is no \.npz file, or is cut off; write it with write_text_features"
    ):
        load(f"features:{tmp_path / 'odd.npz'}")
    name = saved(**GOOD)
    with pytest.raises(
        BackboneError, match="is no folder; for the vectors of class names in it, give 'featu"
    ):
        load(name.removeprefix("features:"))
    with pytest.raises(OptionError, match=r"dtype='bfloat16': .* has no weights to convert"):
        load_backbone(name, device="cpu", dtype="bfloat16")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_is_read_again(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    write_text_features(
        path,
        NAMES,
        torch.from_numpy(VECTORS).requires_grad_(),
        sentences=list(TEXTS),
        sentence_features=TEXT_VECTORS.tolist(),
        logit_scale=30,
        template="a photo of a {}.",
        image_backbone="ViT-B/16",
        dtype=dtype,
    )
    with np.load(path, allow_pickle=False) as plain:  # by NumPy itself
        assert plain["class_names"].tolist() == list(NAMES) and plain["text_features"].dtype == dtype
        np.testing.assert_array_equal(plain["text_features"], VECTORS.astype(np.float32).astype(dtype))
        assert plain["logit_scale"] == 30 and plain["image_backbone"] == "ViT-B/16"
    found = read_text_features(path)
    assert found.names == ("cat", "dog", "golden retriever", "Polish") and found.sentences == TEXTS
    np.testing.assert_array_equal(found.sentence_vectors, TEXT_VECTORS.astype(dtype).astype(np.float32))
    assert (found.logit_scale, found.template, found.dim) == (30.0, "a photo of a {}.", 6)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.npz"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "has no features of texts"),
        ({"class_names": NAMES}, "has no features of texts"),
        ({"class_names": NAMES, "text_features": [[1.0], [2.0, 3.0]]}, "rows of different lengths"),
        ({"class_names": NAMES, "text_features": VECTORS, "logit_scale": -1}, "logit_scale is -1"),
        ({"class_names": NAMES, "text_features": VECTORS * 1e6, "dtype": "float16"}, "NaN or infinite"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BackboneError, match=message):
        write_text_features(tmp_path / "mine.npz", **given)
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="cannot be written"):
        write_text_features(tmp_path / "absent" / "mine.npz", NAMES, VECTORS)
    with pytest.raises(OptionError, match="dtype='int8' is not known"):
        write_text_features(tmp_path / "mine.npz", NAMES, VECTORS, dtype="int8")
