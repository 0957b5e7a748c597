"""Batches of many askers' items: whose turn it is, what is bounded, and that everything ends in one way."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from promptlet.errors import BusyError, OptionError, ServiceError
from promptlet.serve.batcher import Batcher

Items = dict[str, Any]


class Worker:
    """Prepares ``x`` as ``(x, "prepared")`` and answers ``x``; told what fails, and stopped at gates."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.prepared: list[Any] = []
        self.batches: list[list[Any]] = []
        self.threads: set[str] = set()
        self.may_prepare, self.may_work = threading.Event(), threading.Event()
        self.is_working = threading.Event()
        self.may_prepare.set()
        self.may_work.set()
        self.slow: set[Any] = set()
        self.unprepared: set[Any] = set()
        self.failing: set[Any] = set()
        self.error: BaseException | None = None

    def prepare(self, item: Any) -> tuple[Any, str]:
        if not self.slow or item in self.slow:
            self.may_prepare.wait(20)
        with self.lock:
            self.prepared.append(item)
        if item in self.unprepared:
            raise ValueError(f"{item} cannot be prepared")
        return item, "prepared"

    def work(self, prepared: Sequence[tuple[Any, str]]) -> list[Any]:
        items = [item for item, word in prepared if word == "prepared"]
        with self.lock:
            self.batches.append(items)
            self.threads.add(threading.current_thread().name)
        self.is_working.set()
        self.may_work.wait(20)
        if self.error is not None:
            raise self.error
        if self.failing.intersection(items):
            raise RuntimeError("one of these fails")
        return items


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def made(worker: Worker) -> Iterator[Callable[..., Batcher[Any, Any, Any]]]:
    """Batchers with small bounds; their threads end with the test."""
    all_made: list[Batcher[Any, Any, Any]] = []

    def make(**settings: Any) -> Batcher[Any, Any, Any]:
        given: dict[str, Any] = {
            "threads": 2,
            "most": 4,
            "queue": 40,
            "tenant_share": 1.0,
            "wait_seconds": 20.0,
            "stuck_seconds": 20.0,
            "on_stuck": lambda reason: pytest.fail(reason),
        }
        all_made.append(Batcher(worker.prepare, worker.work, **(given | settings)))
        return all_made[-1]

    yield make
    worker.may_prepare.set()
    worker.may_work.set()
    for batcher in all_made:
        asyncio.run(batcher.close(0))


def items(*names: Any) -> Items:
    return {str(name): name for name in names}


def play(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 20))


async def until(is_so: Callable[[], object]) -> None:
    while not is_so():
        await asyncio.sleep(0.001)


def wait_without_a_loop(is_so: Callable[[], object]) -> None:
    for _ in range(20_000):
        if is_so():
            return
        threading.Event().wait(0.001)
    pytest.fail("it never came to that")


def own_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("promptlet-")]


def is_empty(batcher: Batcher[Any, Any, Any]) -> bool:
    own = batcher._places
    waiting = list(own._waiting)
    return not (own.held or batcher._room.of_tenant or waiting or own._ready or own._ahead or batcher._begun)


# turns and batches


def test_an_item_goes_through_alone_though_others_are_being_prepared(worker: Worker, made: Any) -> None:
    batcher = made()
    worker.slow = {"slow"}
    worker.may_prepare.clear()

    async def scene() -> None:
        slow = asyncio.create_task(batcher.run(items("slow")))
        await until(lambda: batcher._begun)
        assert await batcher.run(items("quick")) == {"quick": "quick"}
        worker.may_prepare.set()
        assert await slow == {"slow": "slow"}

    play(scene())
    assert worker.batches == [["quick"], ["slow"]]
    assert worker.threads == {"promptlet-work"}


def test_batches_grow_while_the_worker_is_busy_in_the_order_of_acceptance(worker: Worker, made: Any) -> None:
    batcher = made()
    worker.may_work.clear()
    worker.slow = {0}

    async def scene() -> None:
        first = asyncio.create_task(batcher.run(items("first")))
        await until(worker.is_working.is_set)
        worker.may_prepare.clear()  # the first in line is prepared last
        more = [asyncio.create_task(batcher.run(items(2 * i, 2 * i + 1), f"of {i}")) for i in range(4)]
        await until(lambda: len(worker.prepared) == 8)
        worker.may_prepare.set()
        await until(lambda: sum(map(len, batcher._places._ready.values())) == 8)
        worker.may_work.set()
        for i, task in enumerate([*more]):
            assert await task == items(2 * i, 2 * i + 1)
        await first

    play(scene())
    assert sorted(map(len, worker.batches)) == [1, 4, 4]
    assert all(batch == sorted(batch) for batch in worker.batches[1:])
    assert worker.prepared[-1] == 0
    assert is_empty(batcher)


