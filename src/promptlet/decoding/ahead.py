"""Work done by threads some way ahead of whoever takes its results, in order, and no further than that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from promptlet.session import cores

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 16
"""Python's own part of a small JPEG is a tenth of its decoding: more threads wait for each other."""


def threads_beside(device: torch.device) -> int:
    """How many decode for a tower there: as many as torch computes with, since whoever gives torch fewer
    cores than there are means it; all cores beside a GPU."""
    import torch

    return _bounded(torch.get_num_threads() if device.type == "cpu" else cores())


def _bounded(count: int) -> int:
    return min(MOST_THREADS, max(2, count))


@contextmanager
def decoders(threads: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Threads for the time of a block; None: as many as there are cores. However it ends, what was not begun
    is dropped, and none is left."""
    count = _bounded(cores()) if threads is None else threads
    pool = ThreadPoolExecutor(count, thread_name_prefix="promptlet-decoder")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    most: int,
    most_bytes: float = float("inf"),
    size: Callable[[Item], int] = lambda _: 0,
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item with the future of ``work(item)``, in the order of ``items``.

    No more than ``most`` items, and ``most_bytes`` by their ``size``, or one, are given to the pool and not
    taken yet. A new one is given when one is taken.
    """
    waiting: deque[tuple[Item, int, Future[Result]]] = deque()
    held = 0
    for item in items:
        own = size(item)
        while waiting and (len(waiting) >= most or held + own > most_bytes):
            taken, freed, future = waiting.popleft()
            held -= freed
            yield taken, future
        waiting.append((item, own, pool.submit(work, item)))
        held += own
    while waiting:
        taken, _, future = waiting.popleft()
        yield taken, future
