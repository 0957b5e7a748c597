"""The page on predicting without torch runs as it stands, on an exported folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from tiny_graphs import DIM, NAMES, drawn, folder, vectors

import promptlet
from promptlet.exported import write_vectors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "predict-without-torch.md").read_text(encoding="utf-8")


def test_the_blocks_of_the_page_run(tmp_path: Path) -> None:
    folder(tmp_path / "pets")
    write_vectors(tmp_path / "pets.npz", vectors())
    np.save(tmp_path / "images.npy", drawn(3, DIM))
    for name in ("new1.jpg", "new2.jpg"):
        Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / name)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    command = [sys.executable, "-c", "\n".join(blocks)]
    environment = {"PYTHONPATH": str(Path(promptlet.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(name in done.stdout for name in NAMES)


def test_the_page_installs_what_is_pinned() -> None:
    [packages] = re.findall(r"^pip install (filelock .*)$", PAGE, re.MULTILINE)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    group = text.split("\nruntime = [ # all", 1)[1].split("\n]\n", 1)[0]
    assert packages.split() == re.findall(r'"([a-z]+)>=', group)
