"""A background: names of common things, ours, written down without a look at any data set's classes."""

from __future__ import annotations

from collections.abc import Sequence

COMMON = (
    *("person", "child", "crowd of people", "hand", "foot", "dog", "cat", "horse", "cow", "sheep", "pig"),
    *("bird", "chicken", "fish", "insect", "snake", "bread", "fruit", "vegetables", "cake", "meat", "soup"),
    *("coffee", "table", "sofa", "bed", "desk", "shelf", "cupboard", "window", "door", "carpet", "curtain"),
    *("mirror", "bathtub", "sink", "oven", "refrigerator", "plate", "spoon", "knife", "bowl", "bottle"),
    *("box", "bag", "shoe", "shirt", "dress", "jacket", "trousers", "hat", "glove", "hammer", "drill"),
    *("telephone", "television", "keyboard", "printer", "cable", "computer", "car", "truck", "bus", "train"),
    *("bicycle", "boat", "tractor", "house", "street", "bridge", "shop", "church", "factory", "tower"),
    *("room", "stairs", "fence", "tree", "grass", "flower", "mountain", "river", "lake", "beach", "sky"),
    *("cloud", "snow", "forest", "rock", "desert", "book", "newspaper", "letter", "map", "poster"),
    *("drawing", "painting", "text", "toy", "doll", "ball", "paper", "coin", "clock", "screenshot"),
)


def holds(one: str, other: str) -> bool:
    """Whether all words of one name are among the other's: "chair" and "windsor chair"."""
    words, others = set(one.casefold().split()), set(other.casefold().split())
    return words <= others or others <= words


def apart(names: Sequence[str], taught: Sequence[str]) -> list[int]:
    """Which of ``names`` are no taught name, nor one with words added or left out."""
    return [i for i, name in enumerate(names) if not any(holds(name, one) for one in taught)]
