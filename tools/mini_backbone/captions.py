"""Captions as the web might write them: the family's phrase, in a frame of everyday words."""

from __future__ import annotations

import numpy as np

FRAMES = (
    "a photo of a {}",
    "a photo of {}",
    "a {}",
    "{}",
    "a picture of a {}",
    "a picture of {}",
    "an image of a {}",
    "this is a {}",
    "there is a {} in the picture",
    "my {}",
    "the {}",
    "one {}, seen close up",
    "look at the {}",
    "a small {} in soft light",
    "a {} on a plain background",
    "a good photo of a {}",
    "a bad photo of the {}",
    "a bright picture with a {}",
    "{} outdoors",
    "close-up of {}",
)
ENDS = ("", "", ".", ".", "!", ", today")


def framed(phrase: str, rng: np.random.Generator) -> str:
    """One caption, lower case."""
    return str(rng.choice(FRAMES)).format(phrase) + str(rng.choice(ENDS))
