"""What the commands share: tables of any width, progress in a log and on a terminal, exit codes."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from promptlet.cli.shell import bars, table


class Terminal(io.StringIO):
    """A stream of a person."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Stands still, or leaps whenever it is asked."""

    def __init__(self, leap: float = 0.0) -> None:
        self.now, self.leap = 5000.0, leap

    def __call__(self) -> float:
        self.now += self.leap
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("promptlet.progress.monotonic", clock)
    return clock


@pytest.mark.parametrize(("right", "is_whole"), [(("base",), True), ((), False)])
def test_numbers_are_not_folded(
    monkeypatch: pytest.MonkeyPatch, right: tuple[str, ...], is_whole: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys, "stdout", Terminal())
    table(("data set", "method", "base"), [("a-long-name-of-a-data-set", "zero_shot", "88.00 ± 0.25")], right)
    text = sys.stdout.getvalue()
    assert ("88.00 ± 0.25" in text and "a-long-name-of-a-data-set" in text) == is_whole


def test_a_log_has_a_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    said = {}
    with bars() as shown:
        for second in range(101):
            shown.show("encoding", 1000 + 50 * second, 6000)  # 1,000 were encoded before
            said[second] = capsys.readouterr().err
            clock.now += 1
        clock.now += 1000
        shown.show("encoding", 6000, 6000)
    assert {second: text for second, text in said.items() if text} == {
        10: "encoding: 1,500 of 6,000 (25 %, 50 images/s, about 2 min left)\n",
        40: "encoding: 3,000 of 6,000 (50 %, 50 images/s, about 60 s left)\n",
        70: "encoding: 4,500 of 6,000 (75 %, 50 images/s, about 30 s left)\n",
    }
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "left"), [(10, "10 s"), (89, "89 s"), (240, "4 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_the_time_left_is_what_one_remembers(
    seconds: int, left: str, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with bars() as shown:
        shown.show("training", 0, 200)
        clock.now += seconds
        shown.show("training", 100, 200, "loss 0.512")
    assert capsys.readouterr().err == f"training: 100 of 200 (50 %, about {left} left), loss 0.512\n"


def test_each_bar_has_its_own_lines_and_begins_anew_when_it_was_removed(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with bars() as shown:
        shown.show("runs", 0, 4)
        shown.show("training", 1, 9)
        clock.now += 9
        shown.remove("training")
        shown.remove("encoding")
        shown.show("training", 1, 9)
        clock.now += 9
        shown.show("training", 2, 9)
        shown.show("runs", 1, 4)
        assert capsys.readouterr().err == "runs: 1 of 4 (25 %, about 54 s left)\n"
        clock.now += 1
        shown.show("training", 3, 9)
        assert capsys.readouterr().err == "training: 3 of 9 (33 %, about 30 s left)\n"


@pytest.mark.parametrize(("first", "total"), [(0, 1000), (500, 1500)])
def test_other_images_under_the_same_name_have_their_own_pace(
    first: int, total: int, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with bars() as shown:
        shown.show("encoding", 0, 1000)
        clock.now += 10
        shown.show("encoding", 400, 1000)
        assert capsys.readouterr().err == "encoding: 400 of 1,000 (40 %, 40 images/s, about 15 s left)\n"
        clock.now += 5
        shown.show("encoding", first, total)
        clock.now += 24
        shown.show("encoding", first + 200, total)
        assert capsys.readouterr().err == ""
        clock.now += 1
        shown.show("encoding", first + 250, total)
    assert capsys.readouterr().err.endswith(" %, 10 images/s, about 75 s left)\n")


def test_nothing_is_written_of_what_stands_still_or_of_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with bars() as shown:
        for total in (0, 100):
            for _ in range(3):
                shown.show("encoding", 0, total)
                clock.now += 100
    assert capsys.readouterr().err == ""


def test_bars_that_are_off_are_silent_but_for_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with bars(off=True) as shown:
        for done in range(9):
            shown.show("encoding", done, 9)
            clock.now += 100
        shown.remove("encoding")
        shown.line("[1/2] done")
    assert capsys.readouterr() == ("", "[1/2] done\n")


def test_a_terminal_has_bars_and_no_lines_of_theirs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with bars() as shown:
        for done in range(9):
            shown.show("encoding", done, 9, "a note")
            clock.now += 100
        shown.line("[1/2] done")
        shown.show("training", 1, 2)
        shown.remove("training")
    text = terminal.getvalue()
    assert "8/9" in text and "a note" in text and "[1/2] done" in text and "left)" not in text
    assert "0.01 images/s" in text
    assert "training" not in text[text.rindex("encoding") :]


@pytest.mark.slow
def test_a_long_training_is_told_in_a_log_and_not_beside_json(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.progress.monotonic", Clock(leap=31))
    words = ("fit", pictures, "--backbone", clip_folder, "--epochs", 4, "--out")
    lines = shell.run(*words, tmp_path / "a").stderr.splitlines()
    told = [line for line in lines if line.startswith("training: ")]
    assert [line.split(", loss")[0] for line in told] == [
        "training: 2 of 4 (50 %, about 62 s left)",
        "training: 3 of 4 (75 %, about 31 s left)",
    ]
    assert "training: " not in shell.run(*words, tmp_path / "b", "--json").stderr


def test_a_wrong_option_exits_with_2_also_in_json(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.refuses("methods", "rpl").startswith("error: method='rpl' is not known")
    monkeypatch.setattr(sys, "argv", ["promptlet", "methods", "rpl", "--json"])
    document = shell.json("methods", "rpl", exit_code=2)
    assert document["kind"] == "OptionError" and "Did you mean 'rlp'?" in document["error"]


@pytest.mark.parametrize("words", [(), ("bench",), ("datasets",), ("cache",)])
def test_without_a_command_the_help_is_shown_in_lines(words: tuple[str, ...], shell: Any) -> None:
    told = shell.refuses(*words).splitlines()
    assert told[0].startswith("Usage: ") and "Commands:" in told and len(told) > 8
    assert told == shell.run(*words, "--help").stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("compare", "pets", "--folds", "many"), "valid integer"),
        (("fit", "--nothing"), "No such option"),
        (("predict",), "Missing argument"),
        (("nothing",), "No such command"),
        (("bench", "nothing"), "No such command"),
    ],
)
def test_a_wrong_usage_is_one_document_in_json(
    words: tuple[str, ...], told: str, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["promptlet", *words, "--json"])
    document = shell.json(*words, exit_code=2)
    assert document["kind"] == "OptionError" and told in document["error"]


def test_a_full_disk_is_no_wrong_option(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("promptlet.mini.datasets.draw_dataset", full)
    told = shell.fails("datasets", "draw", "mini-land", "--out", tmp_path / "land", exit_code=1)
    assert "cannot be written (No space left on device)" in told
