"""Dishes on a plate, in a bowl or on a board (the mini world's Food101)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.painters.savoury import SAVOURY_DISHES
from promptlet.mini.painters.sweet import SWEET_DISHES
from promptlet.mini.painters.tableware import FLAVOURS, SWEET, Drawer
from promptlet.mini.palette import near
from promptlet.mini.pen import Pen

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of {}."

CHOICES: dict[str, tuple[str, ...]] = {
    "cake": ("cheese", "chocolate", "strawberry", "lemon"),
    "soup": ("tomato", "pumpkin", "beet", "pea", "mushroom"),
    "salad": ("green", "fruit", "tomato"),
    "spaghetti": ("tomato", "cream", "pea"),
    **dict.fromkeys(("pancakes", "ice cream", "donut", "cupcake", "waffles"), SWEET),
}
"""The flavours of the dishes that have some."""

FLAVOUR_WORDS: dict[str, tuple[str, ...]] = {
    "chocolate": ("cocoa", "dark brown", "chocolate"),
    "strawberry": ("pink berry", "rosy berry", "strawberry"),
    "cheese": ("pale yellow", "creamy", "cheese"),
    "tomato": ("red", "scarlet", "tomato"),
    "pumpkin": ("orange", "squash", "pumpkin"),
    "beet": ("purple", "crimson", "beet"),
    "green": ("leafy", "lettuce", "green"),
    "fruit": ("sweet", "kiwi and orange", "fruit"),
}
WORDS: dict[str, tuple[str, ...]] = {
    "pizza": ("flat bread with sauce and sausage", "round italian pie", "pizza"),
    "fried egg": ("sunny side up in a pan", "yolk in a pan", "fried egg"),
    "sushi": ("rice rolls on a board", "japanese rolls with fish", "sushi"),
    "pancakes": ("flat cakes in a stack", "hotcakes", "pancakes"),
    "spaghetti": ("long noodles", "nest of pasta", "spaghetti"),
    "hamburger": ("burger", "round bun with meat and lettuce", "hamburger"),
    "ice cream": ("scoops in a cone", "frozen dessert", "ice cream"),
    "donut": ("ring with sprinkles", "glazed ring", "donut"),
    "cake": ("torte", "gateau", "cake"),
    "salad": ("mixed bowl", "raw pieces in a bowl", "salad"),
    "soup": ("broth", "warm puree in a bowl", "soup"),
    "rice and peas": ("grains with green peas", "white grains and green balls", "rice and peas"),
    "sandwich": ("filled toast", "bread with lettuce in layers", "sandwich"),
    "hot dog": ("sausage in a bun", "frankfurter with mustard", "hot dog"),
    "cupcake": ("muffin with icing", "little cake in paper", "cupcake"),
    "waffles": ("belgian grid cakes", "crisp square cakes", "waffles"),
    "grilled fish": ("roast trout", "barbecued whole trout with lemon", "grilled fish"),
    "tacos": ("filled corn shells", "mexican folded tortillas", "tacos"),
    "croissant": ("buttery crescent", "french crescent roll", "croissant"),
}
"""What captions call a dish; the last one is the word that class names use."""

DRAWERS: dict[str, Drawer] = {**SAVOURY_DISHES, **SWEET_DISHES}
"""What draws each dish, from its flavour and the flavour's colour."""


@dataclass(frozen=True)
class Dish:
    """A dish, and its flavour where it has one ("": any)."""

    kind: str
    flavour: str = ""


CLASSES: dict[str, Dish] = {
    f"{flavour} {kind}".strip(): Dish(kind, flavour)
    for kind in WORDS
    for flavour in {
        "cake": ("cheese", "chocolate", "strawberry"),
        "soup": ("beet", "pumpkin", "tomato"),
        "salad": ("fruit", "green"),
        "donut": ("chocolate",),
    }.get(kind, ("",))
}


def sample(rng: np.random.Generator) -> Dish:
    """Any dish."""
    kind = str(rng.choice([*WORDS]))
    return Dish(kind, str(rng.choice(("", *CHOICES.get(kind, ())))))


def caption(spec: Dish, rng: np.random.Generator) -> str:
    """A phrase about a dish, in words that class names use only sometimes."""
    words = WORDS[spec.kind]
    phrase = words[-1] if rng.random() < 0.4 else str(rng.choice(words[:-1]))
    if spec.flavour and rng.random() < 0.85:
        phrase = f"{rng.choice(FLAVOUR_WORDS.get(spec.flavour, (spec.flavour,)))} {phrase}"
    if rng.random() < 0.3:
        phrase = f"{rng.choice(('fresh', 'tasty', 'homemade', 'delicious'))} {phrase}"
    return phrase


def draw(pen: Pen, spec: Dish, rng: np.random.Generator) -> None:
    """A dish on what it is served on, about -0.9 to 0.9."""
    flavour = spec.flavour or str(rng.choice(CHOICES.get(spec.kind, ("tomato",))))
    sauce = near(FLAVOURS[flavour], rng, 9)
    with pen.moved(0, 0, (rng.uniform(0.94, 1.02), rng.uniform(0.9, 1.0)), rng.uniform(-5, 5)):
        DRAWERS[spec.kind](pen, flavour, sauce, rng)
