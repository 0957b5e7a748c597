"""Features kept for a while: which go first, how much is kept, and for whom."""

from __future__ import annotations

import threading

import numpy as np

from promptlet.serve.recent import OWN_BYTES, Recent

OF_ONE = 4 * 8 + OWN_BYTES


def features(number: float) -> np.ndarray:
    return np.full(8, number, np.float32)


def test_those_used_longest_ago_go_and_bytes_are_bounded() -> None:
    recent = Recent(3 * OF_ONE)
    for number in range(3):
        recent.put("", f"{number}", features(number))
    assert recent.get("", "0") is not None  # used now
    recent.put("", "3", features(3))
    assert [recent.get("", f"{number}") is None for number in range(4)] == [False, True, False, False]
    assert (len(recent), recent.nbytes) == (3, 3 * OF_ONE)
    recent.put("", "0", features(9))
    np.testing.assert_array_equal(recent.get("", "0"), features(9))
    assert (len(recent), recent.nbytes) == (3, 3 * OF_ONE)


def test_no_tenant_finds_what_another_one_asked() -> None:
    recent = Recent(1 << 20)
    recent.put("a", "content", features(1))
    assert recent.get("b", "content") is None
    assert recent.get("", "content") is None


def test_nothing_is_kept_where_nothing_fits() -> None:
    recent = Recent(0)
    recent.put("", "content", features(1))
    assert (recent.get("", "content"), len(recent), recent.nbytes) == (None, 0, 0)


def test_threads_may_use_it_at_once() -> None:
    recent = Recent(10 * OF_ONE)

    def use(first: int) -> None:
        for number in range(300):
            recent.put("", f"{(first + number) % 30}", features(number))
            recent.get("", f"{number % 30}")

    threads = [threading.Thread(target=use, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(recent), recent.nbytes) == (10, 10 * OF_ONE)
