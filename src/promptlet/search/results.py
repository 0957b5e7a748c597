"""What a search found, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Hit:
    """An image. path: as it lies below the folder that was given. score: higher is more alike; scores of one
    query alone can be compared."""

    path: str
    score: float


@dataclass(frozen=True)
class Told:
    """asked: the share of the hits that is right, at least. threshold: the lowest score of a hit, None
    without any. others: labelled images of other things, which tell it. best: the highest share that they
    tell of any number of the best images, and of how many."""

    asked: float
    threshold: float | None
    others: int
    best: tuple[float, int]


@dataclass(frozen=True)
class Results:
    """hits: the best first. images: how many were looked at. missing: images that are gone since they were
    indexed, and would be among the hits. notes: what is to be told. precision: where how many of the
    hits are right was asked for; ``told`` says it in a part of a sentence."""

    query: str
    hits: tuple[Hit, ...]
    images: int
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    precision: Told | None = None

    @property
    def told(self) -> str:
        """How many of the hits are right, as far as it is known; "" where it is not."""
        if self.precision is None or not self.hits:
            return ""
        return f"about {100 * self.precision.asked:g} % of them right, or more"

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "query": self.query,
            "images": self.images,
            "results": [
                {"rank": rank + 1, "path": hit.path, "score": hit.score} for rank, hit in enumerate(self.hits)
            ],
            "missing": list(self.missing),
            "notes": list(self.notes),
            **({} if self.precision is None else {"precision": asdict(self.precision)}),
        }
