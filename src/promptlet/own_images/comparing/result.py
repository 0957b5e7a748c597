"""What a comparison of methods finds, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MethodSpec = tuple[str, Mapping[str, Any]]
"""A method by its name, and options of its own."""


def label(spec: MethodSpec) -> str:
    """A method with its options, as they are written: ``rlp:rank=2``."""
    name, options = spec
    return f"{name}:{','.join(f'{key}={value}' for key, value in options.items())}" if options else name


@dataclass(frozen=True)
class Compared:
    """One method on images that it was not taught.

    accuracy, low, high: in percent, with the interval of 95 % (Wilson, over photos). behind, behind_low,
    behind_high: percent that it is behind the best on the same images, with the paired interval of 95 %.
    seconds: of one training. bytes: of its prompt file, without what tells "none of these" and the record of
    the training. new_names: whether other names can be asked later. notes: what must be known of its numbers,
    as whose settings they are.
    """

    method: str
    options: Mapping[str, Any]
    accuracy: float
    low: float
    high: float
    behind: float
    behind_low: float
    behind_high: float
    seconds: float
    bytes: int
    trainable: int
    new_names: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """rows: the best first. closed: the one to take where these classes are all; open_: where other names
    will be asked; None where no method does that. failed: reasons by method. images, folds: that
    were asked."""

    rows: tuple[Compared, ...]
    closed: str
    open_: str | None
    failed: Mapping[str, str]
    images: int
    folds: int
    class_names: tuple[str, ...]
    majority: float
    seconds: float

    @property
    def recommendation(self) -> str:
        """One sentence."""
        if self.open_ is None:
            return f"take {self.closed}; it answers these classes alone"
        if self.closed == self.open_:
            return f"take {self.closed}, for these classes and for names asked later"
        return f"closed set (these classes alone): {self.closed}; to ask for new names later: {self.open_}"

    def facts(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        facts = asdict(self)
        facts["rows"] = [asdict(row) for row in self.rows]
        facts["open"] = facts.pop("open_")
        return {**facts, "recommendation": self.recommendation}
