"""People doing things: a jointed figure and a prop (the mini world's UCF101)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import COLOURS, SYNONYMS, Colour, darker, lighter, near
from promptlet.mini.pen import Pen, Point, curve_points, ellipse_points

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of {}."

Limb = tuple[float, float]
Shape = tuple[str, str, tuple[float, ...]]


@dataclass(frozen=True)
class Action:
    """What a person does; without ``shirt`` its colour is left to chance."""

    name: str
    shirt: str | None = None


@dataclass(frozen=True)
class Pose:
    """Where the hip is, and which way each bone points, in degrees.

    0 is down, 90 to the right (where the person looks), 180 up, -90 to the left. A limb is (upper, lower).
    """

    hip: Point
    torso: float
    near_arm: Limb
    far_arm: Limb
    near_leg: Limb
    far_leg: Limb


POSES: dict[str, Pose] = {
    # name                hip            torso  near arm      far arm       near leg     far leg
    "archery": Pose((-0.15, 0.14), 180, (88, 90), (-85, 95), (14, 8), (-16, -8)),
    "boxing": Pose((-0.3, 0.14), 170, (60, 140), (95, 90), (30, -5), (-25, -12)),
    "cycling": Pose((-0.18, -0.02), 145, (45, 25), (40, 20), (62, -15), (30, -20)),
    "dancing": Pose((0.0, 0.14), 175, (145, 170), (-100, -140), (4, 0), (-50, -75)),
    "fishing": Pose((-0.42, 0.22), 175, (50, 95), (40, 80), (85, 5), (70, 0)),
    "golf swing": Pose((-0.1, 0.14), 165, (-95, -125), (-85, -135), (18, 5), (-16, -8)),
    "handstand": Pose((0.0, -0.2), 0, (14, -4), (-14, 4), (165, 172), (-160, -150)),
    "juggling": Pose((0.0, 0.18), 180, (25, 110), (-25, -110), (10, 4), (-10, -4)),
    "jump rope": Pose((0.0, 0.0), 180, (30, 75), (-30, -75), (25, -35), (8, -40)),
    "playing drums": Pose((-0.42, 0.24), 175, (40, 95), (70, 125), (80, 5), (65, 0)),
    "push ups": Pose((-0.12, 0.31), 108, (-50, 30), (-40, 25), (-72, -72), (-68, -70)),
    "rowing": Pose((-0.25, 0.3), 165, (70, 80), (60, 75), (75, 80), (80, 80)),
    "running": Pose((-0.05, 0.1), 163, (50, 135), (-65, 20), (-30, -95), (68, -8)),
    "skiing": Pose((-0.15, 0.05), 148, (30, 85), (45, 95), (55, -20), (40, -25)),
    "surfing": Pose((-0.05, 0.0), 168, (85, 100), (-95, -110), (52, 0), (-45, -5)),
    "swimming": Pose((-0.2, 0.16), 106, (165, 75), (-40, 60), (-82, -95), (-95, -80)),
    "throwing a ball": Pose((-0.1, 0.14), 172, (-120, 165), (80, 100), (-30, -25), (45, 0)),
    "walking a dog": Pose((-0.4, 0.14), 177, (25, 65), (-25, -10), (22, 12), (-20, -32)),
    "weight lifting": Pose((0.0, 0.18), 180, (130, 178), (-130, -178), (32, 5), (-32, -5)),
    "yoga pose": Pose((0.0, 0.14), 180, (150, -160), (-150, 160), (70, -75), (0, 0)),
    # only to learn from
    "kicking": Pose((-0.15, 0.12), 190, (60, 80), (-60, -40), (65, 55), (-10, -15)),
    "playing guitar": Pose((0.0, 0.14), 180, (-15, 75), (50, 100), (12, 4), (-12, -4)),
    "sitting": Pose((-0.1, 0.2), 180, (20, 70), (15, 65), (88, 2), (80, 0)),
    "sweeping": Pose((-0.25, 0.14), 165, (50, 30), (30, 80), (15, 5), (-15, -10)),
    "tennis": Pose((-0.15, 0.14), 168, (100, 135), (-70, -30), (35, 0), (-25, -25)),
    "waving": Pose((0.0, 0.14), 180, (120, 165), (-20, -8), (10, 3), (-10, -3)),
}

PHRASES: dict[str, tuple[str, ...]] = {
    "archery": ("shooting an arrow", "aiming with a bow"),
    "boxing": ("punching a bag", "a fight with gloves"),
    "cycling": ("riding a bicycle", "pedalling a bike"),
    "dancing": ("a dance", "moving to music"),
    "fishing": ("angling", "catching a fish with a rod"),
    "golf swing": ("hitting a ball with a golf club", "a swing of the club"),
    "handstand": ("standing upside down", "balancing on both hands"),
    "juggling": ("tossing three balls", "keeping balls in the air"),
    "jump rope": ("rope skipping", "skipping over a rope"),
    "playing drums": ("drumming", "beating a drum kit"),
    "push ups": ("press ups", "floor exercise on both arms"),
    "rowing": ("pulling the oars of a boat", "paddling"),
    "running": ("a sprint", "jogging"),
    "skiing": ("gliding down a snowy slope", "sliding on two skis"),
    "surfing": ("riding a wave on a board", "balancing on a surfboard"),
    "swimming": ("front crawl in a pool", "a swim in the water"),
    "throwing a ball": ("pitching", "hurling a ball"),
    "walking a dog": ("a stroll with a puppy", "leading a dog on a leash"),
    "weight lifting": ("lifting a barbell", "holding a weight overhead"),
    "yoga pose": ("balancing on one leg", "a tree pose"),
    "kicking": ("a football kick", "kicking a ball"),
    "playing guitar": ("strumming a guitar", "music on a guitar"),
    "sitting": ("a rest on a chair", "sitting on a chair"),
    "sweeping": ("cleaning with a broom", "sweeping the floor"),
    "tennis": ("hitting a ball with a racket", "a tennis swing"),
    "waving": ("a greeting", "waving a hand"),
}

TINTS: dict[str, Colour] = {
    "water": (74, 159, 208),
    "foam": (232, 243, 248),
    "snow": (223, 233, 242),
    "grass": (130, 172, 100),
}
SKINS: tuple[Colour, ...] = ((244, 206, 174), (224, 172, 130), (176, 120, 82), (120, 78, 54))
HAIRS: tuple[Colour, ...] = ((45, 35, 35), (92, 58, 38), (190, 140, 70), (150, 75, 45))
THIGH, SHIN, TORSO, ARM, FOREARM = 0.36, 0.36, 0.48, 0.28, 0.28

BEHIND: dict[str, tuple[Shape, ...]] = {
    "boxing": (("line", "black", (0.55, -0.95, 0.55, -0.6)), ("rect", "red", (0.55, -0.2, 0.32, 0.85))),
    "cycling": (
        *(("ring", "black", (x, 0.5, 0.34)) for x in (-0.48, 0.48)),
        ("line", "teal", (-0.48, 0.5, -0.22, 0.05, 0.36, 0.05, 0.02, 0.52, -0.48, 0.5)),
        ("line", "teal", (0.48, 0.5, 0.34, -0.08, 0.24, -0.1)),
        ("line", "teal", (0.02, 0.52, -0.24, 0.02)),
        ("rect", "black", (-0.24, 0.04, 0.24, 0.08)),
    ),
    "dancing": (
        *(("disc", "purple", (x, y, 0.09)) for x, y in ((0.6, -0.1), (-0.7, -0.5))),
        ("line", "purple", (0.67, -0.1, 0.67, -0.4, 0.8, -0.34)),
        ("line", "purple", (-0.63, -0.5, -0.63, -0.8, -0.5, -0.74)),
    ),
    "fishing": (
        ("poly", "water", (0.12, 0.74, 0.9, 0.74, 0.9, 0.95, 0.12, 0.95)),
        ("rect", "brown", (-0.46, 0.58, 0.4, 0.6)),
        ("line", "grey", (0.86, -0.45, 0.84, 0.45)),
        ("poly", "orange", (0.84, 0.42, 0.93, 0.55, 0.85, 0.66, 0.92, 0.76, 0.76, 0.76, 0.75, 0.55)),
    ),
    "golf swing": (
        ("rect", "grass", (0.0, 0.9, 1.7, 0.08)),
        ("line", "grey", (0.75, 0.86, 0.75, -0.1)),
        ("poly", "red", (0.75, -0.1, 0.45, 0.03, 0.75, 0.16)),
        ("disc", "white", (0.33, 0.8, 0.07)),
    ),
    "handstand": (("rect", "purple", (0.0, 0.9, 1.3, 0.09)),),
    "juggling": tuple(
        ("disc", colour, (x, y, 0.11))
        for colour, x, y in (("red", -0.42, -0.62), ("yellow", 0.05, -0.88), ("blue", 0.45, -0.55))
    ),
    "playing drums": (("rect", "brown", (-0.44, 0.62, 0.34, 0.55)),),
    "push ups": (("rect", "teal", (-0.1, 0.66, 1.7, 0.1)),),
    "rowing": (("line", "brown", (0.72, 0.02, -0.1, 0.85)),),
    "skiing": (("poly", "snow", (-0.95, 0.58, 0.95, 0.84, 0.95, 0.98, -0.95, 0.98)),),
    "surfing": (
        (
            "poly",
            "water",
            (-0.95, 0.2, -0.8, -0.3, -0.45, -0.5, -0.6, -0.1, -0.3, 0.55, 0.95, 0.7, 0.95, 0.95, -0.95, 0.95),
        ),
        ("poly", "foam", (-0.86, -0.15, -0.75, -0.45, -0.4, -0.6, -0.35, -0.42, -0.62, -0.28)),
    ),
    "walking a dog": (
        ("rect", "brown", (0.5, 0.55, 0.42, 0.18)),
        *(("rect", "brown", (x, 0.73, 0.09, 0.28)) for x in (0.34, 0.66)),
        ("line", "brown", (0.3, 0.5, 0.18, 0.36)),
        ("disc", "brown", (0.75, 0.42, 0.14)),
        ("poly", "black", (0.62, 0.3, 0.72, 0.3, 0.7, 0.52, 0.6, 0.48)),
        ("disc", "black", (0.88, 0.44, 0.05)),
    ),
    "yoga pose": (("rect", "pink", (0.0, 0.9, 1.2, 0.09)),),
    "kicking": (("disc", "white", (0.72, 0.35, 0.15)),),
    "sitting": (
        ("rect", "brown", (-0.1, 0.38, 0.46, 0.12)),
        ("rect", "brown", (-0.34, 0.2, 0.09, 1.2)),
        ("rect", "brown", (0.1, 0.62, 0.08, 0.5)),
    ),
    "tennis": (("disc", "yellow", (0.8, -0.25, 0.08)),),
}
FRONT: dict[str, tuple[Shape, ...]] = {
    "playing drums": (
        ("disc", "red", (0.42, 0.54, 0.33)),
        ("disc", "white", (0.42, 0.54, 0.24)),
        ("rect", "red", (0.2, 0.2, 0.36, 0.2)),
        ("rect", "white", (0.2, 0.12, 0.4, 0.07)),
        ("line", "grey", (0.78, 0.85, 0.78, -0.2)),
        ("poly", "yellow", (0.5, -0.18, 0.78, -0.32, 0.95, -0.22, 0.78, -0.16)),
    ),
    "rowing": (
        ("poly", "brown", (-0.95, 0.3, -0.7, 0.42, 0.65, 0.42, 0.95, 0.28, 0.7, 0.72, -0.7, 0.72)),
        ("poly", "water", (-0.95, 0.62, -0.4, 0.68, 0.3, 0.62, 0.95, 0.66, 0.95, 0.92, -0.95, 0.92)),
    ),
    "skiing": (("line", "red", (-0.7, 0.62, 0.5, 0.78, 0.66, 0.72)),),
    "surfing": (("poly", "yellow", (-0.65, 0.6, 0.5, 0.62, 0.8, 0.5, 0.65, 0.72, 0.3, 0.78, -0.5, 0.72)),),
    "swimming": (
        ("poly", "water", (-0.95, 0.2, -0.5, 0.3, 0, 0.22, 0.5, 0.3, 0.95, 0.22, 0.95, 0.85, -0.95, 0.85)),
        ("line", "foam", (-0.7, 0.5, -0.45, 0.45, -0.2, 0.5)),
        ("line", "foam", (0.2, 0.62, 0.45, 0.57, 0.7, 0.62)),
    ),
}
HAND: dict[str, tuple[Shape, ...]] = {  # about the near hand
    "boxing": (("disc", "red", (0.0, 0.0, 0.12)),),
    "fishing": (("line", "brown", (-0.1, 0.05, 0.86, -0.62)),),
    "golf swing": (("line", "grey", (0.0, 0.0, -0.04, -0.5)), ("rect", "black", (0.03, -0.5, 0.2, 0.09))),
    "playing drums": (("line", "brown", (0.0, 0.0, 0.36, 0.06)),),
    "skiing": (("line", "black", (0.0, -0.05, -0.5, 0.55)),),
    "throwing a ball": (("disc", "orange", (-0.02, -0.1, 0.13)),),
    "weight lifting": (
        ("line", "grey", (0.5, 0.0, -1.0, 0.0)),
        *(("rect", "black", (x, 0.0, 0.12, 0.42)) for x in (0.35, -0.85)),
    ),
    "playing guitar": (
        ("line", "black", (0.05, 0.0, 0.6, -0.35)),
        ("disc", "orange", (0.0, 0.0, 0.19)),
        ("disc", "orange", (-0.16, 0.12, 0.23)),
        ("disc", "black", (-0.06, 0.05, 0.07)),
    ),
    "sweeping": (("line", "brown", (-0.15, -0.4, 0.2, 0.6)), ("rect", "yellow", (0.24, 0.66, 0.36, 0.2))),
    "tennis": (("line", "black", (0.0, 0.0, 0.12, -0.16)), ("ring", "red", (0.22, -0.32, 0.17))),
}


PRETRAIN_ONLY = 6
CLASSES: dict[str, Action] = {name: Action(name) for name in list(POSES)[:-PRETRAIN_ONLY]}


def sample(rng: np.random.Generator) -> Action:
    """Any action, in a shirt of any colour."""
    shirt = str(rng.choice([*COLOURS])) if rng.random() < 0.6 else None
    return Action(str(rng.choice([*POSES])), shirt)


def caption(spec: Action, rng: np.random.Generator) -> str:
    """A phrase about an action, in words that class names use only sometimes."""
    phrase = spec.name if rng.random() < 0.4 else str(rng.choice(PHRASES[spec.name]))
    if spec.shirt and rng.random() < 0.7:
        phrase += f" in a {rng.choice(SYNONYMS[spec.shirt])} {rng.choice(('shirt', 'top', 'jersey'))}"
    return phrase


def draw(pen: Pen, spec: Action, rng: np.random.Generator) -> None:
    """The person and the prop, about -0.9 to 0.9."""
    pose = POSES[spec.name]
    shirt = near(spec.shirt or str(rng.choice([*COLOURS])), rng)
    looks = Looks(
        skin=near(SKINS[rng.integers(len(SKINS))], rng, 6.0),
        hair=near(HAIRS[rng.integers(len(HAIRS))], rng, 6.0),
        shirt=shirt,
        trousers=darker(near(str(rng.choice(("blue", "grey", "black", "brown", "teal"))), rng), 0.15),
    )
    with pen.moved(rng.uniform(-0.04, 0.04), 0.0, rng.uniform(0.92, 1.02), rng.uniform(-3, 3)):
        _shapes(pen, BEHIND.get(spec.name, ()), rng)
        _person(pen, spec.name, pose, looks, rng)
        _shapes(pen, FRONT.get(spec.name, ()), rng)


@dataclass(frozen=True)
class Looks:
    """A person's colours."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour

    @property
    def shaded(self) -> Looks:
        """For the limbs on the far side."""
        return Looks(*(darker(colour, 0.2) for colour in (self.skin, self.hair, self.shirt, self.trousers)))


