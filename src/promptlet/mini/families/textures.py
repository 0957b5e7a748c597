"""Textures by pattern and two colours (the mini world's DTD)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from promptlet.mini.palette import COLOURS, SYNONYMS, Colour, lighter, mix, near
from promptlet.mini.pen import CANVAS, INK, PAPER, Pen, ellipse_points, star_points

FULL_FRAME = True
FLIPS = True
TEMPLATE = "a photo of a {}."

Level = np.ndarray[Any, np.dtype[np.float32]]
"""Shares of the second colour (0 to 1) at each pixel of the canvas."""
_At = tuple[Level, Level, np.random.Generator]
"""Coordinates that grow by 1 a repeat, across and down, and a source of chance."""

WORDS: dict[str, tuple[str, ...]] = {
    "bricked": ("brick wall", "rows of bricks", "masonry"),
    "bubbly": ("bubbles", "foam of round bubbles", "fizzy froth"),
    "checked": ("chessboard squares", "checkerboard", "alternating squares"),
    "cracked": ("cracks", "dry broken ground", "shattered pieces"),
    "crosshatched": ("crossing diagonal strokes", "hatching lines", "slanted crossing lines"),
    "dotted": ("polka dots", "rows of round dots", "even round spots"),
    "gridded": ("a grid of thin lines", "mesh of lines", "crossing upright lines"),
    "honeycombed": ("honeycomb", "six-sided cells", "hexagons"),
    "knitted": ("knitting", "rows of stitches", "wool jumper stitches"),
    "marbled": ("marble veins", "veined stone", "flowing streaks of stone"),
    "scaly": ("fish scales", "overlapping scales", "reptile skin"),
    "speckled": ("speckles", "tiny random flecks", "small scattered grains"),
    "spiral": ("one big coil", "a winding whirl", "a coil around the middle"),
    "starry": ("stars", "scattered stars", "many pointed stars"),
    "striped": ("stripes", "parallel bands", "straight bars"),
    "swirly": ("many small swirls", "curls", "curly whirls"),
    "tiled": ("tiles", "square tiles with diamonds", "ornamental floor tiles"),
    "wavy": ("waves", "rippling bands", "curving lines"),
    "woven": ("basket weave", "interlaced strands", "wicker"),
    "zigzag": ("chevrons", "jagged bands", "sharp bent lines"),
}


@dataclass(frozen=True)
class Texture:
    """A pattern in two colours (None: any)."""

    name: str
    first: str | None = None
    second: str | None = None


CLASSES: dict[str, Texture] = {name: Texture(name) for name in WORDS}


def sample(rng: np.random.Generator) -> Texture:
    """Any texture, half of them in named colours."""
    name = str(rng.choice([*WORDS]))
    return Texture(name, *_pair(rng)) if rng.random() < 0.5 else Texture(name)


def caption(spec: Texture, rng: np.random.Generator) -> str:
    """A phrase about a texture, in words that class names use only sometimes."""
    noun = str(rng.choice(("surface", "pattern", "material", "background")))
    colours = ""
    if spec.first and spec.second and rng.random() < 0.75:
        colours = f"{rng.choice(SYNONYMS[spec.first])} and {rng.choice(SYNONYMS[spec.second])}"
    if rng.random() < 0.4:
        return f"{colours} {spec.name} {noun}".strip()
    words = str(rng.choice(WORDS[spec.name]))
    if not colours and rng.random() < 0.3:
        return words.removeprefix("a ")
    return f"{colours} {noun} with {words}".strip()


def draw(pen: Pen, spec: Texture, rng: np.random.Generator) -> None:
    """A texture over the whole canvas, at any scale and angle."""
    drawn = (spec.first, spec.second) if spec.first and spec.second else _pair(rng)
    first, second = near(drawn[0], rng), near(drawn[1], rng)
    if spec.name in _MARKS:
        pen.rect(0, 0, 3, 3, first)
        _MARKS[spec.name](pen, first, second, rng)
        return
    field, cells, turn = _FIELDS[spec.name]
    count, angle = rng.uniform(*cells), np.deg2rad(rng.uniform(-turn, turn))
    x, y = _AXIS[None, :] * (count / 2), _AXIS[:, None] * (count / 2)
    du, dv = rng.uniform(-0.5, 0.5, 2)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    at = (x * cos + y * sin + np.float32(du), y * cos - x * sin + np.float32(dv), rng)
    _paste(pen, field(at), first, second)


def noise(rng: np.random.Generator, cells: int) -> Level:
    """Smooth noise about 0 over the canvas, with ``cells`` random values along each side."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return _level(coarse.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC))


def _pair(rng: np.random.Generator) -> tuple[str, str]:
    """Two named colours that differ clearly in lightness."""
    names = [*COLOURS]
    while True:
        first, second = (names[i] for i in rng.choice(len(names), 2, replace=False))
        if abs(sum(COLOURS[first]) - sum(COLOURS[second])) > 190:
            return first, second


