"""Pages of a test's own template."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PARTS = '{% extends "base.html" %}{% import "parts.html" as parts with context %}'


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """``made("{{ parts.paragraph(x) }}", x="y")``: a page with this content."""
    from promptlet.pages import render
    from promptlet.pages.render import _environment

    package = tmp_path / "pages_of_a_test"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def make(content: str, title: str = "A page", lede: str = "", **values: object) -> str:
        _environment.cache_clear()
        blocks = f"{{% block lede %}}{lede}{{% endblock %}}{{% block content %}}{content}{{% endblock %}}"
        (package / "templates" / "page.html").write_text(PARTS + blocks, encoding="utf-8")
        return render("pages_of_a_test:page.html", title, **values)

    yield make
    _environment.cache_clear()
    sys.modules.pop("pages_of_a_test", None)
