"""Where recipes are tried: validation problems of the beds; and, once at the end, the test parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.validation import Bed, Problem, beds
from promptlet.data import base_new, sample_shots

MEANINGLESS = ("realclip/oxford_flowers",)
"""The student's text tower does not know these names."""


class Draw(NamedTuple):
    """One problem of a bed: ``shots`` images a class drawn by ``seed``; a fold of the base classes, or
    "test"."""

    shots: int
    fold: int | str
    seed: int


STAGES: dict[str, tuple[Draw, ...]] = {
    "search": (Draw(16, 0, 11), Draw(8, 1, 12)),
    "confirm": tuple(
        Draw(shots, fold, seed) for shots, seed in ((16, 13), (8, 14), (8, 15), (4, 16)) for fold in (0, 1)
    ),
    "test": tuple(Draw(shots, "test", seed) for shots, seed in ((16, 1), (8, 2), (8, 3))),
}
"""Recipes are tried on the first, the rule is applied to the second, the third is looked at once."""


def every_bed(realbed: Path | None, realclip: Path | None, only: str = "") -> Iterator[Bed]:
    """Beds of the folders, where given, and all embedded ones, if their name begins with ``only``."""
    for one, other, group in ((realbed, realclip, None), (None, None, "mini"), (None, None, "mini-harder")):
        for bed in beds(one, other, group):
            if bed.name not in MEANINGLESS and bed.name.startswith(only):
                yield bed


def problem_of(bed: Bed, draw: Draw) -> Problem:
    """On validation images and classes unless ``draw`` asks for the test parts."""
    if draw.fold != "test":
        return bed.problem(int(draw.fold), draw.seed, shots=draw.shots)
    split = replace(bed.content.split, val=bed.content.split.test)
    base, new = base_new(replace(sample_shots(split, draw.shots, draw.seed, "coop"), val=split.test))
    count = len(base.class_names)
    rows = [item.row for item in (*base.val, *new.val)]
    labels = [item.label for item in base.val] + [item.label + count for item in new.val]
    return Problem(
        base.class_names,
        new.class_names,
        bed.features([item.row for item in base.train]),
        _labels([item.label for item in base.train]),
        bed.features(rows),
        _labels(labels),
    )


def _labels(values: list[int]) -> torch.Tensor:
    return torch.tensor(values)
