"""Whether a coarser copy of an image tower answers a person's own images as the exact one does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptlet.data.images.opening import raise_together
from promptlet.data.items import clean_class_name
from promptlet.decoding.ahead import decoders
from promptlet.decoding.pixels import View, batches
from promptlet.errors import DataError, ExportError, ImageError
from promptlet.export.agreement import Run, difference
from promptlet.exported import Vectors
from promptlet.own_images.finding import Finder
from promptlet.preprocessing.spec import ImageSpec
from promptlet.runtime.arithmetic import Numbers

BATCH = 16
LEAST_AGREEMENT = 98.0
"""Percent: one answer of fifty may change."""
LEAST_IMAGES, MOST_IMAGES = 50, 1000
"""That are measured. From fewer, such a share cannot be told; of more, so many are taken, evenly."""
NO_CLASS = -2
CALIBRATING = 64
"""Images, at most a quarter of all, from which the ranges of a fixed quantisation are taken."""


@dataclass(frozen=True)
class Verdict:
    """same: of so many ``images`` the likeliest class stays; accuracy: percent of those ``labelled``, exact
    and coarse, or None; largest: difference of a feature; kind: how it was quantised, in words."""

    kind: str
    images: int
    same: int
    largest: float
    labelled: int = 0
    accuracy: tuple[float, float] | None = None

    @property
    def agreement(self) -> float:
        """Percent of the images whose likeliest class stays: 57 of 100 are 57, to the last bit."""
        return 100 * self.same / self.images

    def __str__(self) -> str:
        exact, coarse = self.accuracy or (0.0, 0.0)
        told = f"; accuracy {exact:.1f} % before, {coarse:.1f} % after" if self.accuracy else ""
        return (
            f"the likeliest class stays the same for {self.same:,} of {self.images:,} images, "
            f"{self.agreement:.1f} %{told}"
        )


@dataclass(frozen=True)
class OwnImages:
    """Paths of images, in an even order, and the row of the class of each: -1 where it is not known."""

    paths: tuple[str, ...]
    rows: tuple[int, ...]

    def parts(self, calibrating: bool) -> tuple[OwnImages, OwnImages]:
        """Those for the ranges of a quantisation, and those that are measured."""
        count = min(CALIBRATING, len(self.paths) // 4) if calibrating else 0
        return (
            OwnImages(self.paths[:count], self.rows[:count]),
            OwnImages(self.paths[count:], self.rows[count:]),
        )

    def pixels(self, spec: ImageSpec) -> Iterator[tuple[list[int], Numbers]]:
        """Rows of classes, and pixel values (B, 3, H, W). Raises ImageError for what cannot be read."""
        errors: list[ImageError] = []
        rows = dict(zip(self.paths, self.rows, strict=True))
        views = [View(path, path, "", 0) for path in self.paths]
        with decoders() as pool:
            for some, pixels in batches(pool, views, spec, BATCH, False, errors):
                yield [rows[view.name] for view in some], pixels
        raise_together(errors)


def own_images(given: str | Path | Sequence[str | Path], vectors: Vectors) -> OwnImages:
    """The images of a folder and of all folders in it, or those of a list. An image's class is known where
    its folder is called as one.

    Raises DataError for fewer than `LEAST_IMAGES`.
    """
    texts = [str(given)] if isinstance(given, str | Path) else [str(one) for one in given]
    found = Finder().find(texts)
    if found.errors:
        raise DataError(next(iter(found.errors.values())))
    if len(found.paths) < LEAST_IMAGES:
        raise DataError(
            f"{texts[0] if len(texts) == 1 else 'images'}: {len(found.paths)} images are too few to tell how "
            f"many answers change; give {LEAST_IMAGES} or more, of your own and not only those that taught "
            "the prompt"
        )
    steps = np.linspace(0, len(found.paths) - 1, min(MOST_IMAGES, len(found.paths)))
    chosen = [found.paths[int(step)] for step in steps]
    order = np.random.default_rng(0).permutation(len(chosen))  # both parts are of all classes
    known = {_key(name): row for row, name in enumerate(vectors.names)}
    paths = tuple(chosen[i] for i in order)
    return OwnImages(paths, tuple(known.get(_key(Path(path).parent.name), -1) for path in paths))


def measured(exact: Run, coarse: Run, images: OwnImages, vectors: Vectors, kind: str) -> Verdict:
    """Ask both about the same images."""
    answers: list[tuple[int, int, int]] = []
    largest = 0.0
    for rows, pixels in images.pixels(_spec(vectors)):
        one, other = exact(pixels), coarse(pixels)
        largest = max(largest, difference(other, one))
        best = [_likeliest(features, vectors) for features in (one, other)]
        answers += zip(rows, *best, strict=True)
    labels, before, after = (np.array(column) for column in zip(*answers, strict=True))
    known = labels >= 0
    accuracy = None
    if known.any():
        right = [100 * float((found == labels)[known].mean()) for found in (before, after)]
        accuracy = right[0], right[1]
    same = int((before == after).sum())
    return Verdict(kind, len(labels), same, largest, int(known.sum()), accuracy)


def _likeliest(features: Numbers, vectors: Vectors) -> list[int]:
    """Rows of classes; what are no numbers have a class of their own, which is none."""
    are_numbers = np.isfinite(features).all(axis=1)
    found: list[int] = np.where(are_numbers, (features @ vectors.classes.T).argmax(axis=1), NO_CLASS).tolist()
    return found


def check(verdict: Verdict, precision: str, least: float) -> None:
    """Raise ExportError where fewer answers stay than are to."""
    if verdict.agreement < least:
        raise ExportError(
            f"{precision} changes too many answers, so nothing was exported: {verdict} ({verdict.kind}), and "
            f"{least:g} % are asked for. Export --precision fp16, or accept it: --least-agreement "
            f"{np.floor(verdict.agreement):g}"
        )


def _spec(vectors: Vectors) -> ImageSpec:
    assert vectors.preprocessing is not None  # of a backbone with an image tower
    return vectors.preprocessing


def _key(name: str) -> str:
    return clean_class_name(name).casefold()