def test_only_what_has_one_shape_is_worked_on_together(worker: Worker, made: Any) -> None:
    batcher = made(shape=lambda prepared: prepared[0] % 3)
    worker.may_work.clear()

    async def scene() -> None:
        task = asyncio.create_task(batcher.run(items(*range(7))))
        await until(lambda: len(worker.prepared) == 7)
        worker.may_work.set()
        assert await task == items(*range(7))

    play(scene())
    assert sorted(item for batch in worker.batches for item in batch) == list(range(7))
    assert all(len({item % 3 for item in batch}) == 1 for batch in worker.batches)


def test_no_more_than_two_batches_are_prepared_ahead_and_not_all_of_one_tenant(
    worker: Worker, made: Any
) -> None:
    batcher = made(threads=3)
    worker.may_work.clear()

    async def scene() -> None:
        tasks = [asyncio.create_task(batcher.run(items("first")))]
        await until(worker.is_working.is_set)
        for tenant, count in (("", 6), ("second", 2), ("third", 0)):
            before = len(worker.prepared)
            names = [f"{tenant}{i}" for i in range(12)]
            tasks.append(asyncio.create_task(batcher.run(items(*names), tenant)))
            await until(lambda before=before, count=count: len(worker.prepared) == before + count)
            await asyncio.sleep(0.02)  # time for one too many
            assert len(worker.prepared) == before + count
        assert len(worker.prepared) == 1 + 2 * 4
        worker.may_work.set()
        await asyncio.gather(*tasks)

    play(scene())
    assert max(map(len, worker.batches)) == 4
    assert is_empty(batcher)


def test_who_comes_while_another_fills_the_queue_is_in_the_next_batch(worker: Worker, made: Any) -> None:
    batcher = made()
    worker.may_work.clear()

    async def scene() -> None:
        tasks = [asyncio.create_task(batcher.run(items(*(f"a{i}" for i in range(15))), "a"))]
        await until(lambda: len(worker.prepared) >= 6 and worker.is_working.is_set())
        await asyncio.sleep(0.02)
        tasks += [asyncio.create_task(batcher.run(items(f"{name}0", f"{name}1"), name)) for name in "bc"]
        await until(lambda: {"b0", "c0"} <= set(worker.prepared))
        await asyncio.sleep(0.02)
        worker.may_work.set()
        await asyncio.gather(*tasks)

    play(scene())
    assert {"b0", "c0"} < set(worker.batches[1])
    assert is_empty(batcher)


def test_tenants_take_turns_whoever_came_first_and_with_however_many(worker: Worker, made: Any) -> None:
    batcher = made(threads=1)
    worker.may_prepare.clear()

    async def scene() -> None:
        tasks = [asyncio.create_task(batcher.run(items(*(f"a{i}" for i in range(6))), "a"))]
        await until(lambda: batcher._begun)
        tasks += [asyncio.create_task(batcher.run(items("b0", "b1"), "b"))]
        tasks += [asyncio.create_task(batcher.run(items("c0"), "c"))]
        await until(lambda: batcher.held == 9)
        worker.may_prepare.set()
        await asyncio.gather(*tasks)

    play(scene())
    assert worker.prepared == ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4", "a5"]


def test_the_same_item_of_one_tenant_is_worked_on_once(worker: Worker, made: Any) -> None:
    batcher = made()
    worker.may_prepare.clear()

    async def scene() -> None:
        asked = [("t", "x"), ("t", "x"), ("other", "x")]
        tasks = [asyncio.create_task(batcher.run(items(item), tenant)) for tenant, item in asked]
        await until(lambda: batcher.held == 2)
        tasks[0].cancel()  # the second one still waits for it
        worker.may_prepare.set()
        assert await asyncio.gather(*tasks[1:]) == [items("x")] * 2
        assert tasks[0].cancelled()

    play(scene())
    assert worker.prepared == ["x", "x"]
    assert is_empty(batcher)


# bounds


