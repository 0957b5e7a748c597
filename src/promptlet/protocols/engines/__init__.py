"""Engines: where runs are made. Each brings every run of a list into a store, once, and tells what happens.

inline       one after the other in this process
processes    several processes of this machine
ray          tasks of a Ray cluster, on one machine or many (extra ``ray``)

The records do not say which engine made them, since the numbers do not depend on it beyond rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptlet.errors import OptionError, check_option
from promptlet.numbers import check_number
from promptlet.protocols.engines.inline import OnEvent, run_inline
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.execution import Workbench
from promptlet.protocols.run.fitting import OnEpoch

ENGINES = ("inline", "processes", "ray")


@dataclass(frozen=True)
class Engine:
    """A choice of engine. workers: how many runs at once; None lets the engine count processors or GPUs.

    address: of a Ray cluster, ``host:port`` or ``auto``; None starts one on this machine.
    """

    name: str = "inline"
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        check_option("engine", self.name, ENGINES)
        check_number("workers", self.workers)
        if self.workers is not None and self.name == "inline":
            raise OptionError(
                f"workers={self.workers} with engine {self.name!r}: workers are 1 or more, and go with the "
                "engines processes and ray"
            )
        if self.address is not None and self.name != "ray":
            raise OptionError(
                f"address={self.address!r} goes with the engine ray alone, not with {self.name!r}"
            )

    def run(
        self,
        runs: Sequence[Run],
        bench: Workbench,
        on_event: OnEvent | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        """Bring every run into ``bench.store``; see `run_inline` for the events.

        on_epoch: called while the inline engine trains. Raises PromptletError where the engine cannot start;
        a run that fails is recorded with its reason.
        """
        if self.name == "inline":
            run_inline(runs, lambda run: bench.execute(run, on_epoch), bench.store, on_event)
        elif self.name == "processes":
            from promptlet.protocols.engines.processes import run_in_processes

            run_in_processes(runs, bench, on_event, self.workers)
        else:
            from promptlet.protocols.engines.ray.tasks import run_on_ray

            run_on_ray(runs, bench, on_event, self.workers, self.address)


__all__ = ["ENGINES", "Engine", "OnEvent", "run_inline"]
