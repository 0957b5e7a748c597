"""What a fit is given: a folder of JPEGs per class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks import models, photos


@dataclass(frozen=True)
class Photos:
    """classes x shots JPEGs of ``size`` (width, height); bytes: of all files."""

    folder: Path
    classes: int
    shots: int
    size: tuple[int, int]
    bytes: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.classes * self.shots


def make_photos(folder: Path, classes: int, shots: int, size: tuple[int, int]) -> Photos:
    """Drawn pictures (`photos.jpeg`), each another."""
    written = 0
    for number, name in enumerate(models.class_names(classes)):
        place = folder / name.replace("/", " ")
        place.mkdir(parents=True)
        for shot in range(shots):
            data = photos.jpeg(*size, seed=number * shots + shot)
            (place / f"{shot:03d}.jpg").write_bytes(data)
            written += len(data)
    return Photos(folder, classes, shots, size, written)
