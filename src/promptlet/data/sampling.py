"""Draw a few images per class, repeatably.

``promptlet``: every image of a class, sorted by path, gets a 64-bit number from the class's own stream
(`promptlet.rng.words`); the ``shots`` smallest are drawn. So the draw depends on neither the order of files,
nor other classes, nor the version of any generator, and the images of 2 shots are among those of 4.
``coop``: Dassl's and CoOp's own draws, from Python's generator seeded with ``seed``, in file order.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from promptlet.data.items import Item, Split
from promptlet.errors import DataError, OptionError, check_option
from promptlet.rng import words

SAMPLERS = ("promptlet", "coop")
MAX_VAL_SHOTS = 4


def sample_shots(split: Split, shots: int, seed: int, sampler: str = "promptlet") -> Split:
    """Train cut to ``shots`` per class, val to min(shots, 4) per class; test and class names stay.

    A class with fewer images keeps them all (see `short_classes`). Seed 0 is a seed like any other.
    Raises `OptionError` for shots below 1, a seed that is no whole number, or an unknown sampler, and
    `DataError` when train is empty.
    """
    check_option("sampler", sampler, SAMPLERS)
    _check_shots(shots)
    if type(seed) is not int:
        raise OptionError(f"seed={seed!r} is not allowed; give a whole number, such as 1")
    if not split.train:
        raise DataError(
            f"{split.name}: there are no training images to draw from; only val or test are filled"
        )
    val_shots = min(shots, MAX_VAL_SHOTS)
    if sampler == "coop":
        generator = random.Random(seed)
        train = _draw_coop(split.train, shots, generator)
        val = _draw_coop(split.val, val_shots, generator)
    else:
        train = _draw_own(split.train, shots, seed, "train")
        val = _draw_own(split.val, val_shots, seed, "val")
    return replace(split, train=train, val=val)


def short_classes(split: Split, shots: int) -> tuple[str, ...]:
    """The class names with fewer than ``shots`` training images, in label order; `OptionError` for shots
    below 1.
    """
    _check_shots(shots)
    counts = np.bincount([item.label for item in split.train], minlength=len(split.class_names))
    return tuple(name for name, count in zip(split.class_names, counts, strict=True) if count < shots)


def _check_shots(shots: int) -> None:
    if type(shots) is not int or shots < 1:
        raise OptionError(
            f"shots={shots!r} is not allowed; give a whole number of images per class, at least 1"
        )


def _by_label(items: Iterable[Item]) -> dict[int, list[Item]]:
    """Items per label, labels in the order in which they first appear."""
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(item.label, []).append(item)
    return groups


def _draw_coop(items: tuple[Item, ...], shots: int, generator: random.Random) -> tuple[Item, ...]:
    """Dassl's ``DatasetBase.generate_fewshot_dataset`` with ``repeat=False``."""
    drawn: list[Item] = []
    for group in _by_label(items).values():
        drawn += generator.sample(group, shots) if len(group) >= shots else group
    return tuple(drawn)


def _draw_own(items: tuple[Item, ...], shots: int, seed: int, part: str) -> tuple[Item, ...]:
    """By label, and within a label in the order drawn."""
    drawn: list[Item] = []
    for _, group in sorted(_by_label(items).items()):
        group.sort(key=lambda item: (item.path.as_posix(), -1 if item.row is None else item.row))
        order = random_order(f"shots/{part}/{ascii_name(group[0].class_name)}", seed, len(group))
        drawn += [group[i] for i in order[:shots]]
    return tuple(drawn)


def random_order(purpose: str, seed: int, count: int) -> list[int]:
    """A random order of ``count`` things: by 64-bit numbers of four words each, ties by position."""
    keys = words(purpose, seed, 4 * count).reshape(count, 4)
    order: list[int] = np.lexsort(keys.T[::-1]).tolist()
    return order


def ascii_name(name: str) -> str:
    """The name in ASCII; different names stay different."""
    return name.encode("unicode_escape").decode("ascii")
