"""Two paths of one step, engine and plain, timed in turns in one process, and how far they agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from benchmarks import machine, steps

ENGINE, PLAIN = "engine", "plain"


class Step(Protocol):
    """A step by one of the paths: what it computes, and its gradient. seconds: of its calls so far."""

    path: str
    seconds: list[float]

    def __call__(self) -> tuple[Tensor, Tensor]: ...


def in_turns(
    ready: Sequence[Step],
    rounds: int,
    device: str,
    progress: Callable[[str], None],
    repeats: Mapping[str, int] | None = None,
    after_round: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, Any]]:
    """Best, median and number of the repeats, by path. repeats: calls of a path in one turn; 1 without."""
    for turn in range(rounds):
        progress(f"round {turn + 1} of {rounds}")
        for step in ready:
            step.seconds += [
                machine.seconds_of(step, device) for _ in range((repeats or {}).get(step.path, 1))
            ]
        after_round()
    return {step.path: steps.spread(step.seconds) for step in ready}


def compared(
    rows: Mapping[str, Mapping[str, Any]], outputs: Mapping[str, tuple[Tensor, Tensor]], what: str
) -> dict[str, float]:
    """How much faster the engine is, and how far apart ``what`` and the gradients are."""
    (found, gradient), (plain, plain_gradient) = outputs[ENGINE], outputs[PLAIN]
    return {
        "speedup_median": rows[PLAIN]["median_s"] / rows[ENGINE]["median_s"],
        "speedup_best": rows[PLAIN]["best_s"] / rows[ENGINE]["best_s"],
        f"{what}_max_abs_difference": float((found - plain).abs().max()),
        "gradient_relative_difference": float((gradient - plain_gradient).norm() / plain_gradient.norm()),
    }


def with_memory_ratio(rows: Sequence[dict[str, Any]]) -> None:
    """Write the plain path's memory over the engine's into the engine's row; ``rows``: of both, in order."""
    rows[0]["memory_ratio"] = rows[1]["step_bytes"] / max(1, rows[0]["step_bytes"])


def of(what: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    """Progress in which each word is of ``what``."""
    return lambda words: progress(f"{what}, {words}")
