"""What tells "none of these": where a prompt's own images lie, and how near an image of theirs comes.

Stored since format 4 as two tensors beside the learned ones and one text of the metadata.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import PromptFileError
from promptlet.promptfile.container import Array
from promptlet.promptfile.strict_json import read_json, shorten, write_json

REJECTION = "rejection"  # its key in the metadata
CENTRE, SIGNS = "rejection.centre", "rejection.signs"  # its tensors in the file
SHARES = (50.0, 75.0, 80.0, 85.0, 90.0, 95.0, 97.5, 99.0)
"""Percentages of own images that may be accepted, and have a threshold where there are images enough."""
MOST_SIGNS = 2**25
"""Of all classes together: in memory they take eight times the room."""


@dataclass(frozen=True, eq=False)
class Rejection:
    """centre (D,): the mean of the class means of normalised image features, float32 that fp16 can hold.

    signs (C, D) int8, 1 or -1: on which side of the centre each class's mean lies, in the order of the class
    names. thresholds: by percentage of own images (of `SHARES`), the score that so many of them reach.
    An instance is always valid: making a wrong one raises PromptFileError.
    """

    centre: npt.NDArray[np.float32]
    signs: npt.NDArray[np.int8]
    thresholds: Mapping[float, float]

    def __post_init__(self) -> None:
        """Check, and keep own copies."""
        centre, signs = np.array(self.centre, np.float32), np.array(self.signs, np.int8)
        if centre.ndim != 1 or signs.ndim != 2 or not signs.shape[0] or signs.shape[1] != len(centre):
            raise PromptFileError(
                f"a rejection needs a centre (D,) and signs (C, D), not {list(centre.shape)} and "
                f"{list(signs.shape)}"
            )
        if signs.size > MOST_SIGNS:
            raise PromptFileError(f"a rejection may have {MOST_SIGNS:,} signs, not {signs.size:,}")
        if not np.isfinite(centre).all() or _beyond_half(centre):
            raise PromptFileError("the centre of a rejection holds numbers that are not those of fp16")
        if not (np.abs(signs) == 1).all():
            raise PromptFileError("the signs of a rejection must be 1 or -1")
        object.__setattr__(self, "centre", centre)
        object.__setattr__(self, "signs", signs)
        object.__setattr__(self, "thresholds", _checked_thresholds(self.thresholds))


def _beyond_half(centre: npt.NDArray[np.float32]) -> bool:
    with np.errstate(over="ignore"):
        return bool((centre != centre.astype(np.float16)).any())


def _checked_thresholds(given: object) -> dict[float, float]:
    if not isinstance(given, Mapping) or not given:
        raise PromptFileError(f"rejection must be an object of thresholds, not {shorten(given)}")
    for share, threshold in given.items():
        if share not in SHARES:
            allowed = ", ".join(f"{known:g}" for known in SHARES)
            raise PromptFileError(f"rejection has a threshold for {shorten(share)} %; allowed: {allowed}")
        if type(threshold) not in (int, float) or not math.isfinite(threshold) or abs(threshold) > 2:
            raise PromptFileError(
                f"rejection[{share:g}] must be a number from -2 to 2, not {shorten(threshold)}"
            )
    ordered = {float(share): float(given[share]) for share in sorted(given)}
    values = list(ordered.values())
    if values != sorted(values, reverse=True):
        raise PromptFileError("the thresholds of a rejection must fall from each percentage to the next")
    return ordered


def rejection_text(rejection: Rejection) -> str:
    """The text of the metadata."""
    return write_json({f"{share:g}": threshold for share, threshold in rejection.thresholds.items()})


def stored_rejection(rejection: Rejection) -> dict[str, Array]:
    """Its tensors: the centre as fp16, of the signs a bit each, 1 for a positive one, lowest bit first."""
    bits = np.packbits(rejection.signs > 0, axis=1, bitorder="little")
    return {CENTRE: rejection.centre.astype("<f2"), SIGNS: bits}


def take_rejection(text: str, stored: dict[str, Array]) -> Rejection:
    """The rejection of a file; its tensors are taken out of ``stored``."""
    thresholds = read_json(text, REJECTION)
    if not {CENTRE, SIGNS} <= stored.keys():
        raise PromptFileError(f"it has a rejection, which needs the tensors {CENTRE} and {SIGNS}")
    centre, bits = stored.pop(CENTRE), stored.pop(SIGNS)
    if centre.dtype != np.float16 or bits.dtype != np.uint8:
        raise PromptFileError(f"its {CENTRE} must be F16 and its {SIGNS} U8")
    dim = centre.size
    if centre.ndim != 1 or bits.ndim != 2 or bits.shape[1] != (dim + 7) // 8:
        raise PromptFileError(
            f"its {CENTRE} {list(centre.shape)} and {SIGNS} {list(bits.shape)} do not fit each other"
        )
    if bits.shape[0] * dim > MOST_SIGNS:
        raise PromptFileError(f"a rejection may have {MOST_SIGNS:,} signs, not {bits.shape[0] * dim:,}")
    ones = np.unpackbits(bits, axis=1, bitorder="little")
    if ones[:, dim:].any():
        raise PromptFileError(f"unused last bits of {SIGNS} are not 0")
    signs = np.where(ones[:, :dim] > 0, 1, -1).astype(np.int8)
    return Rejection(centre.astype(np.float32), signs, _by_share(thresholds))  # checked there


def _by_share(thresholds: Any) -> Any:
    known = {f"{share:g}": share for share in SHARES}
    if not isinstance(thresholds, dict):
        return thresholds
    return {known.get(text, text): value for text, value in thresholds.items()}
