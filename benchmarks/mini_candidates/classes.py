"""Class lists that were tried: finer classes of a family, and names that its captions rarely or never hold.

A name of classes -> (family, template, {class name: spec}); drawn as photos.
"""

from __future__ import annotations

from promptlet.mini.families import objects
from promptlet.mini.families.creatures import Creature
from promptlet.mini.families.flowers import NOUNS, Flower
from promptlet.mini.families.people import Action
from promptlet.mini.families.plates import Dish
from promptlet.mini.families.scenes import Scene
from promptlet.mini.families.textures import Texture
from promptlet.mini.families.vehicles import Vehicle
from promptlet.mini.general import Group
from promptlet.mini.harder import CATS, COLOURED_TEXTURES, EDGED_FLAGS, Classes

BIRDS: Classes = {
    f"{colour} {words}bird": Creature("bird", colour, coat, crest)
    for colour in ("black", "blue", "green", "red", "white", "yellow")
    for words, coat, crest in (
        ("crested ", "plain", True),
        ("spotted ", "spotted", False),
        ("striped ", "striped", False),
        ("patched crested ", "patched", True),
    )
}
CARS: Classes = {
    f"{colour} {body}": Vehicle(body, colour)
    for body in ("sedan", "hatchback", "sports car", "convertible", "pickup truck")
    for colour in ("black", "blue", "green", "red", "yellow")
}
MIDDLES: Classes = {
    f"{colour} {NOUNS[petals]} with a {middle} middle": Flower(petals, colour, middle)
    for petals in ("round", "pointed", "many", "heart")
    for colour in ("red", "blue", "white")
    for middle in ("yellow", "brown")
}
DOERS: Classes = {
    "archer": Action("archery"),
    "boxer": Action("boxing"),
    "cyclist": Action("cycling"),
    "dancer": Action("dancing"),
    "fisher": Action("fishing"),
    "golfer": Action("golf swing"),
    "handstander": Action("handstand"),
    "juggler": Action("juggling"),
    "rope skipper": Action("jump rope"),
    "drummer": Action("playing drums"),
    "floor gymnast": Action("push ups"),
    "rower": Action("rowing"),
    "runner": Action("running"),
    "skier": Action("skiing"),
    "surfer": Action("surfing"),
    "swimmer": Action("swimming"),
    "thrower": Action("throwing a ball"),
    "dog walker": Action("walking a dog"),
    "weight lifter": Action("weight lifting"),
    "yoga teacher": Action("yoga pose"),
    "footballer": Action("kicking"),
    "guitarist": Action("playing guitar"),
    "sweeper": Action("sweeping"),
    "tennis player": Action("tennis"),
}
SHIRTS: Classes = {
    f"{action} in a {colour} shirt": Action(action, colour)
    for action in ("running", "archery", "cycling", "dancing", "boxing", "golf swing")
    for colour in ("red", "yellow", "green", "blue")
}
NOUNS_OF_TEXTURES: Classes = {
    noun: Texture(name)
    for noun, name in {
        "brickwork": "bricked",
        "bubbles": "bubbly",
        "checkers": "checked",
        "cracking": "cracked",
        "hatching": "crosshatched",
        "dots": "dotted",
        "grating": "gridded",
        "beehive": "honeycombed",
        "knitwear": "knitted",
        "marble": "marbled",
        "scales": "scaly",
        "sprinkles": "speckled",
        "helix": "spiral",
        "starlight": "starry",
        "stripes": "striped",
        "whirlpools": "swirly",
        "tiling": "tiled",
        "ripples": "wavy",
        "wickerwork": "woven",
        "sawteeth": "zigzag",
    }.items()
}
COMPOUNDS: Classes = {
    name: objects.Thing(noun)
    for name, noun in {
        "boat anchor": "anchor",
        "garden apple": "apple",
        "birthday balloon": "balloon",
        "church bell": "bell",
        "school book": "book",
        "wine bottle": "bottle",
        "kitchen chair": "chair",
        "alarm clock": "clock",
        "ceremonial crown": "crown",
        "tea cup": "cup",
        "love letter": "envelope",
        "dinner fork": "fork",
        "folk guitar": "guitar",
        "claw hammer": "hammer",
        "summer hat": "hat",
        "farm house": "house",
        "house key": "key",
        "paper kite": "kite",
        "table lamp": "lamp",
        "oak leaf": "leaf",
        "forest mushroom": "mushroom",
        "school pencil": "pencil",
        "moon rocket": "rocket",
        "hair scissors": "scissors",
        "sheriff star": "star",
        "picnic table": "table",
        "apple tree": "tree",
        "beach umbrella": "umbrella",
    }.items()
}
PARTS: Classes = {f"thing with {details[-1]}": objects.Thing(noun) for noun, details in objects.WORDS.items()}
TIMES: Classes = {
    f"{'snowy ' if snow else ''}{place} {words}": Scene(place, time, snow)
    for place in ("castle hill", "forest", "lake", "mountain", "railway", "village")
    for time, words, snow in (
        ("day", "by day", False),
        ("evening", "at sunset", False),
        ("night", "at night", False),
        ("night", "at night", True),
    )
}
FLAVOURS: Classes = {
    f"{flavour} {kind}": Dish(kind, flavour)
    for kind, flavours in {
        "cake": ("cheese", "chocolate", "strawberry", "lemon"),
        "soup": ("tomato", "pumpkin", "beet", "pea", "mushroom"),
        "salad": ("green", "fruit", "tomato"),
        "spaghetti": ("tomato", "cream", "pea"),
        "ice cream": ("chocolate", "strawberry", "lemon"),
        "cupcake": ("chocolate", "strawberry", "lemon"),
        "donut": ("chocolate", "strawberry", "lemon"),
    }.items()
    for flavour in flavours
}
PAIRS: Classes = {
    f"{first} {a} and {second} {b}": Group(
        (("objects", objects.Thing(a, first)), ("objects", objects.Thing(b, second)))
    )
    for a, b in (("cup", "hat"), ("kite", "house"), ("umbrella", "chair"), ("balloon", "bottle"))
    for first, second in (
        ("red", "blue"),
        ("blue", "red"),
        ("green", "yellow"),
        ("yellow", "green"),
        ("red", "yellow"),
    )
}

CLASS_LISTS: dict[str, tuple[str, str, Classes]] = {
    "birds": ("creatures", "a photo of a {}.", BIRDS),
    "cats": ("creatures", "a photo of a {}.", CATS),
    "cars": ("vehicles", "a photo of a {}.", CARS),
    "flowers-middles": ("flowers", "a photo of a {}.", MIDDLES),
    "flags-edged": ("flags", "a photo of a {} flag.", EDGED_FLAGS),
    "people-doers": ("people", "a photo of a {}.", DOERS),
    "people-shirts": ("people", "a photo of {}.", SHIRTS),
    "textures-nouns": ("textures", "a photo of {}.", NOUNS_OF_TEXTURES),
    "textures-colours": ("textures", "a photo of a {}.", COLOURED_TEXTURES),
    "objects-compounds": ("objects", "a photo of a {}.", COMPOUNDS),
    "objects-parts": ("objects", "a photo of a {}.", PARTS),
    "scenes-times": ("scenes", "a photo of a {}.", TIMES),
    "plates-flavours": ("plates", "a photo of {}.", FLAVOURS),
    "general-pairs": ("general", "a photo of a {}.", PAIRS),
}
