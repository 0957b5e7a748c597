"""What a newcomer may rely on when they walk through the source: one sentence a folder, no name prefixes."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import promptlet

SOURCE = Path(promptlet.__file__).parent
ROOMS = sorted({path.parent for path in SOURCE.rglob("*.py")})
MOST_LINES = 350
"""The longest is a family of drawn people; what is longer becomes a folder."""


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(SOURCE).as_posix())
def test_each_room_says_in_a_sentence_what_it_holds(room: Path) -> None:
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    first = text.split("\n")[0]
    assert first.endswith(".") and len(first.split()) >= 4


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(SOURCE).as_posix())
def test_no_three_files_of_a_room_share_a_prefix(room: Path) -> None:
    prefixes = Counter(path.stem.partition("_")[0] for path in room.glob("[!_]*.py"))
    assert [prefix for prefix, count in prefixes.items() if count > 2] == []


def test_no_file_is_too_long_to_be_read_at_a_sitting() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.rglob("*.py")}
    assert {path.name: count for path, count in lines.items() if count > MOST_LINES} == {}
