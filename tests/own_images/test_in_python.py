"""Estimates and comparisons from Python: of folders, arrays, numbers as labels; the classifier stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from learning_toys import toy_arrays
from PIL import Image

import promptlet
from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.errors import DataError, OptionError
from promptlet.own_images.judging import prepare


def test_features_with_names_and_with_numbers_are_the_same(tiny_backbone: Backbone) -> None:
    x, y = toy_arrays(tiny_backbone)
    names = sorted(set(y))
    words = PromptClassifier(tiny_backbone, "linear_probe")
    numbers = PromptClassifier(tiny_backbone, "linear_probe", label_names=names)
    found = promptlet.estimate(words, x, y)
    assert (
        promptlet.estimate(numbers, x, np.array([names.index(name) for name in y])).accuracy == found.accuracy
    )
    assert not hasattr(words, "method_") and words.method == "linear_probe"
    compared = promptlet.compare(words, x, y, methods="linear_probe,zero_shot")
    assert {row.method for row in compared.rows} == {"linear_probe", "zero_shot"}
    assert promptlet.estimate(words, x, y, "holdout").folds == 1
    for way in ("loo", "none"):
        with pytest.raises(OptionError, match="way"):
            promptlet.estimate(words, x, y, way)


def test_methods_come_as_text_or_as_a_list(tiny_backbone: Backbone) -> None:
    x, y = toy_arrays(tiny_backbone)
    clf = PromptClassifier(tiny_backbone)
    specs = ["zero_shot", ("tip_adapter", {"alpha": 2.0})]
    found = promptlet.compare(clf, x, y, methods=specs)
    same = promptlet.compare(clf, x, y, methods="zero_shot,tip_adapter:alpha=2.0")
    assert {row.method for row in found.rows} == {"zero_shot", "tip_adapter"}
    assert [row.accuracy for row in found.rows] == [row.accuracy for row in same.rows]
    for wrong in ([], "nope", ["nope"], [("nope", {})]):
        with pytest.raises(OptionError, match="method"):
            promptlet.compare(clf, x, y, methods=wrong)
    with pytest.raises(OptionError, match="method='nope'"):
        promptlet.estimate(PromptClassifier(tiny_backbone, "nope"), x, y)


def test_a_method_that_reads_images_is_given_none_of_features(tiny_backbone: Backbone) -> None:
    x, y = toy_arrays(tiny_backbone)
    found = promptlet.compare(PromptClassifier(tiny_backbone), x, y, methods="maple,zero_shot")
    assert "needs images, not features" in found.failed["maple"]
    with pytest.raises(DataError, match="needs images, not features"):
        promptlet.estimate(PromptClassifier(tiny_backbone, "maple"), x, y)


def test_where_copies_leave_one_image_to_ask_about(tiny_backbone: Backbone) -> None:
    """The only cat is a copy of one of two dogs: both are always taught."""
    x, _ = toy_arrays(tiny_backbone)
    clf, few, y = PromptClassifier(tiny_backbone, "tip_adapter"), [x[0], x[0], x[1]], ["cat", "dog", "dog"]
    for found in (promptlet.estimate(clf, few, y), promptlet.estimate(clf, few, y, "holdout")):
        assert found.images == 1 and "for want of a second photo: cat" in found.notes[0]
    assert promptlet.compare(clf, few, y, methods="tip_adapter,zero_shot").images == 1


def test_a_hold_out_names_classes_that_are_not_in_it(tiny_backbone: Backbone) -> None:
    x = np.random.default_rng(0).normal(size=(14, tiny_backbone.feature_dim))
    y = ["ant"] * 8 + ["bee"] * 2 + ["cat"] * 2 + ["dog"] + ["eel"]
    notes = promptlet.estimate(PromptClassifier(tiny_backbone, "tip_adapter"), x, y, "holdout").notes
    assert "not in the estimate, for want of a second photo: dog, eel" in notes
    assert any("none of their few images was held back" in note for note in notes)


def test_a_folder(tiny_backbone: Backbone, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    for name, colour in {"red": 0, "blue": 2}.items():
        (tmp_path / name).mkdir()
        for index in range(4):
            pixels = draw.integers(0, 60, (40, 40, 3), dtype=np.uint8)
            pixels[..., colour] += 180
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    clf = PromptClassifier(tiny_backbone, "tip_adapter", cache=False)
    found = promptlet.estimate(clf, tmp_path)
    assert found.images == 8 and found.folds == 4 and found.chance == 50.0


def test_a_backbone_is_loaded_as_a_fit_loads_it(clip_folder: Path, tiny_backbone: Backbone) -> None:
    """In what it was said to compute in."""
    given = PromptClassifier(str(clip_folder), device="cpu", dtype="bfloat16")
    prepare(given)
    assert given.backbone_.arithmetic == "bfloat16"
    x, y = toy_arrays(tiny_backbone)
    wrong = PromptClassifier(str(clip_folder), "linear_probe", device="cpu", dtype="float8")
    for ask in (promptlet.estimate, promptlet.compare):
        with pytest.raises(OptionError, match="dtype='float8'"):
            ask(wrong, x, y)
