"""Whether it can be told how many of the hits are right, and what is told; else the reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptlet.errors import DataError, OptionError, shown
from promptlet.search.precision.counting import FAR, keep, unlike
from promptlet.search.precision.teaching import Taught
from promptlet.search.query import Query
from promptlet.search.results import Told


@dataclass(frozen=True, eq=False)
class Judged:
    """rows: the images that are kept, the best first. notes: what is to be told beside."""

    rows: np.ndarray
    told: Told
    notes: tuple[str, ...]


def check(
    query: Query, precision: float | None, taught: str | Path | None, nothing_else: bool = False
) -> None:
    """Raise OptionError where a precision is asked for that nothing can tell."""
    if precision is None:
        if nothing_else:
            raise OptionError("nothing_else is about the precision of a class: give that, or leave it out")
        if taught is not None:
            raise OptionError(
                "labelled images tell how many of the hits are right: give a precision with them"
            )
        return
    if isinstance(precision, bool) or not 0.0 < precision < 1.0:
        hint = f"; for {precision:g} % give {precision / 100:g}" if 1.0 <= precision < 100.0 else ""
        raise OptionError(f"precision={shown(precision)} must be a share between 0 and 1, such as 0.9{hint}")
    rest = (*query.words, *query.images, *query.not_words, *query.not_images)
    if len(query.classes) != 1 or rest:
        raise OptionError(
            "how many of the hits are right is told for one class of a prompt alone: labelled images say "
            "nothing of words and other images; ask for FILE:CLASS and nothing else, or leave the "
            "precision out"
        )
    if taught is None:
        raise OptionError(
            "a prompt file does not hold how other images score; give the images that taught the prompt, "
            "which tell it: --taught DATA"
        )


def judge(scores: np.ndarray, taught: Taught, precision: float, folder: str, data: str) -> Judged:
    """What labelled images tell of the scores (N,) of a folder. Raises DataError where its images are of
    another kind than the labelled ones."""
    times = unlike(scores, taught.own, taught.kinds)
    if times > FAR:
        raise DataError(
            f"how many of the hits are right cannot be told: {folder} holds images of another kind than the "
            f"labelled ones ({times:.1f} times as many have middling scores). Put some hundred of its photos "
            f"that show none of the prompt's classes into {data}, as a class of their own, or leave the "
            "precision out"
        )
    kept = keep(scores, taught.kinds, precision)
    told = Told(precision, kept.threshold, taught.others, kept.best)
    return Judged(kept.rows, told, () if len(kept.rows) else (_why_none(told, len(scores)),))


def _why_none(told: Told, images: int) -> str:
    share, count = told.best
    if not share:
        return (
            f"no image is kept: {told.others:,} labelled images of other things tell of no number of the "
            f"best of {images:,} images that any is right. There may be none; more labelled images tell more"
        )
    return (
        f"no image is kept: of the {count:,} best, {told.others:,} labelled images of other things tell that "
        f"{100 * share:.0f} % are right, and of no other number more. More labelled images tell more"
    )
