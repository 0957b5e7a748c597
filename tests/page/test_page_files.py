"""What the files of the page promise: small modules, no markup made of text, nothing from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import promptlet

STATIC = Path(promptlet.__file__).parent / "teach" / "static"
SCRIPTS, STYLES = sorted(STATIC.rglob("*.js")), sorted(STATIC.rglob("*.css"))
MOST_LINES = 300
MARKUP = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment)\b"
    r"|\beval\(|new Function|setTimeout\(\s*[\"'`]"
)
ADDRESS = re.compile(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)
NAMESPACE = "//www.w3.org/"  # of SVG: a name, nothing is loaded from there
KEY = re.compile(r"""^\s*["']([\w.-]+)["']:""", re.MULTILINE)
WORD = re.compile(r"""\bt\(\s*(["'])([\w.-]+)\1""")


def name(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def without_remarks(text: str) -> str:
    return re.sub(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", "", text, flags=re.DOTALL)


def test_there_are_files() -> None:
    assert (STATIC / "index.html").is_file() and len(SCRIPTS) > 10 and STYLES


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_is_short_and_makes_no_markup_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert MARKUP.search(without_remarks(text)) is None


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES, STATIC / "index.html"], ids=name)
def test_nothing_lies_outside(path: Path) -> None:
    found = ADDRESS.findall(without_remarks(path.read_text(encoding="utf-8")).replace(NAMESPACE, ""))
    assert found == []
    if path.suffix == ".css":
        assert "@import" not in path.read_text(encoding="utf-8")


def test_the_first_file_has_no_script_and_no_style_within() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<style|\sstyle=|\son[a-z]+=", html) is None
    assert re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL) == [
        (' type="module" src="/static/app/main.js"', "")
    ]


def test_words_that_are_asked_for_are_there_in_both_languages() -> None:
    scripts = (without_remarks(path.read_text(encoding="utf-8")) for path in SCRIPTS)
    asked = {found[1] for text in scripts for found in WORD.findall(text)}
    for language in ("en", "de"):
        there = set()
        for path in sorted((STATIC / "app/words" / language).glob("*.js")):
            there |= set(KEY.findall(path.read_text(encoding="utf-8")))
        assert sorted(asked - there) == [], language
