"""What engines with workers share: who makes which run, when, and what happens when a worker is lost.

This process holds the claims and writes the records; workers only compute. So a run is in the store once,
whole, and whoever kills a worker, a node or this process loses the runs under way and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from promptlet.protocols.engines.inline import OnEvent, told_as_it_is
from promptlet.protocols.engines.outcome import Record, failure, settled
from promptlet.protocols.records.measures import TRANSFERS
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore

MOST_LOSSES = 3
"""A run that was lost with so many workers failed: it may be what kills them."""


@dataclass(frozen=True)
class Lost:
    """A worker was lost with its run."""

    reason: str


class Pool(Protocol):
    """Workers, each with one run at a time."""

    def is_free(self) -> bool:
        """Whether a worker waits for a run."""

    def start(self, run: Run) -> None:
        """Give a run to a worker."""

    def next(self) -> tuple[Run, Record | Lost]:
        """Wait until a run is finished, or lost."""


def dispatch(runs: Sequence[Run], pool: Pool, store: RunStore, on_event: OnEvent | None = None) -> None:
    """Bring every run into ``store`` by the workers of ``pool``; events as `run_inline` tells them."""
    tell = on_event or (lambda *_: None)
    store.check_writable()
    store.write_plan([run.describe() for run in runs])
    desk = _Desk(pool, store, tell)
    try:
        elsewhere = desk.work(runs)
        for run in elsewhere:
            tell("elsewhere", run, {})
        for run in elsewhere:
            desk.work([run], wait=True)
    finally:
        desk.let_go()


@dataclass
class _UnderWay:
    run: Run
    claim: ExitStack
    losses: int = 0


@dataclass
class _Desk:
    """Which runs are under way, and which trainings are there for runs that wait for them."""

    pool: Pool
    store: RunStore
    tell: OnEvent
    under_way: dict[str, _UnderWay] = field(default_factory=dict)
    trained: set[str] = field(default_factory=set)

    def work(self, runs: Sequence[Run], wait: bool = False) -> list[Run]:
        """Deal with all of ``runs``; those that another process has are given back, unless we ``wait``."""
        waiting, elsewhere = list(runs), []
        while waiting or self.under_way:
            while self.pool.is_free() and (run := self._ready(waiting)) is not None:
                waiting.remove(run)
                if not self._begin(run, wait):
                    elsewhere.append(run)
            if self.under_way:
                self._finish(*self.pool.next())
        return elsewhere

    def let_go(self) -> None:
        """Free the claims of what is under way."""
        for job in self.under_way.values():
            job.claim.close()
        self.under_way.clear()

    def _ready(self, waiting: Sequence[Run]) -> Run | None:
        """The first run whose training nobody is at: the others wait for that, and then share it."""
        busy = {training_of(job.run) for job in self.under_way.values()} - self.trained - {None}
        return next((run for run in waiting if training_of(run) not in busy), None)

    def _begin(self, run: Run, wait: bool) -> bool:
        """Whether the run was dealt with or begun: False when another process has it."""
        claim = ExitStack()
        if not claim.enter_context(self.store.claim(run.key, wait)):
            claim.close()
            return False
        if told_as_it_is(run, self.store, self.tell):
            claim.close()
            if self.store.is_done(run.key):
                self._note_training(run)
            return True
        self.under_way[run.key] = _UnderWay(run, claim)
        self.tell("start", run, {})
        self.pool.start(run)
        return True

    def _finish(self, run: Run, outcome: Record | Lost) -> None:
        job = self.under_way[run.key]
        if isinstance(outcome, Lost):
            job.losses += 1
            if job.losses < MOST_LOSSES:
                self.tell("lost", run, {"reason": outcome.reason})
                self.pool.start(run)
                return
            outcome = failure(run, f"{job.losses} workers were lost with it; the last one: {outcome.reason}")
        outcome = settled(run, outcome, self.store)
        self.tell(str(outcome["status"]), run, outcome)
        del self.under_way[run.key]
        job.claim.close()
        if outcome["status"] == "done":
            self._note_training(run)

    def _note_training(self, run: Run) -> None:
        training = training_of(run)
        if training is not None:
            self.trained.add(training)


def training_of(run: Run) -> str | None:
    """What a run's training is kept under for other runs; None where it serves this run alone."""
    return run.training_key if run.protocol in TRANSFERS else None
