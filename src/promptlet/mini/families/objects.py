"""Everyday objects told apart by shape (the mini world's Caltech101)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import COLOURS, SYNONYMS, Colour, darker, lighter, near
from promptlet.mini.pen import Pen, curve_points, ellipse_points

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of a {}."

WORDS: dict[str, tuple[str, str, str]] = {
    "anchor": ("mooring hook", "ship's hook", "two flukes"),
    "apple": ("orchard fruit", "crisp fruit", "a stalk and dimple"),
    "balloon": ("party inflatable", "helium toy", "a dangling string"),
    "bell": ("chime", "ringer", "a clapper"),
    "book": ("open novel", "volume", "two pages of text"),
    "bottle": ("flask", "glass vessel", "a narrow neck"),
    "chair": ("seat", "dining stool", "an upright back"),
    "clock": ("timepiece", "round dial", "two hands"),
    "crown": ("coronet", "royal headpiece", "jewelled points"),
    "cup": ("mug", "coffee beaker", "an ear handle"),
    "envelope": ("sealed letter", "mail", "a folded flap"),
    "fork": ("pronged cutlery", "table utensil", "four tines"),
    "guitar": ("ukulele", "plucked instrument", "a waisted body"),
    "hammer": ("mallet", "carpenter's tool", "a claw head"),
    "hat": ("fedora", "headgear", "a wide brim"),
    "house": ("cottage", "home", "a gabled roof"),
    "key": ("latchkey", "door opener", "a toothed bit"),
    "kite": ("flying diamond", "wind toy", "a ribbon tail"),
    "lamp": ("bedside light", "reading light", "a flared shade"),
    "leaf": ("foliage", "frond", "branching veins"),
    "mushroom": ("toadstool", "fungus", "a spotted cap"),
    "pencil": ("crayon", "writing tool", "a sharpened tip"),
    "rocket": ("spaceship", "spacecraft", "fins and flame"),
    "scissors": ("shears", "paper cutter", "two crossed blades"),
    "star": ("pentagram", "night sky sign", "five points"),
    "table": ("desk", "dining board", "four legs"),
    "tree": ("oak", "woodland plant", "a trunk and canopy"),
    "umbrella": ("parasol", "rain shelter", "a hooked handle"),
}
"""Two other nouns for each, and what may be said after `with`."""

DRAWINGS = """
anchor 0 grey blue black teal
  curve main .15 -.66,.2 -.6,.8 0,.82 .6,.8 .66,.2 | polys dark .92,.36 .68,-.04 .48,.34
  line main .15 0,-.46 0,.74 | ring main .11 0,-.66 .17,.17 | line dark .13 -.36,-.3 .36,-.3
apple 0 red green yellow
  round main 0,-.34 .25,-.58 .78,-.5 .88,.1 .6,.78 .25,.9 0,.76
  blob light -.6,-.2 -.35,-.42 -.35,-.1 -.58,.15 | curve brown .09 0,-.36 0,-.65 .12,-.82
  blob green .05,-.58 .2,-.95 .68,-.9 .4,-.55
balloon 0 red blue yellow green pink purple orange
  curve grey .04 0,.5 .25,.7 -.25,.8 .05,.98 | half dark 0,.36 .13,.56
  round main .3,-.92 .72,-.75 .74,-.1 .36,.36 0,.5 | blob light -.42,-.3 -.4,-.65 -.16,-.72 -.26,-.4
bell 0 yellow orange grey red
  oval dark 0,.66 .17,.17 | ring dark .09 0,-.76 .11,.12
  round main .1,-.72 .38,-.66 .46,-.2 .5,.2 .82,.62 .7,.64 .2,.64 | half dark .54,.36 .66,.48
  blob light -.28,-.5 -.14,-.5 -.2,.2 -.34,.2
book 0 red blue green brown purple
  half main 0,-.42 .92,-.52 .92,.56 0,.7
  polys white 0,-.42 .2,-.55 .5,-.58 .82,-.52 .82,.42 .5,.38 .2,.44 0,.58
  lines grey .045 .16,-.26 .68,-.32 | lines grey .045 .16,-.04 .68,-.1 | lines? grey .045 .16,.18 .68,.12
  line dark .06 0,-.4 0,.6
bottle 0 green brown blue teal
  round main .14,-.88 .14,-.5 .16,-.36 .4,-.12 .4,.1 .4,.76 .4,.9 .28,.9 | line light .07 -.25,0 -.25,.76
  half trim .18,-.92 .18,-.74 | half white .4,.18 .4,.58 | half? trim .2,.3 .2,.46
