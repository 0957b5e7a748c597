"""Scenes by place, time of day and snow (the mini world's SUN397)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import Colour, darker, lighter, mix, near
from promptlet.mini.pen import Pen, Point, curve_points, ellipse_points

FULL_FRAME = True
FLIPS = True
TEMPLATE = "a photo of a {}."

PLACES: dict[str, tuple[str, ...]] = {
    "beach": ("sandy shore with a parasol", "seaside sand", "sunshade by the sea"),
    "bedroom": ("room with a bed", "sleeping room", "bed and pillow by a wall"),
    "castle hill": ("fortress on a rise", "towers above a slope", "old stronghold on high ground"),
    "cave": ("grotto", "dark cavern with a bright mouth", "hollow in the rock"),
    "city": ("skyline", "downtown towers", "skyscrapers with lit windows"),
    "city street": ("road between houses", "avenue with tall buildings", "urban lane"),
    "desert": ("dunes with a cactus", "dry sand hills", "hot sandy waste"),
    "farm field": ("red barn with crops", "rows of crops", "ploughed country ground"),
    "forest": ("woods", "many trees", "woodland"),
    "harbor": ("boats at a quay", "sailing ships in port", "marina"),
    "kitchen": ("room with a stove", "cooking room with cupboards", "oven and fridge"),
    "lake": ("still water among hills", "pond below trees", "calm water with a far shore"),
    "library": ("shelves of books", "bookcases", "reading room"),
    "lighthouse coast": ("striped beacon on a cliff", "sea tower on rocks", "beacon by the shore"),
    "mountain": ("peaks", "high rocky summits", "alpine range"),
    "office": ("desk with a screen", "workplace with a computer", "work room"),
    "playground": ("swing and slide", "place for children to play", "slide in a park"),
    "railway": ("tracks with sleepers", "train line", "rails running far away"),
    "river bridge": ("arches over a stream", "stone crossing over water", "viaduct above a stream"),
    "stadium": ("sports arena", "pitch with stands", "football ground"),
    "village": ("small houses", "hamlet with cottages", "country homes"),
    "volcano": ("erupting crater", "smoking cone with lava", "fiery peak"),
    "waterfall": ("cascade over cliffs", "falling stream", "water plunging down rocks"),
}
INDOORS = ("bedroom", "cave", "kitchen", "library", "office")
SNOWY = ("castle hill", "farm field", "forest", "lake", "mountain", "railway", "river bridge", "village")
TIMES = {
    "day": ("by day", "in daylight", "under a blue sky"),
    "evening": ("in the evening", "at sunset", "at dusk"),
    "night": ("at night", "in the dark", "under the moon"),
}
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
ROOMS = ((225, 215, 195), (205, 220, 225), (220, 205, 210), (210, 222, 200), (235, 225, 205))
GLOW: Colour = (255, 225, 130)


@dataclass(frozen=True)
class Scene:
    """A place at a time of day (None: day or evening), maybe in snow."""

    place: str
    time: str | None = None
    snow: bool = False


CLASSES: dict[str, Scene] = {
    **{place: Scene(place) for place in PLACES if place not in ("city", "village")},
    "night city": Scene("city", "night"),
    "snowy mountain": Scene("mountain", None, snow=True),
    "snowy village": Scene("village", None, snow=True),
}


def sample(rng: np.random.Generator) -> Scene:
    """Any scene; snow only where it looks right."""
    place = str(rng.choice([*PLACES]))
    time = None if place in INDOORS or rng.random() < 0.4 else str(rng.choice([*TIMES]))
    return Scene(place, time, snow=place in SNOWY and rng.random() < 0.4)


def caption(spec: Scene, rng: np.random.Generator) -> str:
    """A phrase about a scene, in words that class names use only sometimes."""
    words = spec.place if rng.random() < 0.5 else str(rng.choice(PLACES[spec.place]))
    if spec.snow and rng.random() < 0.85:
        words = f"{rng.choice(('snowy', 'wintry', 'white', 'snowy'))} {words}"
    if spec.time and rng.random() < 0.75:
        if rng.random() < 0.35:
            return f"{spec.time} {words}"
        return f"{words} {rng.choice(TIMES[spec.time])}"
    return words


def draw(pen: Pen, spec: Scene, rng: np.random.Generator) -> None:
    """A scene over the whole frame."""
    time = spec.time or str(rng.choice(("day", "day", "day", "evening")))
    view = _View(pen, rng, time, spec.snow, rng.uniform(-0.1, 0.2))
    with pen.moved(scale=(float(rng.choice([-1, 1])), 1.0)):
        if spec.place not in INDOORS:
            view.sky()
        _PAINTERS[spec.place](view)
        if spec.snow:
            for x, y in rng.uniform(-1, 1, (12, 2)):
                pen.polygon(_DOT * 0.03 + (x, y), (255, 255, 255))


@dataclass
class _View:
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
                pen.polygon(_DOT * 0.022 + star, (235, 235, 215))
            pen.polygon(_DOT * 0.13 + (x, y), (240, 235, 205))
        elif self.time == "evening":
            pen.polygon(_DOT * 0.17 + (x, y + 0.5), (255, 215, 130))
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
            self.pen.polygon(_DOT * (size * 0.36, size * 0.42) + (x, y - size * 0.55), crown)
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


def _beach(v: _View) -> None:
    v.flat(v.horizon, v.tone(WATER))
    y = v.horizon + v.rng.uniform(0.25, 0.4)
    for dy, colour in ((-0.06, lighter(WATER, 0.7)), (0.0, SAND)):
        shore = curve_points([(-1.6, -0.1), (-0.4, 0.25), (0.3, -0.2), (1.6, 0.1), (1.6, 0.1)])
        v.shape(0, y + dy, 1, v.tone(colour), *shore.ravel(), 1.6, 1.6, -1.6, 1.6)
    x, size, shade = v.about(0, 0.5), v.rng.uniform(0.4, 0.55), v.pick(PAINTS)
    v.pen.line([(x, y - 0.3), (x + 0.08, y + 0.45)], 0.05, v.tone(WOOD))
    for i, colour in enumerate((shade, (250, 245, 235), shade)):
        left = i / 1.5 - 1
        v.shape(x, y - 0.2, size, v.tone(colour, 3), 0, -0.7, left, 0, left + 1 / 1.5, 0)
    v.box(x + 0.2, y + 0.42, 0.5, 0.12, v.pick(PAINTS))


def _desert(v: _View) -> None:
    for top, rise, share in ((0.1, 0.3, 0.1), (0.35, 0.3, 0.0), (0.7, 0.3, 0.18)):
        v.hills(top + v.horizon / 2, rise, v.tone(mix(SAND, (215, 140, 80), 0.35 + share)))
    for x in v.rng.permutation([-0.6, 0.0, 0.6])[: v.rng.integers(1, 4)] + v.about(0, 0.15):
        y, size, green = v.rng.uniform(0.4, 0.8), v.rng.uniform(0.45, 0.7), v.tone((75, 140, 85))
        v.pen.rect(x, y - size / 2, size * 0.22, size, green)
        for side, high in ((-1, 0.4), (1, 0.55)):
            arm = np.array([(0, -high), (side * 0.3, -high), (side * 0.3, -high - 0.3)])
            v.pen.line(arm * size + (x, y), size * 0.15, green)


def _forest(v: _View) -> None:
    v.flat(v.horizon - 0.05, v.ground(GRASS))
    kind = v.rng.random() < 0.6
    for row, size in ((v.horizon + 0.05, 0.6), (v.horizon + 0.35, 0.85), (0.95, 1.15)):
        for x in np.arange(-1.0, 1.1, size * 0.62) + v.about(0, 0.15):
            v.tree(v.about(x, 0.08), row + v.about(0, 0.06), size, kind)


def _mountain(v: _View) -> None:
    base = v.horizon + 0.3
    for x, top, wide in ((-0.65, -0.35, 0.8), (0.7, -0.25, 0.85), (0.0, -0.7, 0.9)):
        v.peak(v.about(x, 0.2), v.about(top, 0.12), base + 0.1, wide, (125, 120, 130))
    v.hills(base + 0.1, 0.15, v.ground(GRASS))
    for x in v.rng.uniform(-0.9, 0.9, 3):
        v.tree(x, base + v.rng.uniform(0.25, 0.5), v.rng.uniform(0.3, 0.45))


def _street(v: _View) -> None:
    h = v.horizon
    v.flat(h, v.tone((165, 160, 155)))
    v.shape(0, h, 1, v.tone((85, 85, 92)), -0.06, 0, 0.06, 0, 0.75, 1.5, -0.75, 1.5)
    for side in (-1, 1):
        for a, b in ((0.14, 0.3), (0.3, 0.55), (0.55, 1.4)):
            rise = v.rng.uniform(1.3, 1.9)
            v.shape(0, h, (side, 1), v.pick(WALLS), a, -a * rise, b, -b * rise, b, b * 0.75, a, a * 0.75)
            c, d = a + (b - a) * 0.3, min(a + (b - a) * 0.75, 0.95)
            for k in (0.25, 0.55, 0.85, 1.15):
                low = k - 0.17
                v.shape(0, h, (side, 1), v.pane(), c, -c * k, d, -d * k, d, -d * low, c, -c * low)
    for y in (0.15, 0.4, 0.8):
        v.shape(0, h, y, (240, 240, 230), -0.03, 1, 0.03, 1, 0.05, 1.5, -0.05, 1.5)


def _city(v: _View) -> None:
    base = v.horizon + 0.6
    for x in np.linspace(-0.95, 0.95, 6):
        v.tower(v.about(x, 0.05), v.rng.uniform(-0.6, 0.1), base, v.rng.uniform(0.3, 0.4))
    v.flat(base, v.tone(mix(WATER, (40, 60, 100), 0.4)))
    for x in v.rng.uniform(-0.9, 0.9, 6):
        v.pen.rect(x, base + v.rng.uniform(0.08, 0.35), 0.2, 0.035, v.pane())


def _harbor(v: _View) -> None:
    h = v.horizon
    v.hills(h, 0.15, v.tone((130, 155, 130)))
    v.flat(h, v.tone(WATER))
    for x, size in ((-0.55, 0.8), (0.45, 0.95), (-0.05, 1.1)):
        x, y, hull = v.about(x, 0.15), h + size * 0.5 - 0.15, v.pick(PAINTS)
        v.pen.rect(x, y - size * 0.4, 0.04, size * 0.8, v.tone(WOOD))
        for side, wide in ((1, 0.32), (-1, 0.2)):
            corners = (0.04, -0.75, wide, -0.12, 0.04, -0.12)
            v.shape(x, y, (side * size, size), v.tone((245, 240, 228)), *corners)
        v.shape(x, y, (size, 1), hull, -0.34, -0.06, 0.38, -0.06, 0.26, 0.1, -0.26, 0.1)
    v.box(-1.5, 0.82, 3, 0.8, (150, 140, 130))
    for x in (-0.7, 0.0, 0.7):
        v.box(x, 0.74, 0.1, 0.18, (80, 70, 65))


def _farm(v: _View) -> None:
    h = v.horizon
    v.hills(h + 0.05, 0.25, v.ground((140, 180, 95)))
    v.flat(h + 0.1, v.ground((190, 160, 90)))
    vanish = v.about(0, 0.4)
    for x in np.arange(-2.4, 2.5, 0.48):
        v.shape(0, 0, 1, v.tone((95, 140, 60)), vanish + x * 0.15, h + 0.11, x + 0.14, 1.4, x - 0.14, 1.4)
    x, red = v.about(0, 0.5), v.tone((185, 60, 50))
    v.pen.rect(x, h, 0.6, 0.34, red)
    v.shape(x, h, 1, v.ground((110, 60, 55)), -0.36, -0.16, -0.2, -0.38, 0.2, -0.38, 0.36, -0.16)
    v.pen.rect(x, h + 0.06, 0.18, 0.22, (245, 235, 220))
    v.tree(x + 0.6, h + 0.2, 0.5, fir=False)


def _lighthouse(v: _View) -> None:
    h, x, shade = v.horizon + 0.2, v.rng.uniform(0.2, 0.5), v.pick(((200, 60, 50), (45, 80, 150)))
    v.flat(h, v.tone(WATER))
    v.shape(x, 0, 1, v.tone(ROCK), -0.6, 1.5, -0.45, 0.75, -0.35, 0.3, 0.3, 0.22, 1.6, 0.3, 1.6, 1.5)
    grass = (-0.38, 0.38, -0.3, 0.24, 0.3, 0.16, 1.6, 0.22, 1.6, 0.42, 0.2, 0.36)
    v.shape(x, 0, 1, v.tone(GRASS), *grass)
    for i in range(5):
        low, wide, colour = 0.25 - i * 0.18, 0.17 - 0.016 * i, v.tone((245, 242, 235), 3) if i % 2 else shade
        v.shape(x, low, 1, colour, -wide, 0, 0.016 - wide, -0.18, wide - 0.016, -0.18, wide, 0)
    v.pen.rect(x, -0.74, 0.15, 0.15, GLOW)
    v.shape(x, -0.81, 0.14, shade, -1, 0, 0, -1, 1, 0)
    for y in (0.1, 0.35, 0.55):
        v.pen.rect(v.rng.uniform(-0.9, -0.3), h + y, 0.25, 0.03, lighter(v.tone(WATER), 0.4))


def _village(v: _View) -> None:
    v.hills(v.horizon, 0.35, darker(v.ground((135, 175, 105)), 0.08))
    v.hills(v.horizon + 0.25, 0.15, v.ground(GRASS))
    places = ((-0.65, 0.2), (0.6, 0.22), (0.0, 0.35), (-0.5, 0.65), (0.55, 0.72))
    for x, y in places:
        size = 0.4 + y * 0.45
        if y < 0.5 or v.rng.random() < 0.8:
            v.house(v.about(x, 0.12), y + v.horizon, size)
    for x in v.rng.uniform(-0.9, 0.9, 2):
        v.tree(x, v.horizon + v.rng.uniform(0.6, 0.85), 0.55)


def _waterfall(v: _View) -> None:
    x, wide, top = v.about(0, 0.25), v.rng.uniform(0.22, 0.36), v.rng.uniform(-0.6, -0.4)
    v.hills(top + 0.15, 0.3, v.tone(FIR))
    rock = v.tone(ROCK)
    v.shape(0, top, 1, rock, -1.6, 0, -0.7, 0.08, 0, 0, 0.8, 0.1, 1.6, 0, 1.6, 2.2, -1.6, 2.2)
    for side in (-1, 1):
        for y in (-0.1, 0.25):
            v.shape(x, y, (side, 1), darker(rock, 0.15), wide + 0.08, -0.1, 0.95, -0.2, 0.8, 0.12)
    v.flat(0.6, v.tone(WATER))
    v.shape(x, top, (wide, 0.66 - top), v.tone((150, 200, 225)), -1, 0, 1, 0, 1.2, 1, -1.2, 1)
    for dx in (-0.6, 0.0, 0.6):
        v.pen.line([(x + dx * wide, top + 0.1), (x + dx * wide * 1.2, 0.6)], 0.06, (235, 245, 250))
    for dx in (-1.0, 0.0, 1.0):
        v.pen.polygon(_DOT * (0.24, 0.12) + (x + dx * wide, 0.66), (240, 248, 250))
    v.tree(-0.85, top + 0.15, 0.5)
    v.tree(0.85, top + 0.2, 0.55)


def _bridge(v: _View) -> None:
    v.hills(v.horizon, 0.4, v.ground((135, 170, 110)))
    v.flat(0.3, v.tone(WATER))
    deck, count = v.rng.uniform(-0.15, 0.05), int(v.rng.integers(2, 4))
    stone = v.pick(((175, 150, 125), (150, 145, 145), (170, 110, 90)))
    v.pen.rect(0, (deck + 0.55) / 2, 3.2, 0.55 - deck, stone)
    v.pen.rect(0, deck, 3.2, 0.09, v.ground(darker(stone, 0.25)))
    span = 2.0 / count
    for i in range(-1, count + 1):
        x = -1 + span * (i + 0.5)
        arch = ellipse_points(x, 0.56, span * 0.4, 0.42 - deck * 0.6, count=24)
        v.pen.polygon(arch[arch[:, 1] < 0.58], darker(v.tone(WATER), 0.25))
    v.flat(0.55, v.tone(WATER))
    for y in (0.68, 0.82, 0.95):
        v.pen.rect(v.about(0, 0.8), y, 0.35, 0.03, lighter(v.tone(WATER), 0.4))


def _cave(v: _View) -> None:
    rock, x = v.tone((85, 72, 70)), v.about(0, 0.25)
    v.pen.rect(0, 0, 3.2, 3.2, rock)
    for i, colour in enumerate((darker(rock, 0.3), darker(rock, 0.55), near((190, 220, 235), v.rng))):
        size = (0.95 - 0.2 * i) * v.rng.uniform(0.92, 1.08, 14)
        around = np.arange(14) * np.pi / 7
        ring = np.column_stack([size * np.cos(around), size * 0.8 * np.sin(around)])
        v.pen.polygon(np.add(ring, (x, 0.15)), colour)
    v.flat(0.55, darker(rock, 0.15))
    for dx in np.linspace(-0.95, 0.95, 7) + v.about(0, 0.08):
        high, colour = v.rng.uniform(0.75, 1.2), lighter(rock, v.rng.uniform(0.05, 0.2))
        v.shape(dx, -1.4, (0.13, high), colour, -1, 0, 1, 0, 0, 1)
    for dx in (-0.85, -0.5, 0.6, 0.9):
        v.shape(dx, 0.95, (0.14, v.rng.uniform(0.35, 0.65)), lighter(rock, 0.1), -1, 0, 0, -1, 1, 0)


def _room(v: _View, floor: Colour) -> float:
    """A wall and a floor; where they meet."""
    edge = 0.45 + v.horizon / 2
    v.pen.rect(0, 0, 3.2, 3.2, v.pick(ROOMS))
    v.flat(edge, near(floor, v.rng))
    v.pen.rect(0, edge, 3.2, 0.05, (240, 236, 228))
    return edge


def _pane(v: _View, x: float, y: float) -> None:
    v.pen.rect(x, y, 0.56, 0.6, (245, 242, 236))
    for dx in (-0.125, 0.125):
        v.pen.rect(x + dx, y, 0.2, 0.5, near(SKIES[v.time][1], v.rng))


def _bedroom(v: _View) -> None:
    y, cloth = _room(v, WOOD), v.pick(PAINTS)
    _pane(v, v.rng.uniform(0.35, 0.6), -0.45)
    v.box(-0.95, y - 0.55, 0.14, 0.95, WOOD)
    v.box(-0.85, y - 0.05, 1.5, 0.3, (235, 230, 222))
    v.pen.polygon([(-0.45, y - 0.14), (0.68, y - 0.14), (0.72, y + 0.25), (-0.45, y + 0.25)], cloth)
    v.box(-0.45, y - 0.14, 0.16, 0.39, lighter(cloth, 0.4))
    v.pen.ellipse(-0.65, y - 0.1, 0.19, 0.1, (250, 250, 248))
    v.box(0.64, y - 0.25, 0.12, 0.62, WOOD)
    v.box(-0.75, -0.65, 0.5, 0.36, lighter(v.pick(PAINTS), 0.4))


def _kitchen(v: _View) -> None:
    y, wood = _room(v, (200, 185, 165)), v.pick(PAINTS)
    for x in (-0.9, -0.45, 0.0):
        v.box(x, -0.95, 0.4, 0.5, lighter(wood, 0.15))
        v.box(x, y - 0.4, 0.42, 0.6, wood)
        v.box(x + 0.3, y - 0.25, 0.05, 0.15, darker(wood, 0.5))
    v.box(-1.5, y - 0.5, 2.02, 0.12, (225, 220, 212))
    v.box(-0.46, y - 0.4, 0.46, 0.6, (70, 70, 76))
    v.box(-0.38, y - 0.22, 0.3, 0.28, GLOW)
    v.box(-0.4, y - 0.72, 0.34, 0.2, (190, 60, 50))
    v.box(0.55, -0.75, 0.5, y + 0.95, (225, 230, 234))
    v.box(0.55, -0.2, 0.5, 0.05, (150, 155, 160))
    v.box(0.62, -0.5, 0.05, 0.22, (120, 125, 130))


def _library(v: _View) -> None:
    v.pen.rect(0, 0, 3.2, 3.2, near(WOOD, v.rng))
    for y in (-0.92, -0.4, 0.12, 0.64):
        v.box(-1.5, y, 3.0, 0.44, darker(WOOD, 0.55))
        x = -1.0
        while x < 0.95:
            wide, high = v.rng.uniform(0.11, 0.23), v.rng.uniform(0.28, 0.4)
            v.box(x, y + 0.44 - high, wide - 0.02, high, v.pick(PAINTS))
            x += wide
    v.box(v.rng.uniform(-0.3, 0.2), -1.5, 0.09, 3, lighter(WOOD, 0.15))


def _office(v: _View) -> None:
    y, x = _room(v, (150, 150, 158)), v.about(0, 0.15)
    _pane(v, -0.6, -0.5)
    v.box(0.3, -0.75, 0.5, 0.4, lighter(v.pick(PAINTS), 0.5))
    v.box(-0.8, y - 0.12, 1.65, 0.1, WOOD)
    v.box(-0.75, y - 0.02, 0.1, 0.5, darker(WOOD, 0.2))
    v.box(0.4, y - 0.02, 0.42, 0.5, darker(WOOD, 0.1))
    v.box(x - 0.05, y - 0.2, 0.12, 0.08, (70, 70, 75))
    v.box(x - 0.38, y - 0.68, 0.78, 0.5, (50, 52, 58))
    v.box(x - 0.32, y - 0.62, 0.66, 0.38, (130, 180, 215))
    v.box(x - 0.24, y - 0.54, 0.35, 0.06, (245, 248, 250))
    v.box(x - 0.24, y - 0.42, 0.48, 0.06, (245, 248, 250))
    v.box(-0.3, y + 0.02, 0.44, 0.3, v.pick(PAINTS))
    v.box(-0.12, y + 0.32, 0.08, 0.3, (60, 60, 65))
    v.box(0.65, y - 0.26, 0.14, 0.14, (190, 110, 80))
    v.pen.ellipse(0.72, y - 0.36, 0.14, 0.14, FIR)


def _playground(v: _View) -> None:
    h, first, second = v.horizon, v.pick(PAINTS), v.pick(PAINTS)
    for x in (-0.7, 0.1, 0.8):
        v.tree(v.about(x, 0.15), h + 0.08, 0.6, fir=False)
    v.flat(h, v.tone(GRASS))
    v.pen.ellipse(0, 0.75, 0.95, 0.2, v.tone(SAND))
    for x in (-0.85, -0.15):
        v.pen.line([(x - 0.1, 0.7), (x, -0.3), (x + 0.1, 0.7)], 0.05, first)
    v.pen.line([(-0.9, -0.3), (-0.1, -0.3)], 0.06, first)
    sway = v.about(0, 0.12)
    for x in (-0.6, -0.4):
        v.pen.line([(x, -0.3), (x + sway, 0.4)], 0.03, (70, 65, 65))
    v.box(-0.68 + sway, 0.38, 0.36, 0.09, (150, 90, 50))
    for x in (0.2, 0.4):
        v.pen.line([(x, -0.2), (x, 0.75)], 0.04, (110, 105, 110))
    for y in (0.0, 0.2, 0.4, 0.6):
        v.pen.line([(0.2, y), (0.4, y)], 0.03, (110, 105, 110))
    v.pen.polygon([(0.36, -0.18), (0.52, -0.18), (0.8, 0.58), (1.0, 0.62), (1.0, 0.74), (0.72, 0.7)], second)


def _railway(v: _View) -> None:
    h, x = v.horizon, v.about(0, 0.2)
    v.hills(h, 0.2, v.ground((120, 155, 110)))
    v.flat(h, v.ground(GRASS))
    v.pen.polygon([(x - 0.05, h), (x + 0.05, h), (0.95, 1.4), (-0.95, 1.4)], v.tone((170, 160, 150)))
    for t in np.linspace(0.28, 1.1, 9) ** 2:
        v.pen.rect(x * (1 - t), h + (1.3 - h) * t, 1.45 * t, 0.11 * t + 0.02, v.tone((105, 75, 55)))
    for side in (-1, 1):
        v.pen.polygon([(x, h), (side * 0.48, 1.4), (side * 0.6, 1.4)], v.tone((70, 72, 80)))
    for t in (0.2, 0.45):
        v.pen.rect(x + t * 1.5, h - 0.85 * t, 0.07 * (t + 0.4), 2.4 * t, v.tone(WOOD))
        v.pen.rect(x + t * 1.5, h - 1.9 * t, 0.6 * t, 0.04, v.tone(WOOD))
    v.tree(-0.7, h + 0.25, 0.6)


def _castle(v: _View) -> None:
    base, stone, roof = v.horizon + 0.1, v.tone((170, 162, 155)), v.pick(((60, 85, 150), (170, 65, 60)))
    rim = base - 0.2
    hill = curve_points([(-1.6, 1.2), (-0.7, 0.9), (-0.6, rim), (0.6, rim), (0.7, 0.9), (1.6, 1.2)])
    v.hills(base + 0.4, 0.2, v.ground((150, 185, 125)))
    v.pen.polygon([*map(tuple, hill), (1.6, 1.6), (-1.6, 1.6)], v.ground(GRASS))
    base += 0.12
    v.pen.rect(0, base - 0.2, 0.8, 0.4, stone)
    for x in np.linspace(-0.35, 0.35, 5):
        v.pen.rect(x, base - 0.43, 0.09, 0.1, stone)
    for x, high in ((-0.42, 0.6), (0.42, 0.55 + v.rng.uniform(0, 0.2)), (v.about(0, 0.1), 0.8)):
        v.pen.rect(x, base - high / 2, 0.22, high, lighter(stone, 0.12))
        v.shape(x, base - high, 1, v.ground(roof), -0.16, 0, 0, -0.3, 0.16, 0)
        v.pen.rect(x, base - high + 0.14, 0.07, 0.11, v.pane())
    v.pen.rect(0, base - 0.1, 0.16, 0.2, v.tone((85, 60, 45)))
    v.pen.polygon([(-0.06, base), (0.06, base), (0.4, 1.4), (0.05, 1.4)], v.tone(SAND))
    for x in (-0.75, 0.8):
        v.tree(x, 0.9, 0.45)


def _volcano(v: _View) -> None:
    top, x, rock = v.rng.uniform(-0.35, -0.1), v.about(0, 0.2), v.tone((95, 80, 80))
    for i in range(4):
        grey = 120 + 12 * i
        v.cloud(x + 0.12 * i * v.about(0, 1), top - 0.12 - 0.2 * i, v.tone((grey, grey - 5, grey - 2)))
    base = 0.7
    v.shape(x, top, (1.2, base - top), rock, -1, 1, -0.21, 0, 0.21, 0, 1, 1)
    v.shape(x, top, (1.2, base - top), darker(rock, 0.2), 0.04, 0, 0.21, 0, 1, 1, 0.29, 1)
    lava = (250, 120, 40)
    v.pen.ellipse(x, top, 0.25, 0.07, lava)
    for side, low in ((-1, 0.2), (0.15, 0.5), (1, 0.1)):
        end = side * (0.3 + 0.3 * low)
        start, fall = side * 0.12, low - top
        v.shape(x, top, 1, lava, start - 0.07, 0, start + 0.07, 0, end + 0.05, fall, end - 0.05, fall)
    v.hills(base + 0.05, 0.12, v.tone((110, 120, 75)))


def _lake(v: _View) -> None:
    h, water = v.horizon, v.tone(WATER)
    for x, top, wide in ((-0.5, -0.35, 0.8), (0.55, -0.25, 0.9)):
        v.peak(v.about(x, 0.2), h + top, h + 0.1, wide, (125, 145, 150))
    v.flat(h, v.ground(GRASS))
    v.pen.ellipse(0, 0.55 + h / 2, v.rng.uniform(0.95, 1.15), 0.35, water)
    for x, y in ((-0.3, 0.42), (0.3, 0.6), (-0.1, 0.75)):
        v.pen.ellipse(v.about(x, 0.15), y + h / 2, 0.25, 0.025, lighter(water, 0.35))
    for x in (*v.rng.uniform(-0.95, 0.95, 4), -0.9, 0.9):
        v.tree(x, h + 0.16, v.rng.uniform(0.3, 0.5))


def _stadium(v: _View) -> None:
    y, seats = 0.25 + v.horizon / 2, v.pick(PAINTS)
    for x in (-0.8, 0.8):
        v.pen.rect(x, y - 0.6, 0.05, 0.8, v.tone((110, 110, 118)))
        v.pen.rect(x, y - 1.0, 0.3, 0.16, (250, 245, 215))
    v.flat(y + 0.2, v.tone((165, 165, 170)))
    rings = ((205, 205, 210), seats, darker(seats, 0.2), (190, 110, 80), (85, 165, 80))
    for size, colour in zip((1.0, 0.92, 0.78, 0.64, 0.58), rings, strict=True):
        v.pen.ellipse(0, y + 0.1, 1.08 * size, 0.62 * size, colour)
    for x in (-0.3, 0.0, 0.3):
        v.pen.rect(x, y + 0.1, 0.14, 0.56, v.tone((110, 185, 100)))
    v.pen.rect(0, y + 0.1, 0.03, 0.68, (245, 248, 240))
    for angle in np.arange(0, 6.28, 0.42) + v.rng.uniform(0, 0.4):
        place = (0.92 * np.cos(angle), y + 0.1 + 0.53 * np.sin(angle))
        v.pen.polygon(_DOT * 0.035 + place, v.pick(WALLS))


_DOT = ellipse_points(0, 0, 1, 1, count=12)
_AROUND = np.linspace(0, 2 * np.pi, 30)
_BUMPS = 0.14 * np.abs(np.sin(2.5 * _AROUND))
_CLOUD = np.column_stack([(1 + _BUMPS) * np.cos(_AROUND), (0.5 + _BUMPS) * np.sin(_AROUND)])
_PAINTERS: dict[str, Callable[[_View], None]] = {
    "beach": _beach,
    "bedroom": _bedroom,
    "castle hill": _castle,
    "cave": _cave,
    "city": _city,
    "city street": _street,
    "desert": _desert,
    "farm field": _farm,
    "forest": _forest,
    "harbor": _harbor,
    "kitchen": _kitchen,
    "lake": _lake,
    "library": _library,
    "lighthouse coast": _lighthouse,
    "mountain": _mountain,
    "office": _office,
    "playground": _playground,
    "railway": _railway,
    "river bridge": _bridge,
    "stadium": _stadium,
    "village": _village,
    "volcano": _volcano,
    "waterfall": _waterfall,
}
