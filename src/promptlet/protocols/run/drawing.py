"""What a run trains on and is tested on: drawn, cut, and found wanting before anything is encoded."""

from __future__ import annotations

from promptlet.data import Split, base_new, sample_shots
from promptlet.errors import DataError
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset


def halves_of(run: Run, dataset: BenchDataset) -> tuple[Split, Split]:
    """Base and new classes with the run's training images: shots are drawn first and classes cut afterwards,
    as in CoOp's code. Raises DataError, also where a half has no test images."""
    base, new = base_new(sample_shots(dataset.split, run.shots, run.seed, run.sampler))
    for half, split in (("base", base), ("new", new)):
        check_test(dataset, split, run.protocol, f" of the {half} classes ({split.class_names[0]!r}, ...)")
    return base, new


def drawn(run: Run, dataset: BenchDataset) -> Split:
    """All classes with the run's training images. Raises DataError, also where there are no test images."""
    split = sample_shots(dataset.split, run.shots, run.seed, run.sampler)
    check_test(dataset, split, run.protocol)
    return split


def check_test(dataset: BenchDataset, split: Split, protocol: str, whose: str = "") -> None:
    """Raise DataError where ``split`` has no test images; ``whose`` says of which classes they would be."""
    if not split.test:
        raise DataError(
            f"{dataset.name}: no test images{whose}; {protocol} needs train and test parts: a folder with "
            "train/ and test/, or a split file"
        )
