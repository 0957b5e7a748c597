"""Projects in a folder, and what learns from them. Tests do not wait for a real disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colours import Told, colours_in

from promptlet.teach.learning.learning import Learning
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power goes off here."""
    monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Projects in a folder."""
    made = Shelf(tmp_path / "projects")
    yield made
    made.close()


@pytest.fixture
def colours(shelf: Shelf) -> Project:
    """The project "colours"."""
    return colours_in(shelf)


@pytest.fixture
def told() -> Told:
    """What is told of projects."""
    return Told()


@pytest.fixture
def learning(shelf: Shelf, tiny_backbone: Any, told: Told) -> Iterator[Learning]:
    """Over a tiny backbone, without a cache."""
    made = Learning(shelf, tiny_backbone, on_event=told)
    yield made
    made.close()
