"""What an encoder of the cluster answers: values, and no exceptions, which Ray would log and wrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from promptlet.errors import ImageError

TAKEN = "taken"
"""The first thing that an encoder says: it has the images, and begins with them, or refuses them."""


@dataclass(frozen=True)
class Encoded:
    """Features (N, D), float32, of N images; reasons: why there are none, by the place of the image. ends:
    how each ended, in words of `meters.IMAGE_RESULTS`."""

    features: np.ndarray
    reasons: Mapping[int, str]
    ends: Sequence[str]

    def outcomes(self) -> list[np.ndarray | ImageError]:
        """Of each image."""
        return [
            ImageError(self.reasons[place]) if place in self.reasons else row
            for place, row in enumerate(self.features)
        ]


@dataclass(frozen=True)
class Refused:
    """Nothing was encoded. kind: "busy" until ``retry_after`` seconds later; "never" as it is asked; "broken"
    where this encoder encodes nothing, and another one may."""

    kind: Literal["busy", "never", "broken"]
    reason: str
    retry_after: float = 1.0


def encoded(outcomes: Sequence[np.ndarray | ImageError], ends: Sequence[str], width: int) -> Encoded:
    """Of outcomes, and how each ended; width: D."""
    features = np.zeros((len(outcomes), width), np.float32)
    reasons = {}
    for place, one in enumerate(outcomes):
        if isinstance(one, ImageError):
            reasons[place] = str(one)
        else:
            features[place] = one
    return Encoded(features, reasons, ends)


def other_backbone(own: str, wanted: str) -> str:
    """Why an encoder cannot answer a front. Both: fingerprints."""
    return (
        f"an encoder has another backbone ({own}) than a front ({wanted}); give every node of the cluster "
        "the same model"
    )
