"""Features of any length are answered alike: a classifier compares directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptlet as pl
from promptlet.backbones import load_backbone, write_text_features
from promptlet.errors import BackboneError, DataError

NAMES = ["cat", "dog", "bird"]
SCALES = [2.0**83, 2.0**-83, 2.0**120, 2.0**-120]  # about 1e25, 1e-25, 1e36, 1e-36: exact, so bits can agree


@pytest.fixture(scope="module")
def toy() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (30, 16) around three directions, their labels, and the directions."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(3, 16)).astype(np.float32)
    labels = np.arange(30) % 3
    return (
        centres[labels] + draw.normal(size=(30, 16)).astype(np.float32) / 2,
        np.array(NAMES)[labels],
        centres,
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", ["zero_shot", "tip_adapter", "linear_probe"])
def test_scaled_features_get_the_same_answers(
    scale: float, method: str, toy: Any, tiny_backbone: Any
) -> None:
    features, labels, _ = toy
    plain = pl.PromptClassifier(backbone=tiny_backbone, method=method, cache=False).fit(features, labels)
    scaled = pl.PromptClassifier(backbone=tiny_backbone, method=method, cache=False)
    scaled.fit((features * np.float32(scale)).astype(np.float32), labels)
    expected = plain.predict_proba(features)
    assert np.ptp(expected, axis=0).max() > 0.01
    assert np.array_equal(scaled.predict_proba(features * np.float32(scale)), expected)


@pytest.mark.parametrize("scale", SCALES)
def test_scaled_vectors_of_texts_get_the_same_answers(scale: float, toy: Any, tmp_path: Path) -> None:
    features, labels, centres = toy
    answers = []
    for name, factor in (("plain", 1.0), ("scaled", scale)):
        write_text_features(tmp_path / f"{name}.npz", NAMES, centres * np.float32(factor))
        backbone = load_backbone(f"features:{tmp_path / name}.npz")
        classifier = pl.PromptClassifier(backbone=backbone, method="zero_shot").fit(features, labels)
        answers.append(classifier.predict_proba(features))
        assert classifier.score(features, labels) > 0.9
    assert np.array_equal(*answers)


def test_rows_without_direction_are_refused_by_their_number(
    toy: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    features, labels, centres = (part.copy() for part in toy)
    features[[4, 7]] = 0
    classifier = pl.PromptClassifier(backbone=tiny_backbone, method="zero_shot")
    with pytest.raises(
        DataError, match=r"features\[4\] holds zeros alone, which have no direction \(2 of 30"
    ):
        classifier.fit(features, labels)
    with pytest.raises(BackboneError, match=r"text_features\[1\] holds zeros alone"):
        write_text_features(tmp_path / "t.npz", NAMES, centres * [[1], [0], [1]])