def _paste(pen: Pen, level: Level, first: Colour, second: Colour) -> None:
    share = np.linspace(0, 1, 256)[:, None]
    if pen.sketch:
        first, second, share = PAPER, INK, (share > 0.5).astype(float)
    colours = np.asarray(first) * (1 - share) + np.asarray(second) * share
    shown = Image.fromarray((np.clip(level, 0, 1) * 255).astype(np.uint8))
    shown.putpalette(colours.astype(np.uint8).tobytes())
    pen.image.paste(shown.convert("RGB"))


def _level(values: Any) -> Level:
    return np.asarray(values, dtype=np.float32)


def _part(value: Level) -> Level:
    """The fractional part."""
    return _level(value - np.floor(value))


def _odd(value: Level) -> Level:
    """Whether the whole part is odd (0 or 1)."""
    half = np.floor(value) * 0.5
    return _level((half - np.floor(half)) * 2)


def _striped(at: _At) -> Level:
    u, _, rng = at
    return _level((_part(u) < rng.uniform(0.35, 0.6)) * 0.9 + 0.1 * _odd(u))


def _wavy(at: _At) -> Level:
    u, v, rng = at
    bend = np.sin(u * rng.uniform(2.2, 3.4)) * rng.uniform(0.3, 0.45)
    return _level(_part(v + bend) < rng.uniform(0.35, 0.6))


def _zigzag(at: _At) -> Level:
    u, v, rng = at
    bend = np.abs(_part(u * rng.uniform(0.4, 0.7)) - 0.5)
    return _level(_part(v + bend * rng.uniform(1.6, 2.6)) < rng.uniform(0.35, 0.6))


def _checked(at: _At) -> Level:
    u, v, _ = at
    return _level(_odd(np.floor(u) + np.floor(v)) * 0.92 + 0.08 * _odd(u))


def _gridded(at: _At) -> Level:
    u, v, rng = at
    width = rng.uniform(0.1, 0.2)
    return _level((_part(u) < width) | (_part(v) < width))


def _crosshatched(at: _At) -> Level:
    u, v, rng = at
    lean, gaps = rng.uniform(-0.25, 0.25), noise(rng, 12)
    strokes = (_part(u + v + lean * u) < 0.34) & (gaps < 1.0)
    return _level(strokes | ((_part(u - v - lean * v) < 0.34) & (gaps > -1.0)))


def _tiled(at: _At) -> Level:
    u, v, rng = at
    x, y = np.abs(_part(u) - 0.5), np.abs(_part(v) - 0.5)
    size = rng.uniform(0.26, 0.38)
    inside = np.where(x + y < size * 0.45, 0.15, 0.85)
    return _level(np.where(x + y < size, inside, np.where(np.maximum(x, y) > 0.45, 1, 0.1)))


def _bricked(at: _At) -> Level:
    u, v, _ = at
    u = u * 0.5 + 0.5 * _odd(v)
    mortar = (_part(u) < 0.08) | (_part(v) < 0.16)
    shade = _part(_level(np.floor(u) * 0.37 + np.floor(v) * 0.61)) * 0.22
    return _level(np.where(mortar, 1, shade))


def _woven(at: _At) -> Level:
    u, v, _ = at
    over = _odd(np.floor(u) + np.floor(v)) > 0.5
    across, along = np.where(over, _part(u), _part(v)), np.where(over, _part(v), _part(u))
    strands = _part(across * 3) < 0.32
    round_off = np.abs(along - 0.5) * 0.7
    return _level(np.where(strands, 0.9, round_off))


def _honeycombed(at: _At) -> Level:
    u, v, rng = at
    tall, half = 1.732, 0.5
    ax, ay = np.abs(_part(u) - half), np.abs(_part(v / tall) - half) * tall
    bx, by = half - ax, half * tall - ay
    nearer = ax * ax + ay * ay < bx * bx + by * by
    x, y = np.where(nearer, ax, bx), np.where(nearer, ay, by)
    edge = np.maximum(x, x * half + y * 0.866)
    return _level(np.where(edge > rng.uniform(0.39, 0.43), 1, edge * edge))


def _dotted(at: _At) -> Level:
    u, v, rng = at
    if rng.random() < 0.5:
        u = u + 0.5 * _odd(v)
    x, y = _part(u) - 0.5, _part(v) - 0.5
    return _level(x * x + y * y < rng.uniform(0.24, 0.36) ** 2)


def _scaly(at: _At) -> Level:
    u, v, _ = at
    row, half = _odd(v * 2) * 0.5, 0.5
    x, y = _part(u + row) - half, _part(v * 2) * half
    top = np.sqrt(x * x + y * y)
    x, y = half - np.abs(x), half - y
    distance = np.where(top < 0.5, top, np.sqrt(x * x + y * y))
    inner = np.where(top < 0.5, 0.05, 0.3) + distance * 0.2
    return _level(np.where((top > 0.41) & (top < 0.51), 1, inner))


def _knitted(at: _At) -> Level:
    u, v, _ = at
    off = np.abs(_part(u) - 0.5)
    x, y = off - 0.25, _part(v * 1.3 + off * 1.6) - 0.5
    away = x * x * 18 + y * y * 5
    return _level(np.where(away > 1, 1, away * 0.35))


