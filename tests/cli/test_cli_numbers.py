"""Every option that takes a number, found by asking the commands, is refused before anything is read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from promptlet.cli import reference

NOTHING = {
    "compare": ("no-such-folder",),
    "check": ("no-such-folder",),
    "fit": ("no-such-folder", "--out", "no-such-folder/a.prompt"),
    "predict": ("no-such-file", "no-such-image"),
    "search": ("no-such-folder", "--query", "a cat"),
    "bench run": ("--datasets", "no-such-data"),
    "analyze": ("--datasets", "no-such-data"),
    "demo": ("--datasets", "no-such-data"),
}
HOSTILE = ("-1", "0x10", "nan", "inf", "1e400", "1.5.2", str(10**30), "9" * 5000, "", "\x1b[31m1", "\uff11")
LISTS = ("1-30000000", "1-" + "9" * 30, "9" * 5000, "1,,2", "3-1", "1-2-3", "-1", "10000000000000000000000")


def numeric() -> list[tuple[str, str, bool]]:
    """Command, option, and whether it is no whole number, as the help says."""
    return [
        (" ".join(words), option, kind == "float")
        for words, command in reference.commands()
        if not hasattr(command, "commands")
        for option, kind in re.findall(
            r"^ +(--[a-z-]+) <(int|float)\b", reference.help_of(words), re.MULTILINE
        )
    ]


@pytest.mark.slow
def test_they_are_found() -> None:
    options = {option for _, option, _ in numeric()}
    assert {
        "--seed",
        "--shots",
        "--epochs",
        "--lr",
        "--batch-size",
        "--rank",
        "--n-ctx",
    } <= options
    assert {"--top", "--workers", "--every", "--k"} <= options


@pytest.mark.parametrize(("command", "option", "is_float"), numeric(), ids=str)
@pytest.mark.slow
def test_no_number_is_believed(command: str, option: str, is_float: bool, shell: Any) -> None:
    for value in HOSTILE:
        if is_float and value == str(10**30):
            continue  # a learning rate may be any finite number
        told = shell.refuses(*command.split(), *NOTHING[command], f"{option}={value}")
        assert option in told and "no-such" not in told and "\x1b" not in told


@pytest.mark.parametrize("command", ["fit", "compare", "bench run"])
@pytest.mark.slow
def test_no_reading_is_believed(command: str, shell: Any) -> None:
    """A number, or a word with one."""
    for value in (*HOSTILE, "0", "crop:3", "crops:0", "crops:" + "9" * 5000, "crops:\uff11", "\x1b[31mcrops"):
        told = shell.refuses(*command.split(), *NOTHING[command], f"--views={value}")
        assert "--views" in told and "no-such" not in told and "\x1b" not in told and len(told) < 600


@pytest.mark.parametrize("value", LISTS, ids=[text[:12] for text in LISTS])
@pytest.mark.parametrize(
    ("command", "option"),
    [("bench run", "--seeds"), ("bench run", "--shots"), ("analyze", "--seeds"), ("demo", "--seeds")],
)
def test_no_list_is_too_long(command: str, option: str, value: str, shell: Any) -> None:
    told = shell.refuses(*command.split(), *NOTHING[command], f"{option}={value}")
    assert option in told and len(told) < 600 and "no-such" not in told
