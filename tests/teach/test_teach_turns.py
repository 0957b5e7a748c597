"""Trainings wait for one another, are cancelled at once, and tell how they end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from promptlet.errors import TrainingError
from promptlet.teach.learning import turns as module
from promptlet.teach.learning.job import ENDED, Job, Stopped
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.learning.turns import NO_MEMORY, UNEXPECTED, Turns

SOON = 20.0


class Work:
    """Goes on until it is let go, and looks at its job now and then."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.order: list[str] = []
        self.saved: list[str] = []
        self.step = 0.01
        self.error: BaseException | None = None

    def __call__(self, job: Job) -> None:
        self.order.append(job.project)
        while not self.let_go.wait(self.step):
            job.tell("training", 1, 2)
        if self.error is not None:
            raise self.error
        with job.saving():
            self.saved.append(job.project)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def turns(work: Work, told: list[tuple[str, str]]) -> Iterator[Turns]:
    made = Turns(work, lambda job: told.append((job.project, job.state)))
    yield made
    work.let_go.set()
    made.close(SOON)


def running(job: Job) -> None:
    until = monotonic() + SOON
    while job.stage != "training" and monotonic() < until:
        threading.Event().wait(0.005)
    assert job.state == "running"


def test_two_wait_for_one_another(turns: Turns, work: Work, told: list[Any]) -> None:
    first, second = turns.add("a", {}), turns.add("b", {})
    running(first)
    assert (first.state, second.state) == ("running", "waiting")
    work.let_go.set()
    assert first.over.wait(SOON) and second.over.wait(SOON)
    assert work.order == work.saved == ["a", "b"]
    assert [state for project, state in dict.fromkeys(told) if project == "b"] == [
        "waiting",
        "running",
        "done",
    ]
    assert turns.of("a") is first and first.facts()["state"] == "done"


def test_a_project_is_trained_once_at_a_time(turns: Turns, work: Work) -> None:
    first = turns.add("a", {})
    with pytest.raises(NotNowError, match="being trained already"):
        turns.add("a", {})
    work.let_go.set()
    assert first.over.wait(SOON)
    assert turns.add("a", {}).over.wait(SOON)


def test_one_that_waits_is_cancelled_before_it_begins(turns: Turns, work: Work) -> None:
    first, second, third = (turns.add(name, {}) for name in "abc")
    running(first)
    assert turns.cancel("b") is second and second.state == "cancelled"
    work.let_go.set()
    assert third.over.wait(SOON) and work.order == ["a", "c"]
    assert turns.cancel("b") is turns.cancel("a") is turns.cancel("nobody") is None


def test_one_that_runs_ends_at_its_next_word(
    turns: Turns, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", SOON)
    job = turns.add("a", {})
    running(job)
    began = monotonic()
    turns.cancel("a")
    assert job.state == "cancelled" and monotonic() - began < SOON / 2
    assert job.facts()["error"] is None and not work.saved


def test_one_that_does_not_look_is_told_as_cancelled_and_saves_nothing(
    turns: Turns, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    work.step = 30.0  # a long step, in which nobody looks
    job = turns.add("a", {})
    until = monotonic() + SOON
    while job.state != "running" and monotonic() < until:
        threading.Event().wait(0.005)
    turns.cancel("a")
    assert job.state == "cancelled"
    again = turns.add("a", {})  # it waits for what still computes
    work.let_go.set()
    assert again.over.wait(SOON)
    assert work.saved == ["a"] and job.state == "cancelled" and again.state == "done"


def test_what_is_being_saved_is_not_cancelled(told: list[Any]) -> None:
    saving, go_on = threading.Event(), threading.Event()

    def work(job: Job) -> None:
        with job.saving():
            saving.set()
            go_on.wait(SOON)

    turns = Turns(work, lambda _job: None)
    job = turns.add("a", {})
    assert saving.wait(SOON)
    cancel = threading.Thread(target=turns.cancel, args=("a",))
    cancel.start()
    go_on.set()
    cancel.join(SOON)
    assert job.over.wait(SOON) and job.state == "done"
    turns.close(SOON)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrainingError("the loss is no number; take a smaller lr"), "the loss is no number"),
        (MemoryError(), NO_MEMORY),
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("a secret of the inside"), UNEXPECTED),
        (KeyboardInterrupt(), UNEXPECTED),
    ],
)
def test_what_fails_says_so_and_the_next_one_has_its_turn(
    turns: Turns, work: Work, error: BaseException, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    work.error = error
    work.let_go.set()
    job = turns.add("a", {})
    assert job.over.wait(SOON) and job.state == "failed" and words in str(job.error)
    assert "secret" not in str(job.error)
    assert ("a secret" in caplog.text) == isinstance(error, RuntimeError)
    work.error = None
    again = turns.add("a", {})
    assert again.over.wait(SOON) and again.state == "done"


def test_a_server_that_ends_cancels_all(work: Work) -> None:
    turns = Turns(work, lambda _job: None)
    jobs = [turns.add(name, {}) for name in "ab"]
    running(jobs[0])
    began = monotonic()
    turns.close(SOON)
    assert monotonic() - began < SOON / 2 and all(job.state in ENDED for job in jobs) and not work.saved
    with pytest.raises(NotNowError, match="being stopped"):
        turns.add("c", {})


@pytest.mark.skipif(sys.platform != "linux", reason="threads of a process compute alike")
def test_trainings_compute_behind_who_asks() -> None:
    found: list[int] = []

    def work(_job: Job) -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    turns = Turns(work, lambda _job: None)
    assert turns.add("a", {}).over.wait(SOON)
    turns.close(SOON)
    assert found[0] > os.getpriority(os.PRIO_PROCESS, 0) or found[0] == 19


def test_seconds_left_follow_from_what_is_done() -> None:
    job = Job("a", {})
    assert job.facts()["seconds_left"] is None
    job.begin()
    job.tell("training", 0, 10)
    assert job.seconds_left is None
    job.after = 5.0
    threading.Event().wait(0.02)
    job.tell("training", 5, 10)
    assert job.seconds_left is not None and 5.0 <= job.seconds_left < 6.0
    job.end("done")
    assert job.seconds_left is None


def test_few_words_are_told_of_one_stage_and_the_first_and_last_always() -> None:
    told: list[tuple[str, int]] = []
    job = Job("a", {}, lambda job: told.append((job.stage, job.done)))
    job.begin()
    for done in range(1, 101):
        job.tell("training", done, 100)
    job.tell("checking", 0, 5)
    assert told[0] == ("looking", 0) and ("training", 1) in told and ("training", 100) in told
    assert told[-1] == ("checking", 0) and len(told) < 30
    job.stop(0.0)
    with pytest.raises(Stopped):
        job.tell("checking", 1, 5)
    assert not issubclass(Stopped, Exception)
