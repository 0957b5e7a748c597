"""Memory kept by the process, where its C library can be told so."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Any

import pytest

from promptlet.serve import memory

PAGES = """
import resource, sys, threading
import numpy as np
from promptlet.serve.memory import keep_freed_memory

def take():
    for _ in range(25):
        [np.ones(3 << 20, np.uint8) for _ in range(8)]

if sys.argv[1] == "keep":
    assert keep_freed_memory()
thread = threading.Thread(target=take)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
@pytest.mark.slow
def test_a_thread_fetches_fewer_pages() -> None:
    """24 MiB taken and freed 25 times are 150,000 pages where they are given back each time."""

    def faults(how: str) -> int:
        given = [sys.executable, "-c", PAGES, how]
        return int(subprocess.run(given, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") < 0.5 * faults("leave")


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        def __init__(self, _: Any) -> None: ...

    monkeypatch.setattr(memory.ctypes, "CDLL", Library)
    assert not memory.keep_freed_memory()
