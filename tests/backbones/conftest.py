"""Folders of models to damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copied(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny CLIP to damage."""
    return Path(shutil.copytree(clip_folder, tmp_path / "copy"))
