"""Small images and splits, and the real test bed when it is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def coop_splits() -> Path:
    """The folder with CoOp's own split files: PROMPTLET_COOP_SPLITS, else ../shared/coop_splits."""
    chosen = os.environ.get("PROMPTLET_COOP_SPLITS")
    folder = Path(chosen) if chosen else Path(__file__).parents[2].parent / "shared" / "coop_splits"
    if not folder.is_dir():
        pytest.skip(f"no split files of CoOp: {folder} is absent; set PROMPTLET_COOP_SPLITS")
    return folder


@pytest.fixture
def make_images(tmp_path: Path) -> Callable[..., Path]:
    """``make_images("root", "cat/1.jpg", ...)`` writes tiny images below tmp_path and returns the root."""

    def make(root: str, *names: str) -> Path:
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 3), (200, 10, 10)).save(path)
        return tmp_path / root

    return make


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hugging Face's caches and ours are below tmp_path, its hub is out of reach; the folder of our cache."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf" / "datasets"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    return tmp_path / "cache"
