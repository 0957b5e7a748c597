"""The page on other tools: the block of sentence-transformers runs as it is typed, over a tiny CLIP."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "other-tools.md"


@pytest.mark.slow
def test_the_block_of_sentence_transformers_runs(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sentence_transformers")
    for name, colour in (("cat", (200, 30, 30)), ("dog", (30, 200, 30))):
        for i in range(3):
            place = tmp_path / "my_photos" / name
            place.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (48, 40 + i), colour).save(place / f"{i}.png")
    for name in ("new1.jpg", "new2.jpg"):
        Image.new("RGB", (48, 40), (190, 40, 30)).save(tmp_path / name)
    shutil.copytree(clip_folder, tmp_path / "openai" / "clip-vit-base-patch16")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    _, block = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    told: dict[str, object] = {}
    exec(block, told)
    assert told["queries"].shape == (2, 16)  # type: ignore[attr-defined]
