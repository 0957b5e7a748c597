"""Cut a split by classes: base and new halves, or any choice.

CoOp draws the few shots first and cuts the classes afterwards, so with ``sampler="coop"`` the order matters:
``base_new(sample_shots(split, ...))``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptlet.data.items import SPLIT_NAMES, Split
from promptlet.errors import DataError, OptionError


def base_new(split: Split) -> tuple[Split, Split]:
    """CoOp's halves: of the n sorted labels present in train the first ceil(n / 2) are base, the rest new.

    Labels are numbered from 0 anew in each half, in train, val and test. Sampling comes before (see above).
    Raises `DataError` when train has fewer than 2 classes.
    """
    labels = sorted({item.label for item in split.train})
    if len(labels) < 2:
        raise DataError(
            f"{split.name}: train has images of {len(labels)} class(es), base and new need at least 2; "
            "use select_classes to cut a split without training images"
        )
    middle = (len(labels) + 1) // 2
    return select_classes(split, labels[:middle]), select_classes(split, labels[middle:])


def together(base: Split, new: Split) -> Split:
    """Both halves as one split: the classes and items of ``base`` first, labels of ``new`` counted on."""
    first = len(base.class_names)
    parts = (
        (*getattr(base, name), *(replace(item, label=first + item.label) for item in getattr(new, name)))
        for name in SPLIT_NAMES
    )
    return Split(base.name, base.class_names + new.class_names, *parts, rule=base.rule)


def select_classes(split: Split, labels: Sequence[int]) -> Split:
    """Only these classes, numbered from 0 in the order given; the items of a split keep their order.

    Raises `OptionError` for no label, a label that is not in the split, or the same one twice.
    """
    count = len(split.class_names)
    if not labels or len(set(labels)) != len(labels) or not all(0 <= label < count for label in labels):
        raise OptionError(
            f"labels={list(labels)!r} is not allowed; give different labels from 0 to {count - 1}"
        )
    position = {label: new for new, label in enumerate(labels)}
    parts = (
        tuple(
            replace(item, label=position[item.label])
            for item in getattr(split, name)
            if item.label in position
        )
        for name in SPLIT_NAMES
    )
    names = tuple(split.class_names[label] for label in labels)
    return Split(split.name, names, *parts, rule=split.rule)
