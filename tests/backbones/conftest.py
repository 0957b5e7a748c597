"""Folders of models: to damage, and of other kinds than CLIP."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_kinds import MADE, save_kind


@pytest.fixture
def copied(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny CLIP to damage."""
    return Path(shutil.copytree(clip_folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def kind_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind of `tiny_kinds`, made once."""
    return {kind: save_kind(kind, tmp_path_factory.mktemp(kind)) for kind in MADE}
