"""Pieces of work in turns of tenants: each made once, within a room, and none for nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from time import monotonic
from typing import Any

import pytest

from promptlet.errors import ServiceError
from promptlet.serve.turns.once import NoTurnError, Once
from promptlet.serve.turns.room import Room


class Work:
    """Pieces that wait until they may go on; ``ran`` has them in the order in which they began."""

    def __init__(self) -> None:
        self.go_on, self.begun, self.ran = threading.Event(), threading.Semaphore(0), list[Any]()

    def piece(self, name: Any) -> Callable[[], Any]:
        def work() -> Any:
            self.ran.append(name)
            self.begun.release()
            assert self.go_on.wait(20)
            return name

        return work

    async def wait_for(self, count: int = 1) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.begun.acquire, timeout=20)


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.go_on.set()


def once_of(
    threads: int = 1, of_tenant: int = 1, queue: int = 100, share: float = 1.0, wait: float = 20.0
) -> Once[Any]:
    return Once(threads, of_tenant, Room(queue, share), wait, "prompts", "test-once")


def play(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 30))


async def ask(once: Once[Any], tenant: str, key: Any, work: Callable[[], Any], size: int = 1) -> Any:
    with once.asking(tenant, 1) as asking:
        return await asking.get(key, work, size)


def asking(once: Once[Any], work: Work, tenant: str, *names: str) -> list[asyncio.Task[Any]]:
    """A call of its own for each piece."""
    return [asyncio.create_task(ask(once, tenant, name, work.piece(name))) for name in names]


def is_empty(once: Once[Any]) -> bool:
    return not (once._jobs or list(once._waiting) or once._running or once.room.held or once.room.of_tenant)


def test_one_is_made_for_all_who_ask_and_dropped_when_all_leave(work: Work) -> None:
    async def scene() -> None:
        once = once_of()
        blocking = asking(once, work, "a", "long")
        await work.wait_for()
        first, second = asking(once, work, "a", "short", "short")
        [nobody] = asking(once, work, "a", "nobody's")
        await asyncio.sleep(0.01)
        first.cancel()
        nobody.cancel()
        await asyncio.sleep(0.01)
        work.go_on.set()
        assert await second == "short" and await blocking[0] == "long"  # one of the two is enough
        assert await ask(once, "a", "short", work.piece("again")) == "again"  # what is done is not remembered
        assert work.ran == ["long", "short", "again"] and is_empty(once)
        once.close()

    play(scene())


def test_tenants_take_turns(work: Work) -> None:
    async def scene() -> None:
        once = once_of()
        many = asking(once, work, "a", *(f"a{number}" for number in range(20)))
        await work.wait_for()
        few = asking(once, work, "b", "b0", "b1") + asking(once, work, "c", "c0")
        await asyncio.sleep(0.01)
        work.go_on.set()
        await asyncio.gather(*many, *few)
        assert work.ran[:7] == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"] and is_empty(once)
        once.close()

    play(scene())


def test_a_tenant_alone_leaves_a_thread_for_others(work: Work) -> None:
    async def scene() -> None:
        once = once_of(threads=3, of_tenant=2)
        many = asking(once, work, "a", *(f"a{number}" for number in range(9)))
        await work.wait_for(2)
        await asyncio.sleep(0.02)
        assert len(work.ran) == 2
        [other] = asking(once, work, "b", "b")
        await work.wait_for()  # while a's pieces last
        work.go_on.set()
        assert await other == "b"
        await asyncio.gather(*many)
        once.close()

    play(scene())


def test_a_piece_that_several_tenants_ask_for_has_the_turn_of_each(work: Work) -> None:
    async def scene() -> None:
        once = once_of()
        many = asking(once, work, "a", *(f"a{number}" for number in range(9)), "both")
        await work.wait_for()
        [other] = asking(once, work, "b", "both")
        await asyncio.sleep(0.01)
        many[-1].cancel()  # b waits for it all the same
        await asyncio.sleep(0.01)
        work.go_on.set()
        assert await other == "both" and work.ran.index("both") == 2
        await asyncio.gather(*many, return_exceptions=True)
        assert is_empty(once)
        once.close()

    play(scene())


def test_there_is_room_for_so_many_and_for_half_of_a_tenant(work: Work) -> None:
    async def scene() -> None:
        once = once_of(queue=4, share=0.5)
        mine = asking(once, work, "a", "a0", "a1")
        await work.wait_for()
        with pytest.raises(
            NoTurnError, match=r"2 prompts wait, 2 of them yours, .*no room for 1 more"
        ) as error:
            await ask(once, "a", "a2", work.piece("a2"))
        assert 1 <= error.value.retry_after <= 60
        others = asking(once, work, "b", "b0", "b1")
        await asyncio.sleep(0.01)
        with pytest.raises(NoTurnError, match=r"4 prompts wait, 0 of them yours"):
            await ask(once, "c", "c", work.piece("c"))
        with once_of(queue=4, share=0.5).asking("a", 9) as asking_many:
            assert asking_many.most == 2  # of who wants more, as many as there may be
        work.go_on.set()
        await asyncio.gather(*mine, *others)
        assert await ask(once, "c", "c", work.piece("c")) == "c" and is_empty(once)
        once.close()

    play(scene())


def test_who_has_no_turn_in_time_is_told_and_leaves_nothing(work: Work) -> None:
    async def scene() -> None:
        once = once_of(wait=0.1)
        with once.asking("a", 3) as many:
            tasks = [asyncio.create_task(many.get(name, work.piece(name))) for name in ("a0", "a1")]
            await work.wait_for()
            began = monotonic()
            with pytest.raises(NoTurnError, match=r"after 0\.1 s, nothing of yours had its turn"):
                await ask(once, "b", "b", work.piece("b"))
            assert 0.05 < monotonic() - began < 5
            await asyncio.sleep(0.3)  # of a, something is in work: so the rest of it waits on
            work.go_on.set()
            assert await asyncio.gather(*tasks) == ["a0", "a1"]
        assert work.ran == ["a0", "a1"] and is_empty(once)
        once.close()

    play(scene())


def test_who_would_wait_too_long_is_refused_at_once(work: Work) -> None:
    async def scene() -> None:
        once = once_of(threads=2, of_tenant=2, wait=5.0)
        for _ in range(9):
            once._pace.add(1.0)  # a second for a name
        lasting = asking(once, work, "a", "a0") + asking(once, work, "c", "c0")
        await work.wait_for(2)
        waiting = asyncio.create_task(ask(once, "a", "long", work.piece("long"), size=100))
        await asyncio.sleep(0.01)
        with pytest.raises(NoTurnError, match="the first of your prompts would have its turn in about 50 s"):
            await ask(once, "b", "b", work.piece("b"))
        assert not work.ran[2:]
        waiting.cancel()
        work.go_on.set()
        await asyncio.gather(*lasting)
        once.close()

    play(scene())


def test_a_free_thread_is_taken_whatever_waits(work: Work) -> None:
    async def scene() -> None:
        once = once_of(threads=3, of_tenant=2, wait=5.0)
        for _ in range(9):
            once._pace.add(60.0)
        lasting = asking(once, work, "a", "a0", "a1")
        await work.wait_for(2)
        lasting += asking(once, work, "a", "a2")
        await asyncio.sleep(0.01)
        lasting += asking(once, work, "b", "b0")
        await work.wait_for()
        lasting += asking(once, work, "c", "c0")  # a's next has no turn before a thread of a is free
        await asyncio.sleep(0.01)
        work.go_on.set()
        await asyncio.gather(*lasting)
        assert is_empty(once)
        once.close()

    play(scene())


def test_what_fails_is_told_to_all_and_not_remembered(work: Work) -> None:
    async def scene() -> None:
        once = once_of()
        blocking = asking(once, work, "a", "long")
        await work.wait_for()

        def fail() -> None:
            raise MemoryError("for now")

        tasks = [asyncio.create_task(ask(once, "a", "it", fail)) for _ in range(3)]
        gone = asyncio.create_task(ask(once, "a", "it", fail))
        await asyncio.sleep(0.01)
        gone.cancel()
        work.go_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, MemoryError) for one in found)
        assert await ask(once, "a", "it", work.piece("it")) == "it"
        await blocking[0]
        assert is_empty(once)
        once.close()

    play(scene())


def test_at_the_end_what_has_not_begun_is_refused(work: Work) -> None:
    async def scene() -> None:
        once = once_of()
        begun, waits = asking(once, work, "a", "begun", "waits")
        await work.wait_for()
        once.close()
        with pytest.raises(ServiceError, match="the server is closing"):
            await waits
        with pytest.raises(ServiceError, match="the server is closing"):
            await ask(once, "a", "new", work.piece("new"))
        work.go_on.set()
        assert await begun == "begun" and work.ran == ["begun"]

    play(scene())


def test_of_many_items_so_many_at_a_time_and_nothing_after_a_failure() -> None:
    async def scene() -> None:
        once, active, most, done = once_of(), 0, 0, list[int]()

        async def work(item: int) -> None:
            nonlocal active, most
            active += 1
            most = max(most, active)
            try:
                await asyncio.sleep(0.001)
                if item == 50:
                    raise ZeroDivisionError
                done.append(item)
            finally:
                active -= 1

        with once.asking("a", 4) as asking_many:
            await asking_many.each(range(20), work)
            assert sorted(done) == list(range(20)) and most == 4
            with pytest.raises(ZeroDivisionError):
                await asking_many.each(range(45, 95), work)
            assert active == 0 and max(done) < 60
        once.close()

    play(scene())
