"""The plain engine: one run after the other in this process, leaving out what is done or being done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from promptlet.protocols.engines.outcome import Record, attempt, failure, settled
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore

OnEvent = Callable[[str, Run, dict[str, Any]], None]


def run_inline(
    runs: Sequence[Run],
    execute: Callable[[Run], Record],
    store: RunStore,
    on_event: OnEvent | None = None,
) -> None:
    """Bring every run into ``store``. A run that fails is recorded with its reason, and the others go on.

    on_event(what, run, record): ``start``, ``done``, ``failed``, ``kept`` (it was there), ``elsewhere``
    (another process has it; waited for at the end). Engines with workers also tell ``lost`` (the worker was,
    and the run is made again) and ``waiting`` (for a worker), with a ``reason``.
    """
    tell = on_event or (lambda *_: None)
    store.check_writable()
    store.write_plan([run.describe() for run in runs])
    elsewhere = [run for run in runs if not _bring(run, execute, store, tell, wait=False)]
    for run in elsewhere:
        tell("elsewhere", run, {})
    for run in elsewhere:
        _bring(run, execute, store, tell, wait=True)


def _bring(run: Run, execute: Callable[[Run], Record], store: RunStore, tell: OnEvent, wait: bool) -> bool:
    """Whether the run was dealt with: False when another process has it."""
    with store.claim(run.key, wait) as ours:
        if not ours:
            return False
        if told_as_it_is(run, store, tell):
            return True
        tell("start", run, {})
        record = settled(run, attempt(run, execute), store)
        tell(str(record["status"]), run, record)
    return True


def told_as_it_is(run: Run, store: RunStore, tell: OnEvent) -> bool:
    """Whether there is nothing to make: the run is done, or what lies in its place must not be replaced."""
    record = store.read(run.key)
    if record is not None and record["status"] == "done":
        tell("kept", run, record)
        return True
    reason = store.in_the_way(run.key)
    if reason:
        tell("failed", run, failure(run, reason))
    return bool(reason)
