"""What a search found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Hit:
    """An image. path: as it lies below the folder that was given. score: higher is more alike; scores of one
    query alone can be compared."""

    path: str
    score: float


@dataclass(frozen=True)
class Results:
    """hits: the best first. images: how many were looked at. missing: images that are gone since they were
    indexed, and would be among the hits. notes: what is to be told. told: of how many of the hits are right,
    in a part of a sentence, where that is known."""

    query: str
    hits: tuple[Hit, ...]
    images: int
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    told: str = ""

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
        }
