"""What a trained method answers, over its own class names or others, and under each rule for new names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptlet.errors import AnswerError, ImageError
from promptlet.methods import Method
from promptlet.methods.inputs import Inputs, of_logits
from promptlet.methods.method import FEATURES
from promptlet.methods.new_names import answering_by
from promptlet.methods.sound import check_features, check_scorer
from promptlet.methods.text_prompt import TextPrompt

Scorer = Callable[[Tensor], Tensor]
KEPT = 8
"""Scorers that are kept: one for each set of names and rule asked for lately."""


def probabilities(logits: Tensor) -> Tensor:
    """(n, C)."""
    return logits.softmax(-1)


def answered(
    what: Callable[[Tensor], Tensor],
    score: Scorer,
    inputs: Inputs,
    sources: Sequence[Any],
    device: torch.device,
    on_progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """What is made of the logits of all inputs: `probabilities` (N, C), or `likeliest` (N,).

    Raises ImageError that names the image whose answer is no number, AnswerError where that is true of all.
    """
    try:
        return of_logits(what, score, inputs, device, on_progress).cpu().numpy()
    except AnswerError as error:
        if len(error.rows) == len(sources) > 1:
            raise
        source = sources[error.rows[0]]
        name = source if isinstance(source, str | Path) else f"image {error.rows[0]}"
        raise ImageError(f"{name}: {error}") from error


class Answers:
    """A trained method, with the scorers that it was asked for; the method is always left as it was."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self._own_names = method.class_names
        self._scorers: dict[tuple[str | None, ...], Scorer] = {}

    def scorer(self, names: tuple[str, ...], new_names: str | None) -> Scorer:
        """From features (B, D), or images, to logits (B, C) of ``names``.

        Raises AnswerError where no answer would be a number.
        """
        key = (*names, new_names)
        if key not in self._scorers:
            if len(self._scorers) >= KEPT:
                self._scorers.clear()
            with self._over(names, new_names):
                score = self.method.scorer()
            if self.method.info.reads == FEATURES:
                check_scorer(score, self.method.backbone.feature_dim, self.method.backbone.device)
            self._scorers[key] = score
        return self._scorers[key]

    def class_features(self, names: tuple[str, ...]) -> Tensor:
        """Normalised class features (C, D), without gradient. Raises AnswerError where they are none."""
        with self._over(names), torch.no_grad():
            return check_features(self.method.class_features(), names)

    def untaught(self, names: tuple[str, ...]) -> list[str]:
        """Those that were not taught, where there is a choice how they are answered."""
        method = self.method
        if not isinstance(method, TextPrompt) or method.taught is None:
            return []
        with self._over(names):
            return [name for name, known in zip(names, method.is_taught(), strict=True) if not known]

    def choose(self, new_names: str) -> None:
        """Another rule for untaught names from now on. Raises OptionError where there is no choice."""
        with answering_by(self.method, new_names):
            chosen = self.method.new_names
        self.method.new_names = chosen
        self._scorers.clear()

    @contextmanager
    def _over(self, names: tuple[str, ...], new_names: str | None = None) -> Iterator[None]:
        self.method.set_classes(names)
        try:
            with nullcontext() if new_names is None else answering_by(self.method, new_names):
                yield
        finally:
            self.method.set_classes(self._own_names)
