"""The examples run as they stand."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from promptlet.mini import datasets

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_first_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "PARTS", {"train": 4, "val": 1, "test": 1})
    monkeypatch.setattr(sys, "argv", ["first_prompt.py", "mini-land"])
    runpy.run_path(str(EXAMPLES / "first_prompt.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "rlp          264 numbers learned" in printed
    assert "the file has" in printed and " is: " in printed


@pytest.mark.slow
def test_first_prompt_on_the_layout_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of images per class, without train/ and test/."""
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "PARTS", {"train": 8, "val": 1, "test": 1})
    datasets.draw_dataset("mini-land", tmp_path / "all")
    monkeypatch.setattr(sys, "argv", ["first_prompt.py", str(tmp_path / "all" / "train"), "mini"])
    runpy.run_path(str(EXAMPLES / "first_prompt.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "rlp          264 numbers learned" in printed and " is: " in printed


def test_every_example_is_tested() -> None:
    assert [path.name for path in sorted(EXAMPLES.glob("*.py"))] == ["first_prompt.py", "own_method.py"]


def test_the_page_on_own_methods_shows_the_example() -> None:
    page = (EXAMPLES.parent / "docs" / "how-to" / "own-methods.md").read_text(encoding="utf-8")
    [shown] = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    assert len(shown) > 500 and shown in (EXAMPLES / "own_method.py").read_text(encoding="utf-8")
