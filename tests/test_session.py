"""Every method is fitted, asked, saved and loaded in every session a user may have, with the same answers."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import NAMES, toy_arrays, toy_pictures
from sessions import MIXED, ROUNDED, SESSIONS

from promptlet import PromptClassifier
from promptlet.backbones import load_backbone
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES

EVERY = {**SESSIONS, **MIXED}
QUICK = [(name, method) for name in SESSIONS for method in ("rlp",)]
QUICK += [(name, method) for name in MIXED for method in METHODS]
SLOW = [(name, method) for name in SESSIONS for method in METHODS if method != "rlp"]
PAIRS = [*QUICK, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW)]


@lru_cache
def data(backbone: Any, method: str) -> tuple[Any, np.ndarray]:
    """A few images as the method reads them, and their names."""
    if METHODS[method].info.reads == FEATURES:
        return toy_arrays(backbone, per_class=2)
    inputs, labels = toy_pictures(backbone, per_class=2)
    return inputs.sources, np.array(NAMES)[labels.numpy()]


def told(backbone: Any, method: str, given: tuple[Any, np.ndarray], path: Path) -> list[np.ndarray]:
    """Probabilities after a fit, of other names where the method answers them, and from its file."""
    images, labels = given
    clf = PromptClassifier(backbone, method=method, epochs=2, cache=False).fit(images, labels)
    found = [clf.predict_proba(images)]
    if METHODS[method].info.unseen_classes:
        found.append(clf.predict_proba(images, class_names=["a boat", "cat"]))
    clf.save(path)
    found.append(PromptClassifier.load(path, backbone=backbone).predict_proba(images))
    return found


@lru_cache
def ordinary(backbone: Any, method: str, path: Path) -> list[np.ndarray]:
    return told(backbone, method, data(backbone, method), path)


@lru_cache
def loaded_in(session: str, folder: Path) -> Any:
    with EVERY[session]():
        return load_backbone(folder, device="cpu")


@pytest.mark.parametrize(("session", "method"), PAIRS)
def test_every_method_in_every_session(
    session: str, method: str, clip_folder: Path, tiny_backbone: Any, tmp_path_factory: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{method}.prompt"
    given, wanted = data(tiny_backbone, method), ordinary(tiny_backbone, method, path)
    with EVERY[session]():
        found = told(loaded_in(session, clip_folder), method, given, path)
    rtol = 0.1 if session in ROUNDED else 1e-5
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)
