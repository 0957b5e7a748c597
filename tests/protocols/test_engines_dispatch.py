"""Runs given to workers: each once, again when its worker is lost, and never while another has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from test_protocols_runs import RUN, SOURCED
from test_protocols_store import HOLD, done

from promptlet.errors import OptionError
from promptlet.protocols import RunStore
from promptlet.protocols.engines import Engine
from promptlet.protocols.engines.dispatch import MOST_LOSSES, Lost, dispatch
from promptlet.protocols.engines.outcome import attempt
from promptlet.protocols.records.runs import Run

RUNS = [replace(RUN, seed=seed) for seed in range(5)]
TARGETS = [replace(SOURCED, dataset=name) for name in ("a", "b", "c")]
OTHER_TRAINING = replace(SOURCED, dataset="a", seed=2)


@dataclass
class Workers:
    """Workers in this thread: the run that was started last is finished first."""

    count: int = 2
    outcome: Callable[[Run], Any] = done
    started: list[str] = field(default_factory=list)
    busy: list[Run] = field(default_factory=list)
    together: list[set[str]] = field(default_factory=list)

    def is_free(self) -> bool:
        return len(self.busy) < self.count

    def start(self, run: Run) -> None:
        self.busy.append(run)
        self.started.append(run.key)
        assert len(self.busy) <= self.count

    def next(self) -> tuple[Run, Any]:
        self.together.append({run.key for run in self.busy})
        run = self.busy.pop()
        return run, self.outcome(run)


def test_every_run_once_and_as_many_at_once_as_there_are_workers(tmp_path: Path) -> None:
    workers, store, events = Workers(3), RunStore(tmp_path), []
    dispatch(RUNS, workers, store, lambda what, run, record: events.append((what, run.key)))
    assert workers.started == [run.key for run in RUNS] and max(map(len, workers.together)) == 3
    assert all(store.is_done(run.key) for run in RUNS)
    for what in ("start", "done"):
        assert sorted(key for told, key in events if told == what) == sorted(run.key for run in RUNS)
    assert [run["key"] for run in store.read_plans()] == [run.key for run in RUNS]


def test_what_is_there_is_kept_and_what_failed_is_made_again(tmp_path: Path) -> None:
    store, events = RunStore(tmp_path), []
    store.write(RUNS[0].key, done(RUNS[0]))
    store.write(RUNS[1].key, attempt(RUNS[1], lambda run: 1 / 0))  # type: ignore[arg-type,return-value]
    workers = Workers()
    dispatch(RUNS[:2], workers, store, lambda what, run, record: events.append(what))
    assert workers.started == [RUNS[1].key] and events == ["kept", "start", "done"]


def test_a_run_is_made_again_when_its_worker_is_lost(tmp_path: Path) -> None:
    losses = [Lost("struck by lightning")] * (MOST_LOSSES - 1)
    workers = Workers(outcome=lambda run: losses.pop() if run is RUNS[1] and losses else done(run))
    store, lost = RunStore(tmp_path), []
    dispatch(RUNS, workers, store, lambda what, run, record: lost.append(record) if what == "lost" else None)
    assert all(store.is_done(run.key) for run in RUNS) and lost == [{"reason": "struck by lightning"}] * 2
    assert [workers.started.count(run.key) for run in RUNS] == [1, MOST_LOSSES, 1, 1, 1]


def test_a_run_that_kills_every_worker_fails_and_the_others_go_on(tmp_path: Path) -> None:
    workers = Workers(outcome=lambda run: Lost("out of memory") if run is RUNS[0] else done(run))
    store = RunStore(tmp_path)
    dispatch(RUNS, workers, store)
    record = store.read(RUNS[0].key)
    assert record is not None and record["status"] == "failed"
    assert record["reason"] == "3 workers were lost with it; the last one: out of memory"
    assert workers.started.count(RUNS[0].key) == 3 and all(store.is_done(run.key) for run in RUNS[1:])


def test_runs_wait_for_a_training_that_another_is_at(tmp_path: Path) -> None:
    workers = Workers(3)
    dispatch([*TARGETS, OTHER_TRAINING], workers, RunStore(tmp_path))
    first, *followers = (run.key for run in TARGETS)
    assert workers.together[0] == {first, OTHER_TRAINING.key}  # one of each training
    assert set(followers) in workers.together  # together, once it is there


def test_a_training_that_failed_is_tried_by_one_run_at_a_time(tmp_path: Path) -> None:
    workers = Workers(3, outcome=lambda run: attempt(run, lambda run: 1 / 0))  # type: ignore[arg-type,return-value]
    dispatch(TARGETS, workers, RunStore(tmp_path))
    assert workers.together == [{run.key} for run in TARGETS]


@pytest.mark.slow
def test_a_run_that_another_process_has_is_waited_for(tmp_path: Path) -> None:
    until_told = HOLD.replace("time.sleep(60)", "sys.stdin.readline()")
    command = [sys.executable, "-c", until_told, str(tmp_path), RUN.key]
    events: list[tuple[str, int]] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline() == "True\n"

        def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
            events.append((what, run.seed))
            if what == "elsewhere":
                holder.stdin.write("enough\n")
                holder.stdin.flush()

        dispatch([RUN, replace(RUN, seed=2)], Workers(), RunStore(tmp_path), on_event)
    assert events == [("start", 2), ("done", 2), ("elsewhere", 1), ("start", 1), ("done", 1)]


@pytest.mark.slow
def test_claims_are_held_while_a_run_is_under_way_and_freed_by_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD.replace("60", "0"), str(tmp_path), RUN.key]

    def ours() -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def interrupted(run: Run) -> Any:
        assert ours() == "False"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dispatch([RUN], Workers(outcome=interrupted), RunStore(tmp_path))
    assert ours() == "True"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "cluster"}, "engine='cluster' is not known; allowed: inline, processes, ray"),
        (
            {"name": "inline", "workers": 2},
            "workers are 1 or more, and go with the engines processes and ray",
        ),
        ({"name": "processes", "workers": 0}, "workers=0"),
        ({"name": "processes", "address": "auto"}, "goes with the engine ray alone, not with 'processes'"),
    ],
)
def test_engines_that_cannot_be_asked_for(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Engine(**given)