def test_a_full_queue_refuses_a_request_whole_and_takes_it_when_there_is_room(
    worker: Worker, made: Any
) -> None:
    batcher = made(queue=10, tenant_share=0.5)
    worker.may_work.clear()

    async def scene() -> None:
        held = [asyncio.create_task(batcher.run(items(*range(4)), name)) for name in "ab"]
        await until(lambda: batcher.held == 8)
        for tenant, count in [("a", 2), ("c", 3)]:  # a's share, and the queue
            with pytest.raises(BusyError, match="no room") as caught:
                await batcher.run(items(*range(10, 10 + count)), tenant)
            assert caught.value.retry_after == 1.0
            assert caught.value.status == 503
        assert batcher.held == 8
        held.append(asyncio.create_task(batcher.run(items(0, 1), "a")))  # which are there: no more room
        one_more = asyncio.create_task(batcher.run(items(20, 21, 22), "c", None, 1))
        await until(lambda: batcher.held == 11)
        worker.may_work.set()
        assert await one_more == items(20, 21, 22)
        assert (await asyncio.gather(*held))[2] == items(0, 1)
        assert await batcher.run(items(*range(5)), "a") == items(*range(5))

    play(scene())
    assert is_empty(batcher)


def test_more_than_is_ever_accepted_is_refused_with_what_is(made: Any) -> None:
    batcher = made(queue=10, tenant_share=0.5)
    with pytest.raises(OptionError, match="6 images are asked for at once; allowed: 5"):
        play(batcher.run(items(*range(6))))
    assert batcher.most_of_tenant == 5


def test_who_waits_too_long_is_told_and_leaves_nothing_behind(worker: Worker, made: Any) -> None:
    batcher = made(wait_seconds=0.05)
    worker.may_work.clear()

    async def scene() -> None:
        first = asyncio.create_task(batcher.run(items("first"), "a"))
        await until(worker.is_working.is_set)
        with pytest.raises(BusyError, match="2 of 2 images have no answer") as caught:
            await batcher.run(items("x", "y"), "b")
        assert caught.value.retry_after >= 1
        assert batcher.held == 1  # which is worked on, and not given up
        worker.may_work.set()
        assert await first == items("first")

    play(scene())
    assert worker.batches == [["first"]]
    assert is_empty(batcher)


def test_after_its_deadline_nothing_is_begun(worker: Worker, made: Any) -> None:
    batcher = made()
    worker.may_prepare.clear()

    async def scene() -> None:
        with pytest.raises(BusyError, match="have no answer"):
            await batcher.run(items("x", "y", "z"), "", 0.0)
        worker.may_prepare.set()
        assert await batcher.run(items("w")) == items("w")

    play(scene())
    assert "z" not in worker.prepared
    assert worker.batches == [["w"]]


def test_a_wait_that_would_be_too_long_is_refused_at_once_by_the_measured_rate(
    worker: Worker, made: Any
) -> None:
    batcher = made(wait_seconds=10.0)
    worker.may_work.clear()

    async def scene() -> None:
        tasks = [asyncio.create_task(batcher.run(items(*range(20)), "a"))]
        await until(lambda: len(worker.prepared) == 10)  # of which 4 are in the batch
        batcher._pace._kept.extend([3.0, 1.0])  # the lower one counts: a first batch takes longer
        with pytest.raises(BusyError, match="its turn in about 16 s") as caught:
            await batcher.run(items("x"), "a")  # 6 prepared, 10 waiting
        assert caught.value.retry_after == 16
        tasks += [asyncio.create_task(batcher.run(items("y"), "b"))]  # it is in the next batch
        await until(lambda: batcher.held == 21)
        batcher._pace._kept.extend([100.0] * 9)
        with pytest.raises(BusyError, match="no room") as caught:
            await batcher.run(items(*range(30, 50)), "c")
        assert caught.value.retry_after == 60
        worker.may_work.set()
        await asyncio.gather(*tasks)

    play(scene())


def test_whose_asker_goes_away_frees_its_place_at_once(worker: Worker, made: Any) -> None:
    batcher = made(queue=13)
    worker.may_work.clear()

    async def scene() -> None:
        first = asyncio.create_task(batcher.run(items("first")))
        await until(worker.is_working.is_set)
        gone = asyncio.create_task(batcher.run(items(*range(11))))
        await until(lambda: len(worker.prepared) == 7)  # 6 wait for the worker, 5 to be prepared
        behind = asyncio.create_task(batcher.run(items("behind"), "another"))
        await until(lambda: batcher.held == 13)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert batcher.held == 2
        await until(lambda: "behind" in worker.prepared)
        next_one = asyncio.create_task(batcher.run(items(*range(20, 31))))
        await until(lambda: batcher.held == 13)
        worker.may_work.set()
        assert await next_one == items(*range(20, 31))
        assert await behind == items("behind")
        await first

    play(scene())
    assert not {*range(11)} & {item for batch in worker.batches for item in batch}
    assert is_empty(batcher)


