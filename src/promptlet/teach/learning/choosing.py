"""Which way of learning suits these photos: found by cross-validation where that costs about a minute.

Which methods are looked at, from how many photos on, and what it may cost are settings of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.errors import DataError, PromptletError
from promptlet.own_images.checking.classes import FEWEST
from promptlet.own_images.comparing.result import MethodSpec, label
from promptlet.own_images.comparing.run import compare
from promptlet.own_images.estimating.estimate import FEWER_FOLDS, zero_shot_accuracy
from promptlet.own_images.estimating.out_of_fold import OutOfFold
from promptlet.own_images.material import Material
from promptlet.teach.learning.settings import USUAL
from promptlet.training import EpochReport

LEARNERS: Final[tuple[str, ...]] = (USUAL, "coop", "kgcoop")
"""They learn a context in seconds and answer names that were never taught; the usual one first."""
NAMES_ALONE: Final = "zero_shot"
SECONDS: Final = 60.0
"""What all trainings of a comparison may take together, by what the first of them took."""
AT_MOST: Final = 1.5
"""Times that: others may be slower than the first."""
CHOSEN, FEW_PHOTOS, TOO_LONG, BEST, SMALLEST = "chosen", "few-photos", "too-long", "best", "smallest"
NAMES_BETTER, ONLY = "names-better", "only"
PARTS: Final = 100
"""Of a training, as progress counts it."""
Tell = Callable[[int, int, str], None]


class _TooLongError(BaseException):
    """The comparison takes longer than was thought; on its way out no error is forgiven."""


@dataclass(frozen=True)
class Choice:
    """method: the one to take. key, values: why, for pages in any language; words: the same as a sentence.
    answers: what it said of photos that it was not taught, where it was compared."""

    method: str
    key: str
    words: str
    values: dict[str, Any] = field(default_factory=dict)
    answers: OutOfFold | None = None


def asked_for(method: str) -> Choice:
    """The one that a person named."""
    return Choice(method, CHOSEN, f"You chose {method}.", {"method": method})


def too_few(material: Material) -> Choice | None:
    """The usual one, where a class has too few photos to compare on; None where all have enough."""
    counts = np.bincount(material.targets).tolist()
    count = min(counts)
    if count >= FEWEST:
        return None
    name = material.class_names[counts.index(count)]
    words = f"The usual way, {USUAL}: “{name}” has {_photos(count)}, ways are compared from {FEWEST} on."
    return Choice(USUAL, FEW_PHOTOS, words, {"class": name, "count": count, "needed": FEWEST})


def too_long(seconds: float) -> Choice | None:
    """The same, where so many seconds for one training are too many; None where they are not."""
    total = seconds * FEWER_FOLDS * len(LEARNERS)
    return _too_long(total) if total > SECONDS else None


def _too_long(total: float) -> Choice:
    words = (
        f"The usual way, {USUAL}: to compare {len(LEARNERS)} ways would have taken about {total:.0f} seconds "
        f"more, and at most {SECONDS:.0f} are spent on that."
    )
    values = {"ways": len(LEARNERS), "seconds": round(total), "most": round(SECONDS)}
    return Choice(USUAL, TOO_LONG, words, values)


def compared(
    classifier: PromptLearner,
    backbone: Backbone,
    material: Material,
    tell: Tell,
    limit: float = AT_MOST * SECONDS,
) -> Choice:
    """What cross-validation says. tell: called with (done, total, method) in each epoch; what it raises ends
    it. limit: seconds after which the usual one is taken."""
    said: dict[str, OutOfFold] = {}
    began, trained = monotonic(), [0]
    total = PARTS * FEWER_FOLDS * len(LEARNERS)

    def look(method: str, part: float = 0.0) -> None:
        if monotonic() - began > limit:
            raise _TooLongError
        tell(min(round(PARTS * (trained[0] + part)), total), total, method)

    def on_epoch(report: EpochReport) -> None:
        look(LEARNERS[min(trained[0] // FEWER_FOLDS, len(LEARNERS) - 1)], report.epoch / report.epochs)

    def on_progress(method: str, done: int, _folds: int) -> None:
        trained[0] = FEWER_FOLDS * LEARNERS.index(method) + done
        look(method)

    specs: Sequence[MethodSpec] = [(name, {}) for name in LEARNERS]
    try:
        found = compare(
            classifier,
            backbone,
            material,
            specs,
            on_progress=on_progress,
            on_epoch=on_epoch,
            on_answers=lambda spec, answers: said.update({label(spec): answers}),
        )
    except _TooLongError:
        return _too_long(limit)
    except DataError:  # all photos are copies of one another
        return Choice(USUAL, ONLY, f"The usual way, {USUAL}: these photos allow no comparison.")
    except PromptletError as error:
        return Choice(USUAL, ONLY, f"The usual way, {USUAL}: no way could be compared ({error}).")
    return _best(found.open_ or found.closed, said, backbone, material)


def _best(chosen: str, said: dict[str, OutOfFold], backbone: Backbone, material: Material) -> Choice:
    """The one that was recommended, or the names alone where all that learn are surely worse."""
    asked = said[chosen].asked
    images = int(asked.sum())
    right = {name: _right(answers, material) for name, answers in said.items()}
    others = {name: count for name, count in right.items() if name != chosen}
    values = {"method": chosen, "right": right[chosen], "images": images, "others": others}
    names_alone = zero_shot_accuracy(backbone, material, asked)
    most = max(right.values())
    if names_alone is not None and _are_surely_better(names_alone, most, images):
        values |= {"method": NAMES_ALONE, "right": round(names_alone * images / 100)}
        words = (
            f"The names of the classes alone are right on {values['right']} of {images} photos, every way of "
            f"learning on fewer (at most {most}): so nothing is learned but when to say “none of these”."
        )
        return Choice(NAMES_ALONE, NAMES_BETTER, words, {**values, "others": right})
    told = ", ".join(f"{name} {count}" for name, count in others.items())
    start = f"Of {images} photos that were held back, {chosen} was right on {right[chosen]}"
    start += f" ({told})" if told else ""
    if right[chosen] == most:
        return Choice(chosen, BEST, f"{start}: no other way was right more often.", values, said[chosen])
    words = f"{start}: the difference may be chance, and {chosen} makes the smallest file."
    return Choice(chosen, SMALLEST, words, values, said[chosen])


def _right(answers: OutOfFold, material: Material) -> int:
    asked = answers.asked
    return int((answers.predicted[asked] == material.targets[asked]).sum())


def _are_surely_better(names_alone: float, most: int, images: int) -> bool:
    from promptlet.evaluation.intervals import wilson

    return names_alone > wilson(most, images)[1]


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
