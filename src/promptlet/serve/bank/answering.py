"""One image, or a few, and a thousand prompts: all answers within the time of encoding one image.

The products of prompts whose classifier is a matrix go into blocks of prompts with equally many classes,
and the softmax of a block is taken at once. What is said of probabilities is that of
`promptlet.classifier.answers.deciding`, and "none of these" that of `promptlet.classifier.rejection`, as
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from promptlet.backbones.arithmetic.unit import unit
from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.classifier.rejection import checked, scores_of_directions, threshold_of
from promptlet.errors import AnswerError, OptionError
from promptlet.methods.inputs import BATCH
from promptlet.methods.sound import LARGEST, check_logits
from promptlet.serve.bank.answerers import Answerer, Matrix
from promptlet.session import own_arithmetic

BLOCK = 1 << 22
"""Logits in a block: 16 MiB."""


@own_arithmetic()
def answer_each(
    answerers: Sequence[Answerer], features: np.ndarray, rule: Rule
) -> list[OptionError | list[Answer | AnswerError]]:
    """What each prompt says of each image, (prompts, images), of image features (B, D) of whatever length.

    What could not be answered is in its place: an OptionError where a prompt cannot follow the rule, an
    AnswerError where its answer to one image is no number.
    """
    given = np.asarray(features, np.float32)
    x = unit(torch.from_numpy(given if given.flags.writeable else given.copy()))
    directions = x.numpy()
    found: list[OptionError | list[Answer | AnswerError]] = [[] for _ in answerers]
    for place, probabilities, sound in _probabilities(answerers, x):
        try:
            accepted = _accepted(answerers[place], directions, rule)
        except OptionError as error:
            found[place] = error
            continue
        names = answerers[place].names
        found[place] = [
            decide("", p, names, rule, is_accepted) if problem is None else problem
            for p, is_accepted, problem in zip(probabilities, accepted, sound, strict=True)
        ]
    return found


def _accepted(one: Answerer, directions: Matrix, rule: Rule) -> list[bool]:
    """Which images (B) are like its own. Raises OptionError where it cannot tell."""
    if rule.accept is None or rule.accept is False:
        return [True] * len(directions)
    if one.no_rejection:
        raise OptionError(one.no_rejection)
    rejection = checked(one.rejection)
    threshold = threshold_of(rejection, rule.accept)
    accepted: list[bool] = (scores_of_directions(rejection, directions, one.rows) >= threshold).tolist()
    return accepted


Probabilities = tuple[int, np.ndarray, Sequence[AnswerError | None]]
"""Place of the prompt, its probabilities (B, C), and what is no number of it (B)."""


def _probabilities(answerers: Sequence[Answerer], x: torch.Tensor) -> Iterator[Probabilities]:
    by_size: dict[tuple[int, float, float], list[int]] = {}
    for place, one in enumerate(answerers):
        if one.matrix is None:
            yield place, *_scored(one, x)
        else:
            by_size.setdefault((len(one.names), one.scale, one.bias), []).append(place)
    for (size, scale, bias), places in by_size.items():
        scaled = (scale * x).numpy()
        step = max(1, BLOCK // (size * max(1, len(x))))
        for begin in range(0, len(places), step):
            yield from _block(answerers, places[begin : begin + step], scaled, bias)


def _block(
    answerers: Sequence[Answerer], places: Sequence[int], scaled: np.ndarray, bias: float
) -> Iterator[Probabilities]:
    """Of prompts with equally many classes."""
    logits = np.empty((len(places), len(scaled), len(answerers[places[0]].names)), np.float32)
    for row, place in enumerate(places):
        matrix = answerers[place].matrix
        assert matrix is not None
        np.matmul(scaled, matrix.T, out=logits[row])
    logits += np.float32(bias)
    sound = np.all(np.abs(logits) <= LARGEST, axis=-1)
    told = torch.from_numpy(logits).softmax(-1).numpy()
    fine = [None] * len(scaled)
    for row, place in enumerate(places):
        yield place, told[row], fine if sound[row].all() else _problems(torch.from_numpy(logits[row]))


def _scored(one: Answerer, x: torch.Tensor) -> tuple[np.ndarray, Sequence[AnswerError | None]]:
    """Of a prompt that is more than a matrix, some images at a time as everywhere."""
    parts = (
        [one.score(some) for some in torch.split(x, BATCH)] if len(x) else [x.new_zeros(0, len(one.names))]
    )
    logits = torch.cat(parts)
    return logits.softmax(-1).numpy(), _problems(logits)


def _problems(logits: torch.Tensor) -> list[AnswerError | None]:
    found: list[AnswerError | None] = []
    for row in logits:
        try:
            check_logits(row[None])
        except AnswerError as error:
            found.append(error)
        else:
            found.append(None)
    return found
