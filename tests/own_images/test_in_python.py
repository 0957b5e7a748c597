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
from promptlet.errors import OptionError


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
    with pytest.raises(OptionError, match="way"):
        promptlet.estimate(words, x, y, "loo")


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
