"""Who is told how far a classifier is: its user's own functions, a bar, the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from promptlet.progress import Bars, shown
from promptlet.training import EpochReport

OnEncode = Callable[[int, int], None]
OnEpoch = Callable[[EpochReport], None]


@dataclass(frozen=True)
class Watch:
    """Tells ``bars``, and the functions that its user gave."""

    bars: Bars
    own_encode: OnEncode | None
    own_epoch: OnEpoch | None

    def on_encode(self, done: int, total: int) -> None:
        """So many images of all are encoded."""
        self.bars.show("encoding", done, total)
        if self.own_encode is not None:
            self.own_encode(done, total)

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch is done."""
        self.bars.show("training", report.epoch, report.epochs, f"loss {report.loss:.3f}")
        if self.own_epoch is not None:
            self.own_epoch(report)


@contextmanager
def watched(verbose: bool | None, on_encode: OnEncode | None, on_epoch: OnEpoch | None) -> Iterator[Watch]:
    """For the time of a block. Who gives functions of their own sees no bar beside them, unless asked for."""
    has_own = on_encode is not None or on_epoch is not None
    with shown(False if verbose is None and has_own else verbose) as bars:
        yield Watch(bars, on_encode, on_epoch)
