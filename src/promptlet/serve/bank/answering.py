"""One image, or a few, and a thousand prompts: all answers within the time of encoding one image.

The products of prompts whose classifier is a matrix go into blocks of prompts with equally many classes,
and the softmax of a block is taken at once. What is said of probabilities is that of
`promptlet.classifier.answers.deciding`, and "none of these" that of `promptlet.classifier.rejection`, as
everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch

from promptlet.backbones.arithmetic.unit import unit
from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.classifier.rejection import checked, scores_of_directions, threshold_of
from promptlet.errors import AnswerError, OptionError
from promptlet.methods.inputs import BATCH
from promptlet.methods.sound import LARGEST, check_logits
from promptlet.serve.bank.answerers import Answerer, FailedError, Matrix
from promptlet.session import own_arithmetic

_logger = logging.getLogger("promptlet.serve")
Told = OptionError | FailedError | list[Answer | AnswerError]
"""What a prompt says of each image, or why it says nothing at all."""
BLOCK = 1 << 22
"""Logits in a block: 16 MiB."""


@own_arithmetic()
def answer_each(answerers: Sequence[Answerer], features: np.ndarray, rule: Rule) -> list[Told]:
    """What each prompt says of each image, (prompts, images), of image features (B, D) of whatever length.

    What could not be answered is in its place: an OptionError where a prompt cannot follow the rule, an
    AnswerError where its answer to one image is no number, a FailedError where it failed as nobody expected.
    """
    given = np.asarray(features, np.float32)
    x = unit(torch.from_numpy(given if given.flags.writeable else given.copy()))
    directions = x.numpy()
    found: list[Told] = [[] for _ in answerers]
    for place, answered in _probabilities(answerers, x):
        one = answerers[place]
        try:
            found[place] = _decided(one, *answered(), directions, rule)
        except OptionError as error:
            found[place] = error
        except Exception as error:  # of one prompt, which must not cost the others
            _logger.error("the prompt %r cannot answer", one.prompt, exc_info=error)
            found[place] = FailedError()
    return found


def _decided(
    one: Answerer,
    probabilities: np.ndarray,
    problems: Sequence[AnswerError | None],
    directions: Matrix,
    rule: Rule,
) -> list[Answer | AnswerError]:
    accepted = _accepted(one, directions, rule)
    return [
        decide("", p, one.names, rule, is_accepted) if problem is None else problem
        for p, is_accepted, problem in zip(probabilities, accepted, problems, strict=True)
    ]


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


Probabilities = Callable[[], tuple[np.ndarray, Sequence[AnswerError | None]]]
"""Of a prompt (B, C), and what is no number of it (B)."""


def _probabilities(answerers: Sequence[Answerer], x: torch.Tensor) -> Iterator[tuple[int, Probabilities]]:
    """Of each, by its place."""
    by_size: dict[tuple[int, float, float], list[int]] = {}
    for place, one in enumerate(answerers):
        if one.matrix is None:
            yield place, partial(_scored, one, x)
        else:
            by_size.setdefault((len(one.names), one.scale, one.bias), []).append(place)
    for (size, scale, bias), places in by_size.items():
        scaled = (scale * x).numpy()
        step = max(1, BLOCK // (size * max(1, len(x))))
        for begin in range(0, len(places), step):
            yield from _block(answerers, places[begin : begin + step], scaled, bias)


def _block(
    answerers: Sequence[Answerer], places: Sequence[int], scaled: np.ndarray, bias: float
) -> Iterator[tuple[int, Probabilities]]:
    """Of prompts with equally many classes."""
    logits = np.empty((len(places), len(scaled), len(answerers[places[0]].names)), np.float32)
    for row, place in enumerate(places):
        matrix = answerers[place].matrix
        assert matrix is not None
        np.matmul(scaled, matrix.T, out=logits[row])
    logits += np.float32(bias)
    sound = np.all(np.abs(logits) <= LARGEST, axis=-1)
    told = torch.from_numpy(logits).softmax(-1).numpy()
    for row, place in enumerate(places):
        yield place, partial(_of_block, told[row], logits[row], bool(sound[row].all()))


def _of_block(
    told: np.ndarray, logits: np.ndarray, is_sound: bool
) -> tuple[np.ndarray, Sequence[AnswerError | None]]:
    return told, [None] * len(told) if is_sound else _problems(torch.from_numpy(logits))


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
