"""What a check finds, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNREADABLE, TWO_CLASSES, LEAK, COPIES = "unreadable", "two_classes", "leak", "copies"
DOUBTFUL = "doubtful_label"
ALIKE_NAME, NAME, UNKNOWN_NAME = "alike_name", "name", "unknown_name"
FEW, IMBALANCE = "few_images", "imbalance"
UNIFORM, TINY, ASPECT = "uniform", "tiny", "aspect"
KINDS = {
    UNREADABLE: "images that cannot be read",
    TWO_CLASSES: "photos that are in two classes",
    LEAK: "photos that are in two parts (train, val, test)",
    COPIES: "photos that are there more than once",
    DOUBTFUL: "images whose label deserves a look",
    ALIKE_NAME: "class names that the backbone reads as another",
    NAME: "class names that are no words",
    UNKNOWN_NAME: "class names that tell the backbone little",
    FEW: "classes with few images",
    IMBALANCE: "classes of very different size",
    UNIFORM: "images of nearly one colour",
    TINY: "tiny images",
    ASPECT: "images much longer than wide, or wider than long",
}
"""What is found, the gravest first, and what each is called."""
BYTES, PIXELS, NEARLY = "the same file", "the same pixels", "nearly the same"


@dataclass(frozen=True)
class Photo:
    """One labelled image. source: what opens it, or its features. name: its path as it is told, relative to
    the data. part: train, val or test."""

    source: Any
    name: str
    part: str
    class_name: str


@dataclass(frozen=True)
class Finding:
    """One thing that deserves a look.

    kind: one of `KINDS`. text: a sentence. photos: those it is about. class_names: those it is about.
    how: of copies, `BYTES`, `PIXELS` or `NEARLY` (saved again, resized, mirrored). said: of a doubtful label,
    the class that other images suggest; score: how probable its
    label is beside that class, 0 (surely wrong) to 1.
    """

    kind: str
    text: str
    photos: tuple[Photo, ...] = ()
    class_names: tuple[str, ...] = ()
    how: str = ""
    said: str = ""
    score: float | None = None

    def facts(self) -> dict[str, Any]:
        """Plain values, for JSON; what does not apply is left out."""
        photos = [
            {"path": photo.name, "part": photo.part, "class_name": photo.class_name} for photo in self.photos
        ]
        facts = {
            "kind": self.kind,
            "text": self.text,
            "images": photos,
            "class_names": list(self.class_names),
            "how": self.how,
            "suggested": self.said,
            "score": None if self.score is None else round(self.score, 4),
        }
        return {key: value for key, value in facts.items() if value not in ("", [], None)}


@dataclass(frozen=True)
class Findings:
    """All findings about N photos of C classes.

    asked: how many images had their label compared with what the others suggest; 0 where that was not done.
    notes: what its reader should know, as sentences.
    """

    photos: tuple[Photo, ...]
    class_names: tuple[str, ...]
    found: tuple[Finding, ...]
    backbone: str | None = None
    asked: int = 0
    notes: tuple[str, ...] = ()

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Those of one kind."""
        return tuple(finding for finding in self.found if finding.kind == kind)

    def counts(self) -> dict[str, int]:
        """How many there are of each kind that there is, the gravest first."""
        return {kind: len(self.of(kind)) for kind in KINDS if self.of(kind)}

    def facts(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "images": len(self.photos),
            "classes": len(self.class_names),
            "backbone": self.backbone,
            "labels_compared": self.asked,
            "counts": self.counts(),
            "findings": [finding.facts() for finding in self.found],
            "notes": list(self.notes),
        }


def in_order(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The gravest kinds first; within one kind as they are given."""
    order = list(KINDS)
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))
