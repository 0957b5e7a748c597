"""Tables on terminals of any width."""

from __future__ import annotations

import io
import sys

import pytest

from promptlet.cli.shell import table


class Terminal(io.StringIO):
    """Standard output of a person."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("right", "is_whole"), [(("base",), True), ((), False)])
def test_numbers_are_not_folded(
    monkeypatch: pytest.MonkeyPatch, right: tuple[str, ...], is_whole: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys, "stdout", Terminal())
    table(("data set", "method", "base"), [("a-long-name-of-a-data-set", "zero_shot", "88.00 ± 0.25")], right)
    text = sys.stdout.getvalue()
    assert ("88.00 ± 0.25" in text and "a-long-name-of-a-data-set" in text) == is_whole
