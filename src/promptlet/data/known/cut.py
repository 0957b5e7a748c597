"""CoOp's two rules for cutting images into parts, drawn with this library's own numbers.

Sizes per class are CoOp's to the image. Which image goes where is not, as CoOp drew with Python's generator
in the order of its file system; here the draw depends on the names of data set, class and files only.
"""

from __future__ import annotations

from collections.abc import Iterable

from promptlet.data.items import Item
from promptlet.data.sampling import ascii_name, random_order
from promptlet.errors import DataError

SEED = 1
TRAIN, VAL = 0.5, 0.2

Parts = tuple[tuple[Item, ...], ...]


def cut_pool(name: str, items: Iterable[Item]) -> Parts:
    """Train, val and test: 50, 20 and 30 of 100 images of every class. Raises DataError for too few."""
    train: list[Item] = []
    val: list[Item] = []
    test: list[Item] = []
    for group in _shuffled(name, items):
        n_train, n_val = round(len(group) * TRAIN), round(len(group) * VAL)
        if not (n_train and n_val and len(group) > n_train + n_val):
            raise _too_few(name, group, "train, val and test")
        train += group[:n_train]
        val += group[n_train : n_train + n_val]
        test += group[n_train + n_val :]
    return tuple(train), tuple(val), tuple(test)


def cut_trainval(name: str, items: Iterable[Item]) -> Parts:
    """Train and val: 80 and 20 of 100 images of every class. Raises DataError for too few."""
    train: list[Item] = []
    val: list[Item] = []
    for group in _shuffled(name, items):
        n_val = round(len(group) * VAL)
        if not n_val:
            raise _too_few(name, group, "train and val")
        val += group[:n_val]
        train += group[n_val:]
    return tuple(train), tuple(val)


def _shuffled(name: str, items: Iterable[Item]) -> list[list[Item]]:
    """The items of each class in an order drawn for it, classes as they first appear."""
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(item.label, []).append(item)
    shuffled = []
    for group in groups.values():
        group.sort(key=lambda item: item.path.as_posix())
        order = random_order(f"split/{name}/{ascii_name(group[0].class_name)}", SEED, len(group))
        shuffled.append([group[i] for i in order])
    return shuffled


def _too_few(name: str, group: list[Item], parts: str) -> DataError:
    return DataError(
        f"{name}: the class {group[0].class_name!r} has {len(group)} image(s), such as {group[0].path}, too "
        f"few to be cut into {parts}; are all archives unpacked?"
    )
