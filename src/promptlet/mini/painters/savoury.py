"""Painters of savoury dishes and salads."""

from __future__ import annotations

import numpy as np

from promptlet.mini.painters.tableware import Drawer, bits, blob, board, bowl, drips, layers, plate, spots
from promptlet.mini.palette import Colour, darker, lighter, near
from promptlet.mini.pen import Pen, curve_points, ellipse_points, rect_points


def _pizza(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    pen.ellipse(0, 0, 0.9, 0.88, near((205, 148, 78), rng, 8))
    pen.ellipse(0, 0, 0.77, 0.75, sauce)
    pen.polygon(blob(rng, 0, 0.72, 0.7, 0.06), near((248, 205, 90), rng, 8))
    bits(pen, rng, [(190, 58, 44)], 8, 0.13, 0.6)
    top = ((70, 130, 50), (60, 50, 60), (225, 205, 175))[rng.integers(3)]
    bits(pen, rng, [top], 9, 0.075, 0.62, 0.5)
    for turn in (0, 60, 120):
        x, y = 0.86 * np.cos(np.deg2rad(turn)), 0.86 * np.sin(np.deg2rad(turn))
        pen.line([(-x, -y), (x, y)], 0.03, (190, 130, 60))


def _egg(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    pan = near((70, 72, 80), rng, 6)
    pen.line([(0.5, -0.5), (0.92, -0.92)], 0.16, darker(pan, 0.3))
    pen.ellipse(-0.05, 0.05, 0.82, 0.8, pan)
    pen.ellipse(-0.05, 0.05, 0.7, 0.68, lighter(pan, 0.15))
    pen.polygon(blob(rng, 0.05, 0.56, 0.52, 0.13), near((250, 248, 240), rng, 5))
    x, y = rng.uniform(-0.12, 0.08), rng.uniform(0, 0.1)
    pen.ellipse(x, y, 0.24, 0.23, near((246, 178, 40), rng, 8))
    pen.ellipse(x - 0.08, y - 0.08, 0.06, 0.05, (255, 226, 140))


def _sushi(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    board(pen, rng)
    fish = [(240, 120, 80), (220, 60, 70), (250, 200, 90), (120, 180, 80)]
    for i, x in enumerate((-0.56, 0.0, 0.56)):
        pen.ellipse(x, 0.32, 0.25, 0.25, (38, 48, 44))
        pen.ellipse(x, 0.32, 0.19, 0.19, (248, 246, 238))
        pen.ellipse(x, 0.32, 0.09, 0.09, near(fish[(i + rng.integers(2)) % 4], rng, 8))
    for x in (-0.4, 0.4):
        colour = near(fish[rng.integers(2)], rng, 8)
        with pen.moved(x, -0.3):
            layers(pen, [(0.05, 0.33, 0.19, (248, 246, 238)), (-0.06, 0.35, 0.16, colour)], rng)
            for at in (-0.18, 0.0, 0.18):
                pen.line([(at - 0.05, 0.05), (at + 0.05, -0.17)], 0.035, lighter(colour, 0.45))


def _spaghetti(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng)
    pasta = near((240, 205, 120), rng, 7)
    pen.polygon(blob(rng, 0, 0.6, 0.56, 0.06), lighter(pasta, 0.1))
    for i, turn in enumerate(rng.uniform(0, 6, 13)):
        around = np.linspace(turn, turn + rng.uniform(1.2, 2.4), 8)
        ring = np.column_stack([np.cos(around), np.sin(around)]) * np.linspace(0.6, 1.0, 8)[:, None]
        strand = ring * [0.58, 0.55] * rng.uniform(0.75, 1.0)
        pen.line(strand, 0.05, lighter(pasta, 0.35) if i % 2 else darker(pasta, 0.22))
    pen.polygon(blob(rng, 0, 0.3, 0.27, 0.15), sauce)
    bits(pen, rng, [darker(sauce, 0.25)], 4, 0.06, 0.2)
    pen.ellipse(0.02, -0.05, 0.14, 0.07, (70, 140, 60), -30)


def _hamburger(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    bun = near((218, 152, 76), rng, 8)
    layers(pen, [(0.52, 0.74, 0.18, darker(bun, 0.08)), (0.3, 0.78, 0.13, (104, 62, 42))], rng)
    pen.polygon([(-0.76, 0.16), (0.76, 0.16), (0.5, 0.26), (0.24, 0.42), (-0.1, 0.24)], (250, 196, 60))
    layers(pen, [(0.12, 0.74, 0.08, (206, 62, 48))], rng)
    pen.polygon(drips(rng, -0.84, 0.84, -0.06, 0.08), near((110, 176, 66), rng))
    dome = ellipse_points(0, -0.02, 0.8, 0.68)
    pen.polygon(dome[dome[:, 1] <= 0.0], bun)
    for x, y in ((-0.4, -0.3), (-0.1, -0.5), (0.12, -0.28), (0.4, -0.36), (-0.2, -0.2)):
        pen.polygon(ellipse_points(x, y, 0.06, 0.035, 40 * x, 8), (252, 236, 200))


SALADS: dict[str, tuple[tuple[Colour, float, float], ...]] = {
    "green": (((70, 140, 54), 0.26, 0.55), ((136, 190, 84), 0.22, 0.55), ((210, 60, 50), 0.1, 1.0)),
    "fruit": (((244, 150, 50), 0.17, 1.0), ((214, 50, 66), 0.15, 0.8), ((140, 190, 70), 0.16, 1.0)),
    "tomato": (((214, 60, 46), 0.22, 0.95), ((250, 246, 234), 0.18, 0.9), ((70, 140, 54), 0.12, 0.5)),
}
"""Colour, size and flatness of the pieces in a salad."""


def _salad(pen: Pen, flavour: str, _: Colour, rng: np.random.Generator) -> None:
    bowl(pen, rng, darker(SALADS[flavour][0][0], 0.2))
    for i, (x, y, turn) in enumerate(spots(rng, 18, 0.58)[::-1]):
        colour, size, flat = SALADS[flavour][i % 3]
        shade = near(colour, rng, 12)
        pen.polygon(ellipse_points(x, y, size, size * flat, turn, count=14), shade)
        if flavour == "green" and i % 3 < 2:
            pen.line(rect_points(x, y, size * 1.3, 0, turn)[:2], 0.03, lighter(shade, 0.4))
        elif flavour == "fruit" and i % 3 != 1:
            pen.polygon(ellipse_points(x, y, size * 0.45, size * 0.45, count=8), lighter(shade, 0.45))


def _soup(pen: Pen, flavour: str, sauce: Colour, rng: np.random.Generator) -> None:
    bowl(pen, rng, darker(sauce, 0.18))
    pen.ellipse(0, 0.03, 0.68, 0.65, sauce)
    with pen.moved(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), 1, rng.uniform(0, 360)):
        turns = np.linspace(1.0, 10.0, 26)
        swirl = np.column_stack([np.cos(turns), np.sin(turns)]) * turns[:, None] * 0.04
        if flavour in ("pumpkin", "beet", "mushroom"):
            pen.line(swirl, 0.06, (252, 242, 222))
        if flavour != "beet":
            pen.ellipse(0.12, 0.1, 0.15, 0.08, (70, 140, 60), 30)
            pen.ellipse(-0.08, 0.16, 0.15, 0.08, (96, 164, 72), 130)
    if flavour in ("tomato", "pea"):
        for x, y, turn in spots(rng, 6, 0.48):
            pen.rect(x, y, 0.16, 0.16, near((226, 176, 96), rng, 8), turn)
    elif flavour == "pumpkin":
        bits(pen, rng, [(100, 120, 60)], 7, 0.06, 0.52, 0.6)


def _rice(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    bowl(pen, rng, (214, 206, 186))
    pen.polygon(blob(rng, 0, 0.66, 0.64, 0.04), (238, 232, 214))
    for x, y, turn in spots(rng, 20, 0.58):
        pen.polygon(ellipse_points(x, y, 0.1, 0.045, turn, 8), near((254, 252, 246), rng, 3))
    bits(pen, rng, [(84, 160, 58), (110, 182, 74)], 13, 0.085, 0.56)


def _sandwich(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng, 0.42, 0.42)
    crust, crumb = near((178, 116, 60), rng, 7), near((246, 224, 178), rng, 5)
    pen.polygon([(-0.82, -0.08), (0, -0.72), (0.82, -0.08)], crust)
    pen.polygon([(-0.66, -0.08), (0, -0.6), (0.66, -0.08)], crumb)
    pen.rect(0, 0.48, 1.56, 0.2, crumb)
    pen.rect(0, 0.56, 1.56, 0.06, crust)
    pen.rect(0, 0.34, 1.62, 0.14, near(((236, 140, 140), (250, 200, 70))[rng.integers(2)], rng, 8))
    pen.rect(0, 0.24, 1.6, 0.1, (206, 58, 46))
    pen.polygon(drips(rng, -0.84, 0.84, 0.08, 0.22), near((110, 176, 66), rng))
    pen.rect(0, 0.02, 1.64, 0.2, darker(crumb, 0.08))


def _hot_dog(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng, 0.06, 0.6)
    bun, sausage = near((222, 160, 86), rng, 8), near((184, 74, 48), rng, 8)
    with pen.moved(0, 0, 1, rng.uniform(-22, -8)):
        layers(pen, [(0.14, 0.72, 0.26, darker(bun, 0.12)), (-0.16, 0.72, 0.22, bun)], rng)
        layers(pen, [(0, 0.9, 0.17, sausage), (-0.05, 0.8, 0.06, lighter(sausage, 0.2))], rng)
        zigzag = [(-0.7 + 0.175 * i, 0.1 if i % 2 else -0.1) for i in range(9)]
        pen.line(zigzag, 0.07, ((250, 206, 50), (206, 36, 30))[int(rng.random() < 0.25)])


def _fish(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng, 0.0, 0.62)
    skin = near(((170, 140, 104), (150, 152, 156), (196, 150, 96))[rng.integers(3)], rng, 8)
    pen.polygon([(0.4, 0), (0.86, -0.3), (0.76, 0), (0.86, 0.3)], darker(skin, 0.2))
    pen.polygon([(-0.1, -0.2), (0.1, -0.4), (0.3, -0.14)], darker(skin, 0.2))
    pen.polygon(
        np.vstack(
            [
                curve_points([(-0.86, 0.02), (-0.3, -0.56), (0.56, 0)]),
                curve_points([(0.56, 0), (-0.3, 0.6), (-0.86, 0.02)]),
            ]
        ),
        skin,
    )
    for x in (-0.3, -0.1, 0.1, 0.28):
        pen.line([(x - 0.05, 0.14), (x + 0.05, -0.14)], 0.05, darker(skin, 0.6))
    pen.line(curve_points([(-0.52, -0.2), (-0.42, 0.02), (-0.52, 0.22)], 6), 0.035, darker(skin, 0.4))
    pen.ellipse(-0.66, -0.03, 0.045, 0.045, (30, 30, 34))
    for x in (-0.16, 0.2):
        pen.ellipse(x, 0.4, 0.17, 0.14, (244, 208, 50))
        pen.ellipse(x, 0.4, 0.11, 0.09, (254, 240, 150))


def _tacos(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    board(pen, rng)
    for x, y in ((-0.3, -0.02), (0.3, 0.12)):
        with pen.moved(x, y + 0.36, 0.98, rng.uniform(-6, 6)):
            shell = near((240, 190, 90), rng, 7)
            half = ellipse_points(0, 0, 0.56, 0.66)
            pen.polygon(half[half[:, 1] <= 0.01] + [0.05, -0.12], darker(shell, 0.22))
            for i, turn in enumerate(np.deg2rad(np.arange(195, 350, 15))):
                shade = ((108, 176, 62), (208, 58, 44), (122, 74, 46))[i % 3]
                pen.polygon(
                    ellipse_points(
                        0.03 + 0.5 * np.cos(turn), -0.06 + 0.6 * np.sin(turn), 0.11, 0.09, count=9
                    ),
                    shade,
                )
            pen.polygon(half[half[:, 1] <= 0.01], shell)
            bits(pen, rng, [darker(shell, 0.15)], 4, 0.04, 0.16)


SAVOURY_DISHES: dict[str, Drawer] = {
    "pizza": _pizza,
    "fried egg": _egg,
    "sushi": _sushi,
    "spaghetti": _spaghetti,
    "hamburger": _hamburger,
    "salad": _salad,
    "soup": _soup,
    "rice and peas": _rice,
    "sandwich": _sandwich,
    "hot dog": _hot_dog,
    "grilled fish": _fish,
    "tacos": _tacos,
}
