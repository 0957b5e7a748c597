"""What is kept for a while: which go first, and how much is kept."""

from __future__ import annotations

import threading

from promptlet.serve.recent import Recent


def test_recent_stays_within_its_size() -> None:
    recent: Recent[str] = Recent(100)
    for number in range(20):
        recent.put(number, str(number), 30)
        recent.get(0)
    assert recent.bytes == 90 and len(recent) == 3
    assert recent.get(0) == "0" and recent.get(19) == "19" and recent.get(5) is None
    recent.put(0, "again", 10)
    assert recent.bytes == 70 and recent.get(0) == "again"
    recent.put("large", "x", 101)
    assert recent.get("large") is None and recent.bytes == 70
    recent.put(0, "too large now", 101)
    assert recent.get(0) is None and recent.bytes == 60


def test_nothing_is_kept_where_nothing_fits() -> None:
    recent: Recent[str] = Recent(0)
    recent.put("", "content", 1)
    assert (recent.get(""), len(recent), recent.bytes) == (None, 0, 0)


def test_threads_may_use_it_at_once() -> None:
    recent: Recent[int] = Recent(100)

    def use(first: int) -> None:
        for number in range(300):
            recent.put((first + number) % 30, number, 10)
            recent.get(number % 30)

    threads = [threading.Thread(target=use, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(recent), recent.bytes) == (10, 100)
