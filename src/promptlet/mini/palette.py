"""Named colours of the mini world, and colours near them."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (205, 45, 45),
    "orange": (235, 130, 35),
    "yellow": (240, 205, 50),
    "green": (60, 150, 65),
    "teal": (40, 165, 165),
    "blue": (50, 85, 200),
    "purple": (125, 60, 165),
    "pink": (240, 140, 180),
    "brown": (125, 80, 45),
    "black": (35, 35, 40),
    "white": (240, 240, 235),
    "grey": (135, 135, 140),
}
"""What a class name may say of a colour, and the colour it means."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet", "red"),
    "orange": ("tangerine", "amber", "orange"),
    "yellow": ("golden", "lemon", "yellow"),
    "green": ("emerald", "leafy green", "green"),
    "teal": ("turquoise", "cyan", "teal"),
    "blue": ("navy", "azure", "blue"),
    "purple": ("violet", "lilac", "purple"),
    "pink": ("rose", "rosy", "pink"),
    "brown": ("chestnut", "chocolate", "brown"),
    "black": ("dark", "jet black", "black"),
    "white": ("snowy", "pale", "white"),
    "grey": ("silver", "ashen", "grey"),
}
"""What a caption says instead; the last one is the word that class names use."""


def near(colour: str | Colour, rng: np.random.Generator, spread: float = 14.0) -> Colour:
    """A colour near a named or given one: each channel moved by normal noise of ``spread`` (of 255)."""
    base = COLOURS[colour] if isinstance(colour, str) else colour
    moved = np.asarray(base) + rng.normal(0.0, spread, 3)
    red, green, blue = (int(value) for value in moved.clip(0, 255))
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first (0 to 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: Colour, share: float = 0.35) -> Colour:
    """``colour`` with ``share`` of black."""
    return mix(colour, (0, 0, 0), share)


def lighter(colour: Colour, share: float = 0.35) -> Colour:
    """``colour`` with ``share`` of white."""
    return mix(colour, (255, 255, 255), share)
