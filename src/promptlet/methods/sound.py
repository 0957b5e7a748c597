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
    check = Soundness()
    check.see(logits)
    check.end()
    return logits


class Soundness:
    """The same of logits that come some rows at a time: what was seen, and of it what is no number."""

    def __init__(self) -> None:
        self.seen = 0
        self.rows: list[int] = []
        self.worst = 0.0

    def see(self, logits: Tensor) -> None:
        """Look at the next rows (n, C)."""
        sound = (logits.abs() <= LARGEST).all(dim=-1)  # NaN is not below anything
        if not bool(sound.all()):
            rows = (~sound).nonzero().flatten().tolist()
            if not self.rows:
                row = logits[rows[0]]
                self.worst = row[~(row.abs() <= LARGEST)][0].item()
            self.rows += [self.seen + row for row in rows]
        self.seen += len(logits)

    def end(self) -> None:
        """Raise AnswerError where one is not finite or beyond `LARGEST`."""
        if self.rows:
            raise AnswerError(
                f"{len(self.rows)} of {self.seen} answers are no numbers to go by: a logit is "
                f"{self.worst:.3g}, and sound ones lie within {LARGEST:,.0f}. {ADVICE}",
                rows=self.rows,
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
