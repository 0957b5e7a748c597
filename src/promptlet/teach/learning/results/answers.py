"""What was said of photos that were held back, kept beside the project for its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from promptlet.data.files import open_regular
from promptlet.errors import OptionError
from promptlet.own_images.estimating.out_of_fold import OutOfFold
from promptlet.own_images.material import Material
from promptlet.teach.learning.results.shapes import Answered
from promptlet.teach.projects import acts
from promptlet.teach.projects.places import ANSWERS

MOST_BYTES: Final = 1 << 28
DIGITS: Final = 5
"""Of a probability behind the point."""


@dataclass(frozen=True, eq=False)
class Answers:
    """images (N,): ids. targets (N,) and probabilities (N, C) are of classes as in class_names (C,). digest:
    of the prompt file that was trained with them."""

    digest: str
    class_names: tuple[str, ...]
    images: tuple[str, ...]
    targets: np.ndarray
    probabilities: np.ndarray


def answers_of(
    digest: str, class_names: tuple[str, ...], material: Material, said: OutOfFold, ids: dict[str, str]
) -> Answers:
    """Of those images that were asked about, and are known by their path. class_names: in the order to be
    told."""
    order = np.array([material.class_names.index(name) for name in class_names])
    place = np.argsort(order)
    rows = [row for row in np.flatnonzero(said.asked) if str(material.sources[row]) in ids]
    return Answers(
        digest,
        class_names,
        tuple(ids[str(material.sources[row])] for row in rows),
        place[material.targets[rows]],
        said.probabilities[rows][:, order],
    )


def write_answers(folder: Path, answers: Answers) -> None:
    """As JSON, which the zip of a project holds too. Raises OSError."""
    told = Answered(
        answers.digest,
        list(answers.class_names),
        list(answers.images),
        answers.targets.tolist(),
        np.round(answers.probabilities.astype(np.float64).clip(0.0, 1.0), DIGITS).tolist(),
    )
    acts.write(folder / ANSWERS, msgspec.json.encode(told))


def read_answers(folder: Path) -> Answers | None:
    """None where there are none, or what is there is damaged."""
    try:
        with open_regular(folder / ANSWERS) as file:
            return checked_answers(msgspec.json.decode(file.read(MOST_BYTES)))
    except (OSError, OptionError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def checked_answers(given: Any) -> Answers:
    """From plain values that came from anywhere. Raises OptionError for what cannot be right."""
    try:
        found = msgspec.convert(given, Answered)
    except msgspec.ValidationError as error:
        raise OptionError(f"these are no answers about photos ({error}); train again") from None
    images, classes = len(found.images), len(found.classes)
    if not images or len(found.targets) != images or len(found.probabilities) != images:
        raise OptionError("answers, photos and their classes are not as many; train again")
    if max(found.targets) >= classes or any(len(row) != classes for row in found.probabilities):
        raise OptionError("answers are not of as many classes as they name; train again")
    return Answers(
        found.digest,
        tuple(found.classes),
        tuple(found.images),
        np.array(found.targets, np.int64),
        np.array(found.probabilities, np.float32),
    )