def _person(pen: Pen, name: str, pose: Pose, looks: Looks, rng: np.random.Generator) -> None:
    """Far limbs, body and head, near limbs, with what the hands hold."""
    hip = pose.hip
    torso = pose.torso + rng.normal(0, 3)
    neck = _along(hip, torso, TORSO)
    shoulder = _along(hip, torso, TORSO - 0.06)
    arms = [_joints(shoulder, limb, (ARM, FOREARM), rng) for limb in (pose.far_arm, pose.near_arm)]
    legs = [_joints(hip, limb, (THIGH, SHIN), rng) for limb in (pose.far_leg, pose.near_leg)]
    _leg(pen, legs[0], looks.shaded)
    _arm(pen, arms[0], looks.shaded)
    _leg(pen, legs[1], looks)
    pen.line([hip, shoulder], 0.24, looks.shirt)
    _head(pen, neck, torso, looks)
    _arm(pen, arms[1], looks)
    _held(pen, name, arms[1][2], arms[0][2], rng)


def _along(start: Point, angle: float, length: float) -> Point:
    turn = np.deg2rad(angle)
    return float(start[0] + length * np.sin(turn)), float(start[1] + length * np.cos(turn))


def _joints(start: Point, limb: Limb, lengths: Limb, rng: np.random.Generator) -> tuple[Point, Point, Point]:
    """A limb's three joints, its angles moved by a few degrees."""
    middle = _along(start, limb[0] + rng.normal(0, 4), lengths[0])
    return start, middle, _along(middle, limb[1] + rng.normal(0, 4), lengths[1])


