"""Real image features with the stand-in model: known accuracies, and what a prompt does to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet import PromptClassifier, load_backbone
from promptlet.data import base_new, read_feature_file, sample_shots

pytestmark = pytest.mark.realbed

Half = tuple[np.ndarray, list[str], np.ndarray, list[str]]


@pytest.fixture(scope="module")
def backbone(realbed: Path) -> Any:
    return load_backbone(realbed / "model", device="cpu")


@pytest.fixture(scope="module")
def halves(realbed: Path) -> tuple[Half, Half]:
    """(training features, names, test features, names) of 16 shots of base and of new classes."""
    file = read_feature_file(realbed / "features" / "caltech101.npz")

    def arrays(items: Any) -> tuple[np.ndarray, list[str]]:
        return file.features[[item.row for item in items]], [item.class_name for item in items]

    base, new = base_new(sample_shots(file.split, shots=16, seed=1))
    return (*arrays(base.train), *arrays(base.test)), (*arrays(new.train), *arrays(new.test))


def accuracies(clf: PromptClassifier, halves: tuple[Half, Half]) -> tuple[float, float]:
    base, new = halves
    predicted = clf.predict(new[2], class_names=sorted(set(new[1])))
    return 100 * clf.score(base[2], base[3]), 100 * float(np.mean(predicted == np.array(new[3])))


def test_zero_shot_is_what_the_readme_says(backbone: Any, halves: tuple[Half, Half]) -> None:
    clf = PromptClassifier(backbone, method="zero_shot").fit(*halves[0][:2])
    base, new = accuracies(clf, halves)
    assert (round(base, 1), round(new, 1)) == (65.4, 50.1)


@pytest.mark.slow
def test_rlp_raises_base_and_keeps_new(backbone: Any, halves: tuple[Half, Half]) -> None:
    clf = PromptClassifier(backbone, method="rlp", seed=1).fit(*halves[0][:2])
    base, new = accuracies(clf, halves)
    assert clf.method_.trainable_count() == 2 * (4 + 256)
    assert base > 65.4 + 5
    assert round(new, 1) == 50.1  # names that were not taught are answered zero-shot
