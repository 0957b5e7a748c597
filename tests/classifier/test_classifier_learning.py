"""It learns: on a problem that a context can solve, with features whose best directions are reachable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from learning_toys import NAMES, toy_arrays

from promptlet import PromptClassifier


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> tuple[np.ndarray, np.ndarray]:
    return toy_arrays(tiny_backbone, per_class=16)


def zero_shot(backbone: Any, problem: Any) -> float:
    clf = PromptClassifier(backbone, method="zero_shot").fit(*problem)
    assert clf.history_ == ()
    return float(clf.score(*problem))


@pytest.mark.parametrize(("schedule", "lr"), [("fast", 0.05), ("coop", 0.1)])
@pytest.mark.parametrize("method", ["rlp", "coop"])
def test_learning_beats_the_hand_written_prompt(
    method: str, schedule: str, lr: float, tiny_backbone: Any, problem: Any
) -> None:
    clf = PromptClassifier(tiny_backbone, method=method, schedule=schedule, epochs=60, lr=lr)
    clf.fit(*problem)
    assert clf.history_[-1].loss < 0.8 * clf.history_[0].loss
    assert clf.score(*problem) > zero_shot(tiny_backbone, problem) + 0.05


def test_rlp_learns_a_small_part_of_what_coop_learns(tiny_backbone: Any, problem: Any) -> None:
    rlp = PromptClassifier(tiny_backbone, epochs=1).fit(*problem)
    coop = PromptClassifier(tiny_backbone, method="coop", epochs=1).fit(*problem)
    assert (rlp.method_.trainable_count(), coop.method_.trainable_count()) == (72, 128)


@pytest.mark.slow
def test_what_is_learned_is_the_prompt_behind_the_features(tiny_backbone: Any, problem: Any) -> None:
    """Held-out features of the same source are classified better too."""
    features, labels = problem
    rows = np.arange(len(labels)) % 2 == 0
    clf = PromptClassifier(tiny_backbone, epochs=60, lr=0.05).fit(features[rows], labels[rows])
    before = PromptClassifier(tiny_backbone, method="zero_shot").fit(features[rows], labels[rows])
    assert clf.score(features[~rows], labels[~rows]) > before.score(features[~rows], labels[~rows])
    assert set(clf.classes_) == set(NAMES)
