"""What is recorded of an error that was not expected: its kind, what it says, where, and whose it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet.data import base_new
from promptlet.data.arrays import write_arrays
from promptlet.errors import ImageError, did_you_mean
from promptlet.reasons import reason_of


def reason(act: Callable[[], Any]) -> str:
    with pytest.raises(Exception) as caught:
        act()
    assert isinstance(caught.value, Exception)
    return reason_of(caught.value)


def test_an_expected_error_says_it_itself() -> None:
    def act() -> None:
        raise ImageError("a.jpg: cannot be read; replace it")

    assert reason(act) == "a.jpg: cannot be read; replace it"


def test_a_bug_of_promptlet_is_called_one_with_file_and_line() -> None:
    told = reason(lambda: base_new(None))  # type: ignore[arg-type]
    assert re.fullmatch(r"bug: AttributeError: .* \(data/[a-z_/]+\.py, line \d+\); please report it", told)
    inside = reason(lambda: write_arrays(5, {}))  # type: ignore[arg-type]
    assert inside.startswith(
        "bug: AttributeError: 'int' object has no attribute 'with_name' (data/arrays.py, line"
    )


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda: json.loads("{"), "JSONDecodeError"),
        (lambda: np.zeros((2, 2)) @ np.zeros((3, 3)), "ValueError"),
        (lambda: Path("/nowhere/at all").read_bytes(), "FileNotFoundError"),
    ],
)
def test_of_a_library_the_place_is_where_it_was_called(act: Callable[[], Any], kind: str) -> None:
    told = reason(act)
    assert told.startswith(f"{kind}: ") and "(test_reasons.py, line " in told and "bug" not in told


def test_a_disk_or_a_full_memory_is_no_bug(tmp_path: Path) -> None:
    def savez(*_: Any, **__: Any) -> None:
        raise MemoryError("Unable to allocate 75 GiB")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "savez", savez)
        told = reason(lambda: write_arrays(tmp_path / "a.npz", {}))
    assert told.startswith("memory is full: Unable to allocate") and "bug" not in told


def test_an_error_that_was_never_raised() -> None:
    assert reason_of(ValueError("x")) == "ValueError: x (no place)"


def test_what_was_given_is_never_suggested() -> None:
    assert did_you_mean("coopp", iter(["coop", "rlp"])) == " Did you mean 'coop'?"
    assert did_you_mean("coop", iter(["coop", "rlp"])) == did_you_mean("xyz", ["coop"]) == ""
