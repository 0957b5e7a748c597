"""Peak memory is that since it was reset."""

from __future__ import annotations

import os

import numpy as np
import pytest

from promptlet.protocols.circumstances import CLEAR, peak_memory, reset_peak_memory

BIG = 200 * 2**20


@pytest.mark.skipif(not os.access(CLEAR, os.W_OK), reason="this system has no mark that can be reset")
def test_what_was_freed_before_a_reset_does_not_count() -> None:
    reset_peak_memory()
    before = peak_memory()
    array = np.ones(BIG, np.uint8)
    high = peak_memory()
    del array
    still_high = peak_memory()
    reset_peak_memory()
    after = peak_memory()
    assert before is not None and high is not None and still_high is not None and after is not None
    assert high - before > 0.9 * BIG and still_high > high - 0.1 * BIG  # the system counts in batches
    assert after < high - 0.9 * BIG


def test_a_system_without_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    from promptlet.protocols import circumstances

    resource = pytest.importorskip("resource")
    monkeypatch.setattr(circumstances, "STATUS", Path("absent"))
    monkeypatch.setattr(circumstances, "CLEAR", Path("absent") / "too")
    reset_peak_memory()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak_memory() in (most, most * 1024)
