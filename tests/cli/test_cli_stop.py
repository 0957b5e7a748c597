"""Commands that are told to stop end in one way: kept is kept, temporary is gone, and the code says what."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from promptlet.cli import stopping
from promptlet.errors import BackboneError

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
slow = pytest.mark.slow


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_first", [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once_and_its_repetition_does_not_cut_the_end_short(
    number: signal.Signals,
) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # these tests may have been started by nohup
    try:
        with stopping.stoppable():
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
                time.sleep(1)
            os.kill(os.getpid(), number)  # while things are put away
            assert stopping.exit_code() == 128 + number and number.name in stopping.word()
            stopping._first[0] = (number, time.monotonic() - stopping.GRACE - 1)
            with pytest.raises(KeyboardInterrupt):  # somebody means it
                os.kill(os.getpid(), number)
                time.sleep(1)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_what_is_ignored_stays_ignored_and_ctrl_c_has_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stopping.exit_code() == 130 and stopping.word() == "interrupted"


SWALLOWS = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
except BaseException:
    raise ModuleNotFoundError("this module is there") from None
"""


def test_a_stop_waits_for_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries make a missing module of what is raised while one is imported, or go on without it."""
    (tmp_path / "swallows_a_stop.py").write_text(SWALLOWS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGALRM)
    with stopping.stoppable(), pytest.raises(stopping.Stopped):
        importlib.import_module("swallows_a_stop")
        assert "swallows_a_stop" in sys.modules and stopping.is_stopped()
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) == before and signal.getitimer(signal.ITIMER_REAL)[0] == 0


class Finalized:
    """Told to stop while it goes: Python drops what is raised there."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)


def test_a_stop_that_was_lost_is_raised_again_and_one_on_its_way_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stopping, "LATER", 0.1)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    put_away = []
    try:
        with stopping.stoppable(), pytest.raises(stopping.Stopped):
            _ = Finalized()
            del _
            try:
                time.sleep(10)
            finally:
                time.sleep(0.5)
                put_away.append("whole")
        assert put_away == ["whole"]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("error", [BackboneError, RuntimeError])
def test_an_error_that_a_library_made_of_a_stop_is_one(
    error: type[Exception], shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swallowed(*_: object, **__: object) -> None:
        try:
            stopping._stop(signal.SIGTERM, None)
        except BaseException:
            raise error("CLIPModel could not be imported") from None

    monkeypatch.setattr(TyperGroup, "invoke", swallowed)
    said = shell.fails("methods", "rlp", exit_code=143)
    assert said.strip() == "stopped by SIGTERM: run the same command again"


class Command:
    """A real process with its own folder of temporary files."""

    def __init__(self, place: Path, *words: object) -> None:
        self.temporary = place / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.log = place / "log"
        env = {**os.environ, "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        line = [sys.executable, "-m", "promptlet", *map(str, words)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                line, stdout=subprocess.DEVNULL, stderr=log, env=env, preexec_fn=at_a_terminal
            )

    def end(self) -> None:
        """Whatever a test found: nothing goes on after it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, number: signal.Signals, seconds: float) -> tuple[int, str]:
        """After so many seconds; the code and what was said. A command that ended before is no test."""
        try:
            time.sleep(seconds)
            assert self.process.poll() is None, self.log.read_text()
            workers = children(self.process.pid)
            self.process.send_signal(number)
            self.process.communicate(timeout=60)
        finally:
            self.end()
        time.sleep(0.5)
        assert not [pid for pid in workers if Path(f"/proc/{pid}/cmdline").exists() and is_ours(pid)]
        assert not [path for path in self.temporary.iterdir() if path.name.startswith("promptlet-")]
        return self.process.returncode, self.log.read_text()


def at_a_terminal() -> None:
    """A shell's background jobs ignore Ctrl-C, and so would what they start."""
    for number in CODES:
        signal.signal(number, signal.SIG_DFL)


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_ours(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("where", ["make_context", "invoke"])
@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_it_is_said_once_wherever_it_is_met(
    number: signal.Signals, where: str, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before the command is found, where typer ends without a word."""

    def stopped(*_: object, **__: object) -> None:
        stopping._stop(number, None)

    monkeypatch.setattr(TyperGroup, where, stopped)
    said = shell.fails("methods", "rlp", exit_code=CODES[number])
    name = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert said.strip() == f"{name}: run the same command again"


@slow
@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_fit_keeps_its_training(number: signal.Signals, pictures: Path, tmp_path: Path) -> None:
    words = ("fit", pictures, "--backbone", "mini", "--out", tmp_path / "a.prompt", "--json")
    long = Command(tmp_path, *words, "--epochs", 100_000)
    until = time.monotonic() + 90
    while not (tmp_path / "a.prompt.checkpoint").exists():
        if time.monotonic() > until or long.process.poll() is not None:
            long.end()
            pytest.fail(f"no checkpoint: {long.log.read_text()}")
        time.sleep(0.2)
    code, said = long.stop(number, 1)
    assert code == CODES[number] and "training is kept in" in said and "Traceback" not in said
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"a.prompt.checkpoint", "tmp", "log"}
    again = Command(tmp_path, *words, "--epochs", 100_000, "--resume")
    code, said = again.stop(number, 20)
    assert code == CODES[number] and "damaged" not in said and "other settings" not in said


@slow
@pytest.mark.parametrize("seconds", [0.4, 2, 5, 9, 14])
@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_bench_at_any_moment(engine: str, seconds: float, toy: Any, tmp_path: Path) -> None:
    words = ("bench", "run", "--datasets", toy(dim=128), "--backbone", "mini", "--methods", "coop,rlp")
    words += ("--schedule", "coop", "--engine", engine, "--out", tmp_path / "runs")
    code, said = Command(tmp_path, *words, "--epochs", 50_000).stop(signal.SIGTERM, seconds)
    assert code == 143 or (seconds < 1 and code == -signal.SIGTERM)
    assert "Traceback" not in said and (code != 143 or "stopped by SIGTERM" in said)
    assert not list(tmp_path.glob("runs/*.tmp")) and not list(tmp_path.glob("runs/.*.tmp"))
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*.json")]
    assert all(record["status"] == "done" for record in records)


@slow
@pytest.mark.parametrize(
    "words",
    [("demo", "--out", "OUT"), ("datasets", "draw", "mini-land", "--out", "OUT")],
    ids=["demo", "draw"],
)
def test_other_commands(words: tuple[str, ...], tmp_path: Path) -> None:
    given = [tmp_path / "out" if word == "OUT" else word for word in words]
    code, said = Command(tmp_path, *given).stop(signal.SIGTERM, 0.8)
    assert code == 143 and "run the same command again" in said and "Traceback" not in said
    assert not list(tmp_path.glob(".out-*"))
