"""Peak memory is that since it was reset."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from promptlet.protocols.records import circumstances
from promptlet.protocols.records.circumstances import CLEAR, STATUS, peak_memory, reset_peak_memory

BIG = 200 * 2**20
PAGE = mmap.PAGESIZE


def hold_and_let_go() -> None:
    """Have `BIG` bytes in memory for a moment: mapped, so that they go back to the system at once."""
    with mmap.mmap(-1, BIG) as memory:
        for start in range(0, BIG, PAGE):
            memory[start] = 1


def system_resets_its_mark() -> bool:
    """Whether this system lets a process reset its mark, tried by hand: some containers forbid it."""
    hold_and_let_go()
    try:
        CLEAR.write_text("5")
        status = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        mark, now = (int(status[key].split()[0]) * 1024 for key in ("VmHWM", "VmRSS"))
    except (OSError, KeyError):
        return False
    return mark - now < 0.1 * BIG


def test_what_was_let_go_before_a_reset_does_not_count() -> None:
    if not system_resets_its_mark():
        pytest.skip("this system has no mark that can be reset")
    reset_peak_memory()
    before = peak_memory()
    hold_and_let_go()
    high = peak_memory()
    reset_peak_memory()
    after = peak_memory()
    assert before is not None and high is not None and after is not None
    assert high - before > 0.9 * BIG  # the system counts in batches
    assert after < high - 0.9 * BIG


def test_a_system_without_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(circumstances, "STATUS", Path("absent"))
    monkeypatch.setattr(circumstances, "CLEAR", Path("absent") / "too")
    reset_peak_memory()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak_memory() in (most, most * 1024)
