"""The page on the hub: its Python runs against the stand-in, as it is typed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hub_stand_in import Hub

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "hub.md"


@pytest.mark.slow
def test_the_python_on_the_page_runs(
    hub: Hub, fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for image in fitted[1]:
        place = tmp_path / "my_photos" / image.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, place)
    shutil.copy(fitted[1][0], tmp_path / "new1.jpg")
    monkeypatch.chdir(tmp_path)
    [block] = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    exec(block.replace("openai/clip-vit-base-patch16", "mini"), {})
    commit = next(reversed(hub.repositories["jane/pets"].commits))
    assert capsys.readouterr().out == f"{hub.url}/jane/pets {commit}\n"
    assert hub.repositories["jane/pets"].private and (tmp_path / "pets" / "README.md").is_file()
