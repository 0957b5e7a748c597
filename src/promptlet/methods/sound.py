"""Answers that are numbers: the one place where logits that mean nothing are refused.

They come of a damaged prompt file without a digest, or of a backbone whose weights, logit scale or image mean
are not finite or absurdly large. Without this rule the first class would be the answer to everything.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from promptlet.errors import AnswerError

LARGEST = 1e6  # beyond any logit that means something: CLIP's lie within -100 and 100
ADVICE = (
    "What was learned, or the backbone, is damaged or wrong: take a sound copy of the prompt file and of the "
    "model; train again if that does not help"
)


def check_logits(logits: Tensor) -> Tensor:
    """``logits`` (B, C) as they are. Raises AnswerError where rows are not finite or beyond `LARGEST`."""
    sound = (logits.abs() <= LARGEST).all(dim=-1)  # NaN is not below anything
    if bool(sound.all()):
        return logits
    rows = (~sound).nonzero().flatten().tolist()
    row = logits[rows[0]]
    worst = row[~(row.abs() <= LARGEST)][0].item()
    raise AnswerError(
        f"{len(rows)} of {len(logits)} answers are no numbers to go by: a logit is {worst:.3g}, and sound "
        f"ones lie within {LARGEST:,.0f}. {ADVICE}",
        rows=rows,
    )


def check_features(features: Tensor, class_names: tuple[str, ...]) -> Tensor:
    """Normalised class features (C, D) as they are. Raises AnswerError where one is not of length 1."""
    lengths = features.float().norm(dim=-1)
    sound = (lengths - 1).abs() <= 0.1  # also where the dtype is a rough one
    if bool(sound.all()):
        return features
    row = int((~sound).nonzero()[0])
    raise AnswerError(
        f"the features of class {class_names[row]!r} have length {lengths[row].item():.3g}, not 1. {ADVICE}",
        rows=[row],
    )


@torch.no_grad()
def check_scorer(score: Callable[[Tensor], Tensor], width: int, device: torch.device) -> None:
    """Ask for the logits of one made-up feature (1, D), so that what refuses every image does so before any.

    Raises AnswerError.
    """
    probe = torch.full((1, width), width**-0.5, dtype=torch.float32, device=device)
    check_logits(score(probe).float())
