"""What is remembered of this machine: line by line, and a damaged line is none."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from promptlet.data.cache import agreed
from promptlet.data.cache.agreed import forget, in_turn, remember, remembered
from promptlet.errors import DataError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / agreed.FILE_NAME


def test_a_damaged_line_is_dropped_and_the_others_stay(path: Path) -> None:
    lines = [f"{i:040x}=0123abcd" for i in range(4)]
    for line in lines:
        remember(line)
    assert remembered() == set(lines)
    sound = path.read_bytes()
    start = sound.index(lines[1].encode())
    for at in range(start - 9, start + len(lines[1])):
        for value in (sound[at] ^ 1, 0xFF):
            path.write_bytes(sound[:at] + bytes([value]) + sound[at + 1 :])
            assert remembered() == {lines[0], *lines[2:]}
    path.write_bytes(sound[:-5])  # a last line half written
    assert remembered() == set(lines[:3])
    path.write_text(f"{lines[0]}\n:{lines[1]}\n:\n")  # as former versions wrote them
    assert remembered() == frozenset()


def test_all_is_forgotten(path: Path) -> None:
    assert forget() == 0
    remember("a")
    remember("b")
    with in_turn():
        pass
    assert forget() == 2 and remembered() == frozenset() and not list(path.parent.iterdir())
    path.mkdir()
    with pytest.raises(DataError, match="by hand"):
        forget()


def test_one_at_a_time_and_never_in_the_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most = [0]

    def work() -> None:
        with in_turn():
            inside.append(1)
            most[0] = max(most[0], len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    monkeypatch.setattr(agreed, "MOST_SECONDS", 0.05)
    with in_turn(), in_turn():  # no lock is to be had in time
        pass
    monkeypatch.setenv("PROMPTLET_CACHE", str(path / "below a file"))
    path.write_text("")
    with in_turn():
        pass
