"""Images with or without labels, and what says which columns hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TRAIN, TEST, ALL = "train", "test", "all"
"""What is wanted of data that has parts: those to learn from, those to judge by, or every image."""


@dataclass(frozen=True)
class Given:
    """N images, or N features as vectors.

    labels: one for each, as they stand there, None where there are none. names: of labels that are whole
    numbers, by number. val: validation images that came with them. columns: what the features' are called.
    """

    images: list[Any]
    labels: list[Any] | None = None
    names: Sequence[str] | None = None
    val: Given | None = None
    columns: Sequence[str] | None = None


@dataclass(frozen=True)
class Asked:
    """Columns by name, None where they are to be found; whether labels are needed at all."""

    image: str | None = None
    label: str | None = None
    needs_labels: bool = True
