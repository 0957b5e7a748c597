"""A folder of drawn photos, and the embedded backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_photos import COLOURS, draw

import promptlet
from promptlet.backbones import Backbone


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