chair 0 brown red blue orange grey
  line dark .1 -.12,.2 -.1,.66 | line dark .1 .6,.16 .62,.72
  poly main -.6,-.9 -.16,-.8 -.12,.06 -.52,.16 | poly? dark -.5,-.68 -.25,-.62 -.23,-.2 -.46,-.2
  line main .11 -.5,.2 -.54,.92 | line main .11 .34,.3 .36,.92 | poly light -.58,.14 -.12,0 .66,.08 .36,.3
  poly dark -.58,.14 .36,.3 .66,.08 .66,.16 .36,.4 -.58,.24
clock 0 red blue brown black green teal
  ovals? dark .5,-.68 .22,.2 | lines? dark .12 .45,.6 .62,.86 | oval main 0,0 .84,.84
  oval white 0,0 .66,.66 | lines grey-dark .06 .48,0 .57,0 | line grey-dark .06 0,.48 0,.57
  line grey-dark .06 0,-.48 0,-.57 | hand black .1 0,0 .34 | hand black .07 0,0 .5 | oval dark 0,0 .08,.08
crown 0 yellow orange
  half main 0,-.66 .3,-.02 .84,-.52 .66,.68 | half dark .71,.42 .66,.68 | oval trim 0,-.7 .11,.11
  ovals trim .84,-.56 .11,.11 | oval red 0,.55 .1,.09 | ovals teal .38,.55 .08,.08
cup 0 white red blue teal yellow
  oval dark 0,.7 .8,.15 | ring main .13 .54,.02 .26,.28 | round main .58,-.56 .58,-.4 .54,.2 .4,.7 .2,.72
  oval dark 0,-.54 .58,.15 | oval brown 0,-.51 .48,.09 | half? trim .57,-.1 .54,.12
envelope 0 white yellow pink brown teal
  half main .9,-.56 .9,.6 | line dark .05 -.88,.58 0,-.1 .88,.58 | half light .9,-.56 0,.16
  line dark .05 -.9,-.56 0,.16 .9,-.56 | oval? red 0,.14 .13,.13
fork 0 grey yellow brown
  half main .05,-.4 .05,-.9 .14,-.9 .15,-.4 .25,-.4 .26,-.9 .35,-.9 .35,-.2 .22,.0 .09,.12 .07,.4 .12,.92
  line dark .06 0,.4 0,.8
guitar 30 brown orange red
  half brown-dark .15,-.94 .1,-.66 | round main .1,-.16 .4,-.24 .5,0 .28,.2 .64,.36 .66,.8 .3,.92
  half dark .08,-.68 .08,.2 | oval black 0,.22 .16,.16 | half black .2,.58 .2,.68
hammer 35 brown red yellow blue
  half main .1,-.5 .13,.92 | line dark .05 .03,-.2 .05,.86
  poly grey -.46,-.82 .26,-.76 .26,-.42 -.46,-.36
  blob grey .16,-.8 .5,-.8 .86,-.3 .86,-.22 .5,-.5 .16,-.4
  poly grey-dark -.58,-.86 -.42,-.86 -.42,-.32 -.58,-.32
hat 0 black brown red blue grey
  oval dark 0,.5 .92,.24 | round main 0,-.44 .3,-.66 .52,-.52 .56,.1 .58,.56 .3,.62
  half trim .55,.18 .58,.44
house 0 yellow white orange pink teal
  poly grey-dark .34,-.8 .54,-.8 .54,-.2 .34,-.2 | half main .64,-.14 .64,.84 | half trim 0,-.86 .86,-.06
  half brown .15,.3 .15,.84 | polys white .3,.12 .52,.12 .52,.36 .3,.36
key 40 yellow grey orange brown
  ring main .16 0,-.54 .27,.27 | line main .14 0,-.24 0,.86 | poly dark .02,.42 .32,.42 .32,.56 .02,.56
  poly dark .02,.7 .4,.7 .4,.86 .02,.86
kite 20 red blue yellow green purple pink
  curve grey-dark .05 0,.5 .5,.66 -.5,.84 .1,1.0 | poly trim .04,.7 .26,.56 .26,.8
  half main 0,-.96 .66,-.32 0,.6 | poly light 0,-.96 .66,-.32 0,-.32 | poly dark -.66,-.32 0,-.32 0,.6
  line trim .04 0,-.92 0,.56
