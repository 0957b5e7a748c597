"""A folder of drawn photos, and the embedded backbone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_photos import COLOURS, draw
from stored_vectors import DIM, drawn

import promptlet
from promptlet.backbones import Backbone
from promptlet.search.file import Stored


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of a test is its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PROMPTLET_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    return promptlet.load_backbone("mini", device="cpu")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures of each of three colours, one folder each."""
    root = tmp_path / "photos"
    for number, (name, colour) in enumerate(COLOURS.items()):
        for i in range(6):
            draw(root / name / f"{i}.png", colour, 10 * number + i)
    return root


@pytest.fixture(scope="session")
def stored() -> Stored:
    return drawn()


@pytest.fixture(scope="session")
def asked() -> np.ndarray:
    """A direction that is looked for."""
    return np.random.default_rng(1).normal(size=DIM).astype(np.float32)