def _leg(pen: Pen, joints: tuple[Point, Point, Point], looks: Looks) -> None:
    hip, knee, foot = joints
    pen.line([hip, knee, foot], 0.13, looks.trousers)
    pen.line([foot, (foot[0] + 0.08, foot[1])], 0.09, darker(looks.hair, 0.2))


def _arm(pen: Pen, joints: tuple[Point, Point, Point], looks: Looks) -> None:
    shoulder, elbow, hand = joints
    pen.line([shoulder, elbow, hand], 0.095, looks.skin)
    pen.line([shoulder, elbow], 0.115, darker(looks.shirt, 0.12))


def _head(pen: Pen, neck: Point, torso: float, looks: Looks) -> None:
    x, y = _along(neck, torso, 0.15)
    pen.line([neck, (x, y)], 0.09, looks.skin)
    with pen.moved(x, y, angle=180 - torso):
        pen.ellipse(-0.03, -0.03, 0.18, 0.18, looks.hair)
        pen.ellipse(0.035, 0.03, 0.135, 0.14, lighter(looks.skin, 0.08))
        pen.line([(0.08, 0.0), (0.08, 0.02)], 0.04, (40, 30, 30))


def _held(pen: Pen, name: str, near_hand: Point, far_hand: Point, rng: np.random.Generator) -> None:
    """What is tied to the hands: a bow, a rope, a leash, gloves, or shapes about the near hand."""
    (x, y), (far_x, far_y) = near_hand, far_hand
    if name == "archery":
        tips = (x - 0.1, y - 0.5), (x - 0.1, y + 0.5)
        pen.line([tips[0], far_hand, tips[1]], 0.03, (90, 90, 95))
        pen.line(curve_points([tips[0], (x + 0.22, y), tips[1]]), 0.06, near("brown", rng))
        pen.line([far_hand, (x + 0.25, y)], 0.035, near("red", rng))
    elif name == "jump rope":
        low = rng.uniform(1.25, 1.4)
        pen.line(
            curve_points([near_hand, (x + 0.5, low), (far_x - 0.5, low), far_hand]), 0.045, near("red", rng)
        )
    elif name == "walking a dog":
        pen.line([near_hand, (0.64, 0.5)], 0.035, near("red", rng))
    elif name == "boxing":
        pen.ellipse(far_x, far_y, 0.12, 0.11, near("red", rng))
    with pen.moved(x, y):
        _shapes(pen, HAND.get(name, ()), rng)


def _shapes(pen: Pen, shapes: tuple[Shape, ...], rng: np.random.Generator) -> None:
    """Shapes by kind, colour and numbers: disc and ring (x, y, radius), rect, line and poly by points."""
    for kind, tint, numbers in shapes:
        colour = near(TINTS.get(tint, tint), rng, 5.0)
        x, y, size = numbers[:3]
        if kind == "rect":
            pen.rect(x, y, size, numbers[3], colour)
        elif kind == "disc":
            pen.ellipse(x, y, size, size, colour)
        elif kind == "ring":
            pen.line(ellipse_points(x, y, size, size, count=21)[[*range(21), 0]], 0.05, colour)
        elif kind == "line":
            pen.line(np.reshape(numbers, (-1, 2)), 0.045, colour)
        else:
            pen.polygon(np.reshape(numbers, (-1, 2)), colour)