lamp 0 yellow orange red teal green
  oval yellow 0,-.04 .18,.14 | line brown .11 0,0 0,.72 | round brown-dark .1,.64 .46,.74 .46,.88 .2,.88
  half main .32,-.86 .66,-.08 | half light .08,-.86 .14,-.08 | line? grey-dark .045 .44,-.06 .44,.24
leaf 25 green orange red yellow
  line dark .08 0,.5 0,.94 | round main 0,-.96 .3,-.6 .62,-.05 .44,.5 .1,.62 | line dark .06 0,-.6 0,.6
  lines dark .045 0,-.16 .24,-.38 | lines dark .045 0,.12 .36,-.12 | lines dark .045 0,.38 .36,.16
mushroom 0 red brown orange
  round yellow-light .2,-.1 .2,.4 .36,.84 .2,.92 | oval dark 0,.04 .74,.16
  round main .3,-.84 .76,-.62 .98,.06 .6,.12 .2,.06 | oval white 0,-.46 .16,.13
  ovals white .48,-.16 .13,.1 | ovals? white .34,-.64 .07,.06
pencil 42 yellow red blue green orange
  round pink .18,-.92 .18,-.8 .18,-.6 | half grey .18,-.78 .18,-.6 | half main .18,-.62 .18,.5
  half light .06,-.62 .06,.5 | half yellow-light .18,.5 0,.94 | half black .07,.76 0,.94
rocket 18 white grey red blue
  half orange .22,.5 0,.98 | half yellow .1,.5 0,.82 | polys trim .2,.06 .62,.5 .62,.78 .2,.56
  round main 0,-.98 .1,-.8 .38,-.36 .36,.24 .24,.6 .16,.6 | half trim 0,-.84 .19,-.56
  oval dark 0,-.18 .19,.19 | oval teal-light 0,-.18 .12,.12
scissors 0 red blue orange black green
  polys grey -.24,.34 -.1,.44 .4,-.82 .36,-.92 .22,-.8 | rings main .13 .36,.6 .22,.25
  lines main .12 .12,.22 .26,.4 | oval dark 0,.08 .08,.08
star 0 yellow orange red blue
  half main 0,-.92 .24,-.33 .88,-.29 .39,.13 .54,.74 0,.42
  poly light 0,0 0,-.92 .24,-.33 0,0 .88,-.29 .39,.13 0,0 .54,.74 0,.42
  poly light 0,0 -.54,.74 -.39,.13 0,0 -.88,-.29 -.24,-.33
table 0 brown orange teal grey
  lines dark .1 .54,.1 .54,.6 | lines main .13 .8,.1 .8,.86 | half light .62,-.32 .92,.04
  half main .92,.03 .92,.17 | oval? trim 0,-.14 .26,.08
tree 0 green orange yellow
  half brown .1,.1 .2,.92 | ovals dark .42,.02 .4,.36 | oval main 0,-.38 .56,.5
  ovals main .3,.02 .34,.32 | oval light -.2,-.5 .22,.18 | ovals? red .3,.06 .08,.08
umbrella 0 red blue yellow purple green pink
  line brown .07 0,-.86 0,.66 | curve brown .08 0,.62 0,1.02 .34,1.02 .32,.66
  half main 0,-.76 .34,-.68 .66,-.46 .84,-.16 .9,.14 .6,.02 .3,.14 0,.02
  half dark 0,-.76 .2,-.44 .3,.14 .15,.04 0,.02 | blob light -.66,-.2 -.42,-.56 -.34,-.5 -.5,-.12
"""
"""Each noun's tilt and usual colours, and its parts: a shape, its shade, a line's width, points. A final
`s` adds the mirror image, `half` and `round` (smooth) join their points to it, `?` means only sometimes."""


@dataclass(frozen=True)
class Thing:
    """An object, in a colour or (none) any that suits it."""

    noun: str
    colour: str | None = None


@dataclass(frozen=True)
class _Part:
    """One shape of a drawing: a polygon, or a line where ``width`` is above 0."""

    points: np.ndarray
    shade: str
    width: float
    some: bool
    free: bool


CLASSES: dict[str, Thing] = {noun: Thing(noun) for noun in WORDS}


def sample(rng: np.random.Generator) -> Thing:
    """Any object, half of them in a colour of any kind."""
    colour = str(rng.choice([*COLOURS])) if rng.random() < 0.5 else None
    return Thing(str(rng.choice([*WORDS])), colour)


def caption(spec: Thing, rng: np.random.Generator) -> str:
    """A phrase about an object, in the class name's word only sometimes."""
    *others, detail = WORDS[spec.noun]
    phrase = spec.noun if rng.random() < 0.36 else str(rng.choice(others))
    if spec.colour and rng.random() < 0.9:
        phrase = f"{rng.choice(SYNONYMS[spec.colour])} {phrase}"
    return f"{phrase} with {detail}" if rng.random() < 0.3 else phrase


