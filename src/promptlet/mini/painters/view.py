"""What painters of scenes share: colours, a dot's points and the View they paint in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import Colour, darker, lighter, mix, near
from promptlet.mini.pen import Pen, Point, ellipse_points

SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((125, 185, 230), (195, 225, 240)),
    "evening": ((125, 100, 160), (250, 175, 120)),
    "night": ((20, 25, 60), (50, 60, 110)),
}
TINTS: dict[str, tuple[Colour, float]] = {
    "day": ((255, 255, 255), 0.0),
    "evening": ((150, 70, 70), 0.22),
    "night": ((15, 20, 60), 0.55),
}
GRASS: Colour = (110, 165, 80)
ROCK: Colour = (120, 115, 115)
SAND: Colour = (235, 210, 150)
WATER: Colour = (70, 135, 185)
WOOD: Colour = (135, 95, 60)
SNOW: Colour = (240, 244, 250)
FIR: Colour = (45, 105, 75)
WALLS = ((235, 215, 180), (225, 175, 140), (200, 120, 95), (220, 225, 225), (170, 185, 195))
BLOCKS = ((90, 100, 130), (120, 110, 125), (75, 90, 110), (130, 125, 140))
PAINTS = ((195, 65, 60), (60, 100, 165), (225, 165, 60), (80, 140, 110), (125, 85, 140), (215, 130, 90))
GLOW: Colour = (255, 225, 130)
DOT = ellipse_points(0, 0, 1, 1, count=12)
_AROUND = np.linspace(0, 2 * np.pi, 30)
_BUMPS = 0.14 * np.abs(np.sin(2.5 * _AROUND))
_CLOUD = np.column_stack([(1 + _BUMPS) * np.cos(_AROUND), (0.5 + _BUMPS) * np.sin(_AROUND)])


@dataclass
class View:
    """What all scenes share: pen, chance, time, snow, and the height of the horizon."""

    pen: Pen
    rng: np.random.Generator
    time: str
    snow: bool
    horizon: float

    def tone(self, colour: Colour, spread: float = 8.0) -> Colour:
        """A colour near this one in the light of the time."""
        tint, share = TINTS[self.time]
        return mix(near(colour, self.rng, spread), tint, share)

    def ground(self, colour: Colour) -> Colour:
        """The colour of ground or roofs: white in snow."""
        return self.tone((216, 227, 243), 3) if self.snow else self.tone(colour)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A rectangle from its left top corner, in the light of the time."""
        self.pen.rect(x + width / 2, y + height / 2, width, height, self.tone(colour, 4))

    def shape(self, x: float, y: float, scale: float | Point, colour: Colour, *numbers: float) -> None:
        """A polygon: ``numbers`` are its corners x, y, x, y ... times ``scale``, from (x, y)."""
        self.pen.polygon(np.reshape(numbers, (-1, 2)) * scale + (x, y), colour)

    def pick(self, colours: tuple[Colour, ...], spread: float = 8.0) -> Colour:
        """One of these colours, in the light of the time."""
        return self.tone(colours[int(self.rng.integers(len(colours)))], spread)

    def about(self, value: float, spread: float) -> float:
        """A number at most ``spread`` away from ``value``."""
        return value + float(self.rng.uniform(-spread, spread))

    def flat(self, top: float, colour: Colour) -> None:
        """Ground or water from ``top`` down."""
        self.pen.rect(0, (top + 1.6) / 2, 3.2, 1.6 - top, colour)

    def sky(self) -> None:
        """Sky with sun, moon and stars, or clouds."""
        pen, rng = self.pen, self.rng
        top, low = (near(colour, rng, 9) for colour in SKIES[self.time])
        pen.rect(0, 0, 3.2, 3.2, top)
        if not pen.sketch:
            for i in range(1, 4):
                pen.rect(0, i * 0.3, 3.2, 2.6, mix(top, low, i / 3))
        x, y = rng.uniform(-0.8, 0.8), rng.uniform(-0.8, -0.6)
        if self.time == "night":
            for star in rng.uniform(-1, 1, (9, 2)) * (1, 0.4) - (0, 0.6):
                pen.polygon(DOT * 0.022 + star, (235, 235, 215))
            pen.polygon(DOT * 0.13 + (x, y), (240, 235, 205))
        elif self.time == "evening":
            pen.polygon(DOT * 0.17 + (x, y + 0.5), (255, 215, 130))
        else:
            for side in rng.choice([-1, 1], 2):
                self.cloud(x * 0.6 + 0.5 * side, y + rng.uniform(-0.1, 0.25), (250, 250, 252))

    def cloud(self, x: float, y: float, colour: Colour) -> None:
        """A cloud of one outline."""
        self.pen.polygon(_CLOUD * self.rng.uniform(0.2, 0.32) + (x, y), colour)

    def hills(self, top: float, rise: float, colour: Colour) -> None:
        """A rolling ridge with ground below it."""
        x = np.linspace(-1.6, 1.6, 20)
        wave = np.sin(x * self.rng.uniform(1.5, 3) + self.rng.uniform(0, 6))
        ridge = np.column_stack([x, top - rise * (0.5 + 0.5 * wave)])
        self.pen.polygon([*map(tuple, ridge), (1.6, 1.6), (-1.6, 1.6)], colour)

    def tree(self, x: float, y: float, size: float, fir: bool = True) -> None:
        """A fir or a round tree that stands at (x, y)."""
        self.pen.rect(x, y - size * 0.1, size * 0.12, size * 0.25, self.tone(WOOD))
        leaf = self.tone(FIR if fir else (80, 140, 65), 11)
        if not fir:
            crown = mix(leaf, SNOW, 0.6 if self.snow else 0)
            self.pen.polygon(DOT * (size * 0.36, size * 0.42) + (x, y - size * 0.55), crown)
            return
        for i, wide in enumerate((0.36, 0.28, 0.19)):
            shade = mix(lighter(leaf, 0.08 * i), SNOW, 0.35 * i if self.snow else 0)
            self.shape(x, y - size * (0.15 + 0.25 * i), size, shade, -wide, 0, 0, -0.42, wide, 0)

    def house(self, x: float, y: float, size: float) -> None:
        """A cottage that stands at (x, y)."""
        wall = darker(self.pick(WALLS), 0.25 if self.snow else 0)
        self.shape(x, y, size, wall, -0.4, 0, -0.4, -0.5, 0.4, -0.5, 0.4, 0)
        self.shape(
            x, y, size, self.tone(SNOW if self.snow else (165, 75, 60)), -0.52, -0.48, 0, -0.92, 0.52, -0.48
        )
        self.shape(x, y, size, darker(wall, 0.5), -0.27, 0, -0.27, -0.34, -0.09, -0.34, -0.09, 0)
        self.shape(x, y, size, self.pane(), 0.08, -0.18, 0.08, -0.36, 0.28, -0.36, 0.28, -0.18)

    def pane(self) -> Colour:
        """The colour of a window: lit when it is dark."""
        return self.tone((110, 150, 175)) if self.time == "day" else GLOW

    def tower(self, x: float, top: float, base: float, width: float) -> None:
        """A building with rows of windows."""
        wall = self.pick(BLOCKS)
        self.pen.rect(x, (top + base) / 2, width, base - top, wall)
        for y in np.arange(top + 0.12, base - 0.06, 0.2):
            for dx in (-0.24, 0.24):
                lit = self.pane() if self.rng.random() < 0.7 else darker(wall, 0.3)
                self.pen.rect(x + dx * width, y, width * 0.24, 0.09, lit)

    def peak(self, x: float, top: float, base: float, wide: float, colour: Colour) -> None:
        """A mountain with a dark side, and a white cap in snow."""
        face, size = self.tone(colour), (wide, base - top)
        self.shape(x, top, size, face, -1, 1, 0, 0, 1, 1)
        self.shape(x, top, size, darker(face, 0.18), 0, 0, 1, 1, 0.2, 1, -0.08, 0.5)
        if self.snow:
            cap = (0, 0, 0.5, 0.5, 0.25, 0.38, 0.05, 0.55, -0.18, 0.38, -0.5, 0.5)
            self.shape(x, top, size, self.tone(SNOW, 2), *cap)