def test_what_is_worked_on_for_one_who_left_ends_and_the_loop_may_be_closed(
    worker: Worker, made: Any
) -> None:
    """Results for a loop that is gone do not end the worker."""
    batcher = made()
    worker.may_work.clear()

    async def leave() -> None:
        task = asyncio.create_task(batcher.run(items("x", "y")))
        await until(worker.is_working.is_set)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    play(leave())
    worker.may_work.set()
    wait_without_a_loop(lambda: batcher.held == 0)
    assert play(batcher.run(items("z"))) == items("z")
    assert is_empty(batcher)


# failures


@pytest.mark.parametrize("failing", [{3}, {0, 7}, {*range(8)}])
def test_of_a_batch_that_fails_only_the_culprits_do(failing: set[int], worker: Worker, made: Any) -> None:
    checks: list[int] = []
    batcher = made(most=8, check=lambda: checks.append(1))
    worker.failing = failing
    worker.may_prepare.clear()

    async def scene() -> dict[str, Any]:
        task = asyncio.create_task(batcher.run(items(*range(8))))
        worker.may_work.clear()
        worker.may_prepare.set()
        await until(lambda: len(worker.prepared) == 8)
        worker.may_work.set()
        return await task

    found = play(scene())
    assert {int(key) for key, outcome in found.items() if isinstance(outcome, RuntimeError)} == failing
    assert {int(key) for key, outcome in found.items() if outcome == int(key)} == {*range(8)} - failing
    assert checks == [1] * (len(failing) == 8)  # where any is done, the worker is sound
    assert play(batcher.run(items("next"))) == items("next")
    assert is_empty(batcher)


def test_a_wrong_number_of_results_is_a_failure(worker: Worker, made: Any) -> None:
    own = worker.work
    worker.work = lambda prepared: own(prepared)[: 1 if len(prepared) > 1 else None]  # type: ignore[method-assign]
    batcher = made(threads=8)
    assert play(batcher.run(items(*range(8)))) == items(*range(8))


def test_what_cannot_be_prepared_fails_alone(worker: Worker, made: Any) -> None:
    batcher = made()
    worker.unprepared = {2}
    found = play(batcher.run(items(1, 2, 3)))
    assert (found["1"], found["3"]) == (1, 3)
    assert isinstance(found["2"], ValueError)
    assert is_empty(batcher)


def stuck_ones(made: Any, **settings: Any) -> tuple[Batcher[Any, Any, Any], list[str]]:
    told: list[str] = []
    return made(on_stuck=told.append, **settings), told


@pytest.mark.parametrize("where", ["may_work", "may_prepare"])
def test_what_does_not_end_is_told_once_and_everybody_hears(
    where: str, worker: Worker, made: Any, caplog: Any
) -> None:
    def check() -> None:
        raise RuntimeError("and it is broken, too")

    batcher, told = stuck_ones(made, stuck_seconds=0.05, check=check)
    worker.failing = {*range(6)}
    getattr(worker, where).clear()

    async def scene() -> None:
        tasks = [asyncio.create_task(batcher.run(items(i), f"{i}")) for i in range(6)]
        for task in tasks:
            with pytest.raises(ServiceError, match=r"takes longer than 0\.05 s.*started again"):
                await task
        with pytest.raises(ServiceError, match="started again"):
            await batcher.run(items("late"))
        assert batcher.held == 0
        getattr(worker, where).set()
        await until(lambda: not batcher._begun)

    play(scene())
    assert told == ["one image or batch takes longer than 0.05 s"]
    assert [record.getMessage()[:7] for record in caplog.records if record.levelno == logging.CRITICAL][
        :1
    ] == ["nothing"]
    assert all(thread.daemon for thread in batcher._threads)  # or the process could not end


def test_what_takes_long_in_all_and_ends_again_and_again_is_not_stuck(worker: Worker, made: Any) -> None:
    batcher = made(stuck_seconds=0.2, most=1)
    own = worker.work

    def slow(prepared: Any) -> Any:
        threading.Event().wait(0.02)
        return own(prepared)

    batcher._work = slow

    async def scene() -> None:
        assert len(await batcher.run(items(*range(20)))) == 20
        await until(lambda: batcher._look_again is None)  # nobody looks where nothing is to be done

    play(scene())


def test_a_thread_that_dies_is_told(worker: Worker, made: Any, caplog: Any) -> None:
    batcher, told = stuck_ones(made)
    worker.error = SystemExit(3)
    with pytest.raises(ServiceError, match="a thread of it died"):
        play(batcher.run(items("x")))
    play(until(lambda: told))
    assert told == ["a thread of it died (SystemExit)"]
    assert {record.levelno for record in caplog.records} == {logging.CRITICAL}