def draw(pen: Pen, spec: Thing, rng: np.random.Generator) -> None:
    """An object, tilted and bent a little, about -0.9 to 0.9."""
    tilt, usual, parts = _DRAWN[spec.noun]
    shades = _Shades(spec.colour or str(rng.choice(usual)), rng)
    taper, bow, grow = rng.uniform(-0.13, 0.13), rng.uniform(-0.07, 0.07), rng.uniform(0.82, 0.95)
    wide, angle = rng.uniform(0.86, 1.04), tilt + rng.uniform(-11, 11)
    kept = {True: rng.random() < 0.5, False: True}
    with pen.moved(scale=(wide * grow, grow), angle=angle, shear=rng.uniform(-0.08, 0.08)):
        for part in parts:
            if not kept[part.some]:
                continue
            points = _spun(part.points, rng) if part.free else part.points
            x, y = points[:, 0], points[:, 1]
            bent = np.column_stack([x * (1 + taper * y) + bow * (1 - y * y), y])
            if part.width:
                pen.line(bent, part.width, shades[part.shade])
            else:
                pen.polygon(bent, shades[part.shade])


class _Shades(dict[str, Colour]):
    """The colours of one drawing by name, made when first asked for."""

    def __init__(self, colour: str, rng: np.random.Generator) -> None:
        main = near(colour, rng)
        trims = [name for name in ("red", "blue", "yellow", "white", "teal", "brown") if name != colour]
        super().__init__(main=main, dark=darker(main, 0.28), light=lighter(main, 0.32))
        self["trim"] = near(str(rng.choice(trims)), rng)
        self._rng = rng

    def __missing__(self, name: str) -> Colour:
        base, _, change = name.partition("-")
        colour = near(base, self._rng, 9.0)
        self[name] = {"dark": darker, "light": lighter}[change](colour) if change else colour
        return self[name]


def _spun(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A clock's hand, from the first point at the length in the second, at any angle."""
    turn = rng.uniform(0, 2 * np.pi)
    tip = np.array([np.cos(turn), np.sin(turn)]) * points[1, 0]
    return np.stack([points[0], points[0] + tip])


def _smooth(points: np.ndarray) -> np.ndarray:
    """The closed polygon with its corners cut twice."""
    for _ in range(2):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1).reshape(-1, 2)
    return points


def _shaped(kind: str, points: np.ndarray) -> np.ndarray:
    """The outline that a kind of shape makes of its points."""
    if kind in ("half", "round"):
        points = np.concatenate([points, points[::-1] * [-1, 1]])
    if kind in ("round", "blob"):
        return _smooth(points)
    if kind in ("oval", "ring"):
        outline = ellipse_points(*points[0], *points[1])
        return outline if kind == "oval" else np.concatenate([outline, outline[:2]])
    return curve_points([(x, y) for x, y in points]) if kind == "curve" else points


def _parsed(line: str) -> list[_Part]:
    """The shapes of one line of a drawing: one, or two that mirror each other."""
    kind, shade, *numbers = line.split()
    some, kind = kind.endswith("?"), kind.rstrip("?")
    twice, kind = kind.endswith("s"), kind.rstrip("s")
    width = float(numbers.pop(0)) if kind in ("line", "curve", "ring", "hand") else 0.0
    if kind == "hand":
        numbers[1] += ",0"
    outline = _shaped(kind, np.array([[float(value) for value in pair.split(",")] for pair in numbers]))
    part = _Part(outline, shade, width, some, kind == "hand")
    return [_Part(outline * [-1, 1], shade, width, some, False), part] if twice else [part]


def _read(text: str) -> dict[str, tuple[float, list[str], list[_Part]]]:
    """All drawings: tilt, usual colours and shapes of each noun."""
    drawn: dict[str, tuple[float, list[str], list[_Part]]] = {}
    for block in text.strip().replace("\n  ", "|").splitlines():
        head, *lines = block.split("|")
        noun, tilt, *usual = head.split()
        drawn[noun] = float(tilt), usual, [part for line in lines for part in _parsed(line)]
    return drawn


_DRAWN = _read(DRAWINGS)
