"""Runs in several processes of this machine. A process that dies takes one run with it, which is made again.

Each process has the whole `Workbench` in its memory: backbone, names of images, features.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from promptlet.data.items import Item
from promptlet.errors import EngineError, ImageError, why
from promptlet.protocols.engines.dispatch import Lost, dispatch
from promptlet.protocols.engines.inline import OnEvent
from promptlet.protocols.engines.outcome import Record, attempt
from promptlet.protocols.engines.temporary import bytes_of_features, no_room, temporary_folder
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.execution import Workbench
from promptlet.session import cores
from promptlet.views import Views

IN_A_FILE = "a method of your own must stand in a file that can be imported, or take the engine inline"


STARTED = "started"
"""What a worker says first."""


def run_in_processes(
    runs: Sequence[Run], bench: Workbench, on_event: OnEvent | None = None, workers: int | None = None
) -> None:
    """Bring every run into the bench's store by ``workers`` processes (None: one per processor, or per GPU;
    one for a GPU that was asked for by its number, and for Apple's).

    Images are encoded here first, once for all. A script that calls this needs the usual
    ``if __name__ == "__main__":``, since the processes are spawned.
    """
    with temporary_folder(bytes_of_features(runs, bench)) as place:
        encode_here(runs, bench)
        device = str(bench.features.backbone.device)
        cards = _cards(device)
        count = min(workers or _most(device, cards), len(runs)) or 1
        with _pool(bench, place, count, cards) as pool:
            dispatch(runs, pool, bench.store, on_event)


def encode_here(runs: Sequence[Run], bench: Workbench) -> None:
    """Fill the bench's features. Images that cannot be read are left out: the runs that need them say so."""
    missing = [run for run in runs if not bench.store.is_done(run.key)]
    for (name, views), items in bench.wanted(missing).items():
        try:
            _encode_in_parts(bench, name, list(items), views)
        except Exception:  # a full memory, say: the runs will tell, each with its reason
            continue


def _encode_in_parts(bench: Workbench, name: str, items: Sequence[Item], views: Views) -> None:
    """Those that can be read: a part with one that cannot is halved."""
    try:
        bench.features.of(bench.datasets[name], items, views)
    except ImageError:
        middle = len(items) // 2
        for part in (items[:middle], items[middle:]) if middle else ():
            _encode_in_parts(bench, name, part, views)


@contextmanager
def _pool(bench: Workbench, place: Path, workers: int, cards: Sequence[str]) -> Iterator[_Processes]:
    """The bench travels in a file: what a pipe cannot hold blocks when a worker dies before it reads."""
    file = place / "bench"
    packed = _packed(bench)
    try:
        file.write_bytes(packed)
    except OSError as error:
        raise no_room(place.parent, why(error)) from error
    pool = _Processes(file, workers, cards)
    try:
        yield pool
    finally:
        pool.close()


def _packed(bench: Workbench) -> bytes:
    try:
        return pickle.dumps(bench)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise EngineError(
            f"workers cannot be given what runs are made with ({error}); {IN_A_FILE}"
        ) from error


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    run: Run | None = None
    has_started: bool = False


@dataclass
class _Processes:
    """Spawned when there is a run for them. cards: GPUs that they take turns at; number: spawned so far."""

    bench: Path
    workers: int
    cards: Sequence[str] = ()
    idle: list[_Worker] = field(default_factory=list)
    busy: dict[Any, _Worker] = field(default_factory=dict)
    number: int = 0

    def is_free(self) -> bool:
        return len(self.busy) < self.workers

    def start(self, run: Run) -> None:
        worker = self.idle.pop() if self.idle else self._spawn()
        worker.run = run
        try:
            worker.connection.send(run)
        except OSError:  # it died idle
            worker.process.join()
            worker.connection.close()
            self.start(run)
            return
        self.busy[worker.connection] = worker

    def next(self) -> tuple[Run, Record | Lost]:
        while True:
            connection = wait(list(self.busy))[0]
            worker = self.busy[connection]
            assert worker.run is not None
            try:
                record: Record | str = worker.connection.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                del self.busy[connection]
                worker.process.join()
                worker.connection.close()
                return worker.run, _lost(worker)
            if not isinstance(record, str):
                del self.busy[connection]
                self.idle.append(worker)
                return worker.run, record
            worker.has_started = True

    def close(self) -> None:
        """End all processes, whatever they are at."""
        for worker in [*self.idle, *self.busy.values()]:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()

    def _spawn(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        card = self.cards[self.number % len(self.cards)] if self.cards else None
        about = (self.bench, theirs, max(1, cores() // self.workers), card)
        process = context.Process(target=_serve, args=about, daemon=True, name=f"promptlet-{self.number}")
        try:
            with _interrupts_ignored():  # Ctrl-C is for this process, which then ends the others
                process.start()
        except OSError as error:
            raise EngineError(
                f"no worker process can be started ({error.strerror}); give fewer workers, or engine inline"
            ) from error
        finally:
            theirs.close()  # so that its death is noticed
        self.number += 1
        return _Worker(process, ours)


def _serve(bench: Path, connection: Connection, threads: int, card: str | None) -> None:
    """A worker: make the runs that come, until there is nobody to send them."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if card is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
    opened: list[Workbench] = []

    def execute(run: Run) -> Record:
        if not opened:
            opened.append(_open(bench, threads))
        return opened[0].execute(run)

    connection.send(STARTED)
    while True:
        try:
            run = connection.recv()
        except EOFError:
            return
        connection.send(attempt(run, execute))


def _open(bench: Path, threads: int) -> Workbench:
    import torch

    torch.set_num_threads(threads)
    try:
        opened: Workbench = pickle.loads(bench.read_bytes())
    except (AttributeError, ImportError) as error:
        raise EngineError(f"a worker cannot open what runs are made with ({error}); {IN_A_FILE}") from error
    return opened


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process that is started inside ignores Ctrl-C from its first moment."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _lost(worker: _Worker) -> Lost:
    """What is told of a worker that died. Raises EngineError for one that ended itself before it started:
    so would the next."""
    code = worker.process.exitcode
    if not worker.has_started and code is not None and code > 0:
        raise EngineError(
            f"worker processes do not start (they end with code {code}, and say why above). A script that "
            'uses processes needs `if __name__ == "__main__":` around what it does, and must be a file, not '
            "standard input; or take the engine inline"
        )
    return Lost(_how_it_died(code))


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else str(-code)
        return f"its process was ended by {name}" + (", as when memory is full" if name == "SIGKILL" else "")
    return f"its process ended with code {code}"


def _cards(device: str) -> list[str]:
    """The GPUs that workers take turns at, as ``CUDA_VISIBLE_DEVICES`` calls them: all that are visible where
    the device is "cuda", which is "cuda:0" too. None for any other: a CPU, or a card after the first, which
    was asked for by its number."""
    if device not in ("cuda", "cuda:0"):
        return []
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]


def _most(device: str, cards: Sequence[str]) -> int:
    """How many workers there are where nobody says."""
    return len(cards) or (cores() if device == "cpu" else 1)