def test_a_worker_that_fails_on_anything_is_told_one_that_fails_on_an_item_is_not(
    worker: Worker, made: Any
) -> None:
    def check() -> None:
        checks.append(1)
        if len(checks) > 1:
            raise RuntimeError("the device is gone")

    checks: list[int] = []
    batcher, told = stuck_ones(made, check=check)
    worker.failing = {"bad", "last"}
    assert isinstance(play(batcher.run(items("bad")))["bad"], RuntimeError)
    assert play(batcher.run(items("good"))) == items("good")
    assert (checks, told) == ([1], [])
    with pytest.raises(ServiceError, match="fails on all"):
        play(batcher.run(items("last")))
    play(until(lambda: told))
    assert told == ["it fails on all that it is given (RuntimeError)"]


def test_closing_ends_what_was_accepted_and_leaves_no_thread(worker: Worker, made: Any) -> None:
    before = len(own_threads())
    batcher = made()
    worker.may_work.clear()

    async def scene() -> None:
        task = asyncio.create_task(batcher.run(items(*range(20))))
        await until(worker.is_working.is_set)
        closing = asyncio.create_task(batcher.close(20))
        await asyncio.sleep(0)
        with pytest.raises(ServiceError, match="closing"):
            await batcher.run(items("late"))
        worker.may_work.set()
        assert await task == items(*range(20))
        await closing
        await batcher.close(20)

    play(scene())
    assert len(own_threads()) == before


def test_closing_refuses_what_does_not_end_in_time(worker: Worker, made: Any) -> None:
    before = len(own_threads())
    batcher = made()
    worker.may_work.clear()

    async def scene() -> None:
        task = asyncio.create_task(batcher.run(items(*range(20))))
        await until(worker.is_working.is_set)
        closing = asyncio.create_task(batcher.close(0.01))
        with pytest.raises(ServiceError, match="closing"):
            await task
        worker.may_work.set()
        await closing

    play(scene())
    assert len(own_threads()) == before
    assert is_empty(batcher)


# everything at once


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_each_item_ends_in_one_way_and_nothing_is_left(seed: int) -> None:
    """64 askers of 4 tenants, who leave when they like, items that fail, bounds that are reached."""
    draw = random.Random(seed)
    fate = {i: draw.choice(["good"] * 7 + ["bad", "fails"]) for i in range(60)}

    def prepare(item: int) -> int:
        if item % 5 == 0:
            threading.Event().wait(0.001)
        if fate[item] == "bad":
            raise ValueError(item)
        return item

    def work(prepared: Sequence[int]) -> list[int]:
        if not 1 <= len(prepared) <= 4 or len({item % 2 for item in prepared}) > 1:
            wrong.append(prepared)
        if any(fate[item] == "fails" for item in prepared):
            raise RuntimeError
        return [-item for item in prepared]

    ends: Counter[str] = Counter()
    told: list[str] = []
    wrong: list[Sequence[int]] = []
    batcher: Batcher[int, int, int] = Batcher(
        prepare,
        work,
        threads=3,
        most=4,
        queue=48,
        tenant_share=0.4,
        wait_seconds=0.02,
        stuck_seconds=20,
        on_stuck=told.append,
        shape=lambda item: item % 2,
    )

    async def ask(own: random.Random) -> None:
        for _ in range(8):
            wanted = {str(i): i for i in own.sample(range(60), own.randint(1, 6))}
            limit = own.choice([None, None, 0.001, 0.01])
            try:
                running = batcher.run(wanted, f"tenant {own.randint(0, 3)}")
                found = await asyncio.wait_for(running, limit)
            except (asyncio.TimeoutError, TimeoutError):
                ends["cancelled"] += len(wanted)
            except BusyError:
                ends["refused"] += len(wanted)
                await asyncio.sleep(0.001 * own.randint(1, 5))
            else:
                assert found.keys() == wanted.keys()
                for key, outcome in found.items():
                    kind = {ValueError: "bad", RuntimeError: "fails"}.get(type(outcome), "good")
                    assert kind == fate[int(key)]
                    assert kind != "good" or outcome == -int(key)
                    ends[kind] += 1
            asked[0] += len(wanted)
            assert batcher.held <= 48 and max(batcher._room.of_tenant.values(), default=0) <= 19

    async def scene() -> None:
        await asyncio.gather(*(ask(random.Random(64 * seed + i)) for i in range(64)))
        await until(lambda: is_empty(batcher))
        await batcher.close(1)

    asked = [0]
    play(scene())
    assert sum(ends.values()) == asked[0]
    assert min(ends[kind] for kind in ("good", "bad", "fails", "refused", "cancelled")) > 0
    assert (told, wrong) == ([], [])