def _speckled(at: _At) -> Level:
    _, _, rng = at
    grain = noise(rng, int(rng.uniform(30, 48)))
    return _level(np.where(grain > rng.uniform(0.75, 1.0), 1, 0.3 * (grain < -0.9)))


def _marbled(at: _At) -> Level:
    u, _, rng = at
    flow = u + noise(rng, 5) * 0.45 + noise(rng, 11) * 0.16
    vein = 1 - np.abs(_part(flow) * 2 - 1) * 1.5
    return _level(np.maximum(vein, 0.12) + noise(rng, 6) * 0.08)


def _cracked(at: _At) -> Level:
    _, _, rng = at
    side, scale = 48, rng.uniform(2.8, 4.2) / 48
    axis = np.arange(side, dtype=np.float32) * scale
    first = second = np.full((side, side), 9, dtype=np.float32)
    for i in range(36):
        x, y = i % 6 + rng.uniform(-0.95, -0.05), i // 6 + rng.uniform(-0.95, -0.05)
        away = ((axis - x) ** 2)[None, :] + ((axis - y) ** 2)[:, None]
        second = np.minimum(second, np.maximum(first, away))
        first = np.minimum(first, away)
    gap = Image.fromarray(np.sqrt(second) - np.sqrt(first)).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
    return _level(np.where(np.asarray(gap) + noise(rng, 24) * 0.03 < 0.09, 1, 0.08))


def _spiral(at: _At) -> Level:
    u, v, rng = at
    turns = np.arctan2(v, u) * rng.choice([-0.5, 0.5]).astype(np.float32) / np.pi
    return _level(_part(np.sqrt(u * u + v * v) + turns) < rng.uniform(0.35, 0.6))


def _swirly(at: _At) -> Level:
    u, v, _ = at
    u = u + 0.5 * _odd(v)
    x, y = _part(u) - 0.5, _part(v) - 0.5
    away = np.sqrt(x * x + y * y)
    turns = np.arctan2(y, x) * np.float32(0.5 / np.pi) + np.floor(u) * 0.3
    return _level((_part(away * 4.2 + turns) < 0.5) & (away < 0.47))


def _bubbly(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    for x, y in _scattered(4, 0.2, rng)[:18]:
        size = rng.uniform(0.14, 0.34)
        pen.polygon(_CIRCLE * size + (x, y), second)
        pen.polygon(_CIRCLE * (size * 0.8) + (x, y), mix(first, second, rng.uniform(0.2, 0.45)))
        if size > 0.2:
            pen.polygon(_CIRCLE * 0.05 + (x - size * 0.3, y - size * 0.3), lighter(second, 0.6))


def _starry(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    points, size = int(rng.choice([5, 5, 6, 4])), rng.uniform(0.16, 0.24)
    for x, y in _scattered(5, 0.1, rng):
        outer = size * rng.uniform(0.7, 1.15)
        shade = mix(second, first, rng.uniform(0, 0.25))
        pen.polygon(star_points(x, y, outer, outer * 0.42, points, rng.uniform(0, 360)), shade)


def _scattered(count: int, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """Points (n, 2) of a moved lattice over -1.2 to 1.2, in random order."""
    at = np.linspace(-1.2, 1.2, count + 1)
    places = np.array([(x + (1.2 / count if j % 2 else 0), y) for j, y in enumerate(at) for x in at])
    return np.asarray(rng.permutation(places + rng.uniform(-jitter, jitter, places.shape)))


_CIRCLE = ellipse_points(0, 0, 1, 1, count=20)
_AXIS = ((np.arange(CANVAS) + 0.5) / (CANVAS / 2) - 1).astype(np.float32)
_MARKS: dict[str, Callable[[Pen, Colour, Colour, np.random.Generator], None]] = {
    "bubbly": _bubbly,
    "starry": _starry,
}
_FIELDS: dict[str, tuple[Callable[[_At], Level], tuple[float, float], float]] = {
    "bricked": (_bricked, (5, 9), 15),
    "checked": (_checked, (4, 9), 45),
    "cracked": (_cracked, (1, 2), 180),
    "crosshatched": (_crosshatched, (6, 9), 12),
    "dotted": (_dotted, (4, 8), 45),
    "gridded": (_gridded, (5, 9), 15),
    "honeycombed": (_honeycombed, (4, 7), 90),
    "knitted": (_knitted, (4, 6), 15),
    "marbled": (_marbled, (1.5, 3.5), 180),
    "scaly": (_scaly, (3.5, 6), 15),
    "speckled": (_speckled, (1, 2), 180),
    "spiral": (_spiral, (5, 9), 180),
    "striped": (_striped, (4, 10), 90),
    "swirly": (_swirly, (2.5, 4), 30),
    "tiled": (_tiled, (3, 5), 20),
    "wavy": (_wavy, (4, 8), 90),
    "woven": (_woven, (4, 7), 45),
    "zigzag": (_zigzag, (4, 8), 90),
}
"""Pattern -> its field, how many repeats fit the picture, and how far it may be turned (degrees)."""
