"""Runs as tasks of a Ray cluster; a task that is lost with its worker or node is started again.

Every node needs Promptlet and the backbone, by the name that was given, and sees images at the same paths.
Features, trained prompts and records travel by themselves: no folder is shared.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlet.errors import EngineError
from promptlet.protocols.engines.dispatch import Lost, dispatch, training_of
from promptlet.protocols.engines.inline import OnEvent
from promptlet.protocols.engines.outcome import Record, attempt, failure
from promptlet.protocols.engines.ray.cluster import check_head, cluster, head_of, last_line, silence
from promptlet.protocols.engines.temporary import bytes_of_features, temporary_folder
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore
from promptlet.protocols.run.execution import Workbench
from promptlet.protocols.run.trained import leave_training, take_training

if TYPE_CHECKING:
    import torch

LOOK = 5.0
"""Seconds after which it is looked whether the head of the cluster is there."""
PATIENCE = 30.0
"""Seconds without a finished run after which it is told that the cluster has no room."""
ROOM = 64 * 2**20
"""Bytes of temporary files that a cluster started here needs at the least."""
Training = tuple[bytes, bytes]


def run_on_ray(
    runs: Sequence[Run],
    bench: Workbench,
    on_event: OnEvent | None = None,
    workers: int | None = None,
    address: str | None = None,
) -> None:
    """Bring every run into the bench's store by tasks of the cluster at ``address`` (None: one started here).

    workers: tasks at once; None means one per processor of the cluster, or per GPU where the backbone is on
    one. Raises EngineError for an address that does not answer and for a GPU by its number, MissingExtraError
    without Ray.
    """
    check_card(bench.features.backbone.device)
    from promptlet.protocols.engines.ray.features import encode_on_ray

    needed = bytes_of_features(runs, bench) + (ROOM if address is None else 0)
    with temporary_folder(needed) as place, cluster(address, place) as ray:
        _send_code_of(ray, bench)
        on_gpu = bench.features.backbone.device.type == "cuda"
        with silence():
            encode_on_ray(ray, runs, bench, on_gpu)
        pool = _Tasks(ray, bench, on_event or (lambda *_: None), workers, on_gpu, str(place))
        dispatch(runs, pool, bench.store, on_event)


def check_card(device: torch.device) -> None:
    """Raise EngineError for another GPU than the first: a worker is given one by Ray, and sees no other."""
    if device.type == "cuda" and device.index:
        raise EngineError(
            f"device {device} with the engine ray: each run is given a free GPU of the cluster; "
            "give --device cuda"
        )


def _send_code_of(ray: Any, bench: Workbench) -> None:
    """Let the files of methods that are not Promptlet's own travel with them: no node needs to have them."""
    for method, _ in bench.methods:
        module = sys.modules.get(method.__module__)
        if module is not None and module.__name__ != "__main__":  # the others always travel
            ray.cloudpickle.register_pickle_by_value(module)


@dataclass
class _Tasks:
    """Runs as tasks, at most as many at once as the cluster has room for."""

    ray: Any
    bench: Workbench
    tell: Callable[[str, Run, dict[str, Any]], None]
    workers: int | None
    on_gpu: bool
    place: str
    under_way: dict[Any, Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needs: dict[str, Any] = {"num_gpus": 1} if self.on_gpu else {"num_cpus": 1}
        self.task = self.ray.remote(**needs, max_retries=0)(_task)
        self.put = self.ray.put(self.bench)
        self.head = head_of(self.ray)

    def is_free(self) -> bool:
        return len(self.under_way) < (self.workers or max(1, self._room()))

    def start(self, run: Run) -> None:
        key = training_of(run)
        training = None if key is None else take_training(self.bench.store, key)
        self.under_way[self.task.remote([self.put], run, training, str(Path.cwd()), self.place)] = run

    def next(self) -> tuple[Run, Record | Lost]:
        reference = self._wait()
        run = self.under_way.pop(reference)
        try:
            record, training = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:  # before or after the run itself
            return run, failure(run, last_line(str(error)), str(error))
        except self.ray.exceptions.RayError as error:
            return run, Lost(f"{type(error).__name__}: {_first_sentence(error)}")
        key = training_of(run)
        if key is not None and training is not None:
            leave_training(self.bench.store, key, training)
        return run, record

    def _wait(self) -> Any:
        look = 0
        while True:
            look += 1
            with silence():
                ready, _ = self.ray.wait(list(self.under_way), num_returns=1, timeout=LOOK)
            if ready:
                return ready[0]
            check_head(self.head)
            if look % (PATIENCE // LOOK) == 0 and self._room() < 1:
                what = "GPU" if self.on_gpu else "processor"
                reason = f"the cluster has no {what} any more; add a node, or stop and run this again"
                self.tell("waiting", next(iter(self.under_way.values())), {"reason": reason})

    def _room(self) -> int:
        check_head(self.head)
        return int(self.ray.cluster_resources().get("GPU" if self.on_gpu else "CPU", 0))


_opened: dict[str, Workbench] = {}


def _task(
    put: list[Any], run: Run, training: Training | None, folder: str, place: str
) -> tuple[Record, Training | None]:
    """In a worker: the record of ``run``, and the training that it has left for other runs. place: the
    folder for temporary ones, where it is there: it goes with the command, whatever ends the worker."""
    key = training_of(run)
    own = place if Path(place).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="promptlet-", dir=own, ignore_cleanup_errors=True) as drafts:
        store = RunStore(drafts)
        if key is not None and training is not None:
            leave_training(store, key, training)
        record = attempt(run, lambda run: replace(_open(put, folder), store=store).execute(run))
        return record, None if key is None else take_training(store, key)


def _open(put: list[Any], folder: str) -> Workbench:
    """The bench, once in each worker; relative paths start where the command was given."""
    import ray

    name = put[0].hex()
    if name not in _opened:
        if Path(folder).is_dir():
            os.chdir(folder)
        _opened.clear()
        try:
            _opened[name] = ray.get(put[0])
        except ray.exceptions.RaySystemError as error:  # what unpickling raised, as text
            raise EngineError(
                f"a node of the cluster cannot open what runs are made with: {last_line(str(error))}"
            ) from None
    return _opened[name]


def _first_sentence(error: BaseException) -> str:
    return " ".join(str(error).split()).partition(". ")[0][:200]
