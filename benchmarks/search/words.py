"""By words: a name alone, and a name with others that are not looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.search.beds import Bed, at_the_top, average_precision, unit
from benchmarks.search.forms import NEGATIVES, WEIGHTS, Form, _sum_of
from promptlet.search.common import COMMON

Row = dict[str, Any]
PARTS = ("val", "test")
WIDER = {
    "bird": ("emu", "flamingo", "flamingo head", "ibis", "pigeon", "rooster"),
    "musical instrument": (
        *("accordion", "electric guitar", "euphonium", "grand piano", "mandolin", "saxophone"),
    ),
    "insect": ("ant", "butterfly", "dragonfly", "mayfly"),
    "flower": ("lotus", "sunflower", "water lilly"),
    "boat": ("ferry", "ketch", "schooner"),
    "vehicle": (
        *("airplane", "motorbike", "car side", "helicopter", "ferry", "ketch", "schooner"),
        *("inline skate", "wheelchair"),
    ),
    "sea animal": (
        *("crab", "crayfish", "dolphin", "hawksbill", "lobster", "nautilus", "octopus", "sea horse"),
    ),
    "furniture": ("chair", "windsor chair", "chandelier", "lamp"),
    "reptile": ("crocodile", "crocodile head", "hawksbill"),
    "electronic device": ("camera", "cellphone", "laptop", "stapler"),
}
"""Wider words, and the classes of Caltech101 that they name: what is meant by "a bird, not a flamingo"."""


def rows(bed: Bed, progress: Callable[[str], None]) -> Iterator[Row]:
    """Of one bed, on validation images, where forms were chosen, and on test images."""
    progress(f"{bed.name}: words")
    origin = common_of(bed)
    for part in PARTS:
        for task, asked in _tasks(bed):
            for form, own in _forms().items():
                yield {"table": "words", "bed": bed.name, "part": part, "task": task, "form": form} | _mean(
                    bed, part, asked, own, origin
                )


def common_of(bed: Bed) -> np.ndarray:
    """The mean of common words; of class names where no tower reads words."""
    return (bed.texts if bed.backbone is None else bed.write(COMMON)).mean(0)


def _forms() -> dict[str, Form]:
    weights = {f"less common, softmax times {weight:g}": _sum_of(weight, True) for weight in WEIGHTS}
    return {**NEGATIVES, **weights}


Asked = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""What is looked for (D,), what is not (M, D), labels that are right, and labels that are not to come."""


def _tasks(bed: Bed) -> Iterator[tuple[str, list[Asked]]]:
    yield "name, not the nearest name", [_of_name(bed, row, nearest(bed, row, 1)) for row in _asked(bed)]
    yield (
        "name, not 3 it is mixed up with",
        [_of_name(bed, row, mixed_up(bed, row, 3)) for row in _asked(bed)],
    )
    wider = list(_wider(bed)) if "caltech101" in bed.name else []
    if wider:
        yield "wider word, not one of its kinds", wider


def _asked(bed: Bed) -> range:
    return range(len(bed.names))


def _of_name(bed: Bed, row: int, others: np.ndarray) -> Asked:
    return bed.texts[row], bed.texts[others], np.array([row]), others


def nearest(bed: Bed, row: int, count: int) -> np.ndarray:
    """Names whose texts lie nearest."""
    near = bed.texts @ bed.texts[row]
    near[row] = -np.inf
    return np.argsort(-near)[:count]


def mixed_up(bed: Bed, row: int, count: int) -> np.ndarray:
    """Classes of the wrong images among the best of the validation part: what a person who looks at the
    results would name. The nearest names where all are right."""
    order = np.argsort(-bed.val.x @ bed.texts[row])[:30]
    wrong = bed.val.y[order][bed.val.y[order] != row]
    labels, counts = np.unique(wrong, return_counts=True)
    found = labels[np.argsort(-counts, kind="stable")][:count]
    return found if len(found) else nearest(bed, row, count)


def _wider(bed: Bed) -> Iterator[Asked]:
    for word, kinds in WIDER.items():
        own = [bed.names.index(kind) for kind in kinds if kind in bed.names]
        wanted = unit(bed.texts[own].mean(0)) if bed.backbone is None else bed.write([word])[0]
        for left_out in own:
            right = np.array([label for label in own if label != left_out])
            yield wanted, bed.texts[[left_out]], right, np.array([left_out])


def _mean(bed: Bed, part: str, asked: list[Asked], form: Form, origin: np.ndarray) -> Row:
    own = bed.part(part)
    found, top = [], []
    for wanted, others, right, unwanted in asked:
        is_right = np.isin(own.y, right)
        if not is_right.any():
            continue
        scores = form(own.x, wanted, others, origin, bed.scale)
        found.append(average_precision(scores, is_right))
        top.append(at_the_top(scores, np.isin(own.y, unwanted)))
    return {"queries": len(found), "average_precision": np.mean(found), "unwanted_in_20": np.mean(top)}
