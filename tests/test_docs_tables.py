"""Tables in the documentation are those of the committed rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.methods import table

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("group", ["text-methods", "image-methods"])
def test_the_methods_page_shows_the_committed_rows(group: str) -> None:
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    lines = table(ROOT / "benchmarks" / "results" / group).splitlines()
    assert len(lines) > 10
    assert [line for line in lines if line not in page] == []
