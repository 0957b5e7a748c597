"""Where settings are chosen: validation images and validation classes of every bed, never test ones.

A validation problem of a data set: its base classes (the first half, as in base-to-new) are cut once more
into taught and new ones, at random and in two folds, so that the real new classes are never looked at. Shots
are drawn as in the protocol. Accuracy is that on the data set's val part or, where that has fewer than eight
images a class, also on training images that were not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet import rng
from promptlet.backbones import Backbone, load_backbone
from promptlet.data import (
    FeatureFile,
    base_new,
    choose_cache,
    load_dataset,
    read_feature_file,
    sample_shots,
    select_classes,
)
from promptlet.data.load import expand_names
from promptlet.features import encode_images

SHOTS = 16
FOLDS = (0, 1)
ENOUGH = 8  # val images a class

FEATURES = {
    "realbed": ("caltech101", "tiny_imagenet"),
    "realclip": ("caltech101", "oxford_pets", "ucf101", "oxford_flowers"),
}


@dataclass(frozen=True)
class Problem:
    """taught, new: class names. x (N, D), y (N,): training images of the taught ones. val_x (M, D), val_y
    (M,): images of both, labels of taught names first."""

    taught: tuple[str, ...]
    new: tuple[str, ...]
    x: Tensor
    y: Tensor
    val_x: Tensor
    val_y: Tensor


@dataclass(frozen=True)
class Bed:
    """name: as in "realclip/ucf101"; content: its images' features."""

    name: str
    backbone: Backbone
    content: FeatureFile

    def problem(self, fold: int, seed: int, stream: str = "", shots: int = SHOTS) -> Problem:
        """The validation problem of one fold of classes, with the shots of ``seed``.

        stream: what the folds are drawn by; the bed's name where it is empty.
        """
        split = self.content.split
        drawn = sample_shots(split, shots, seed)
        used = {item.row for item in drawn.train}
        left = tuple(item for item in split.train if item.row not in used)
        has_enough = len(split.val) >= ENOUGH * len(split.class_names)
        held_out = split.val if has_enough else split.val + left
        base, _ = base_new(drawn)
        scored, _ = base_new(replace(split, val=held_out))
        count = len(base.class_names)
        order = rng.generator(f"validation-classes/{stream or self.name}", 0).permutation(count).tolist()
        half = (count + 1) // 2
        taught = sorted(order[:half] if fold == 0 else order[count - half :])
        new = [label for label in range(count) if label not in set(taught)]
        training, validation = select_classes(base, taught), select_classes(scored, taught + new)
        names = validation.class_names
        return Problem(
            names[:half],
            names[half:],
            self.features([item.row for item in training.train]),
            torch.tensor([item.label for item in training.train]),
            self.features([item.row for item in validation.val]),
            torch.tensor([item.label for item in validation.val]),
        )

    def features(self, rows: list[int | None]) -> Tensor:
        """Normalised features (N, D) of rows of the feature file."""
        found = self.content.features[np.array(rows, np.int64)].astype(np.float32)
        return F.normalize(torch.from_numpy(found), dim=-1)


def beds(realbed: Path | None, realclip: Path | None, mini: str | None) -> Iterator[Bed]:
    """Those of the folders that are given, and of an embedded group such as "mini-harder"."""
    for folder, name in ((realbed, "realbed"), (realclip, "realclip")):
        if folder is None:
            continue
        backbone = load_backbone(folder / "model", device="cpu")
        for dataset in FEATURES[name]:
            yield Bed(
                f"{name}/{dataset}", backbone, read_feature_file(folder / "features" / f"{dataset}.npz")
            )
    if mini is not None:
        backbone = load_backbone("mini", device="cpu")
        for name in expand_names([mini]):
            yield Bed(name, backbone, encoded(name, backbone))


def encoded(name: str, backbone: Backbone) -> FeatureFile:
    """An embedded data set as a feature file."""
    split = load_dataset(name)
    assert not isinstance(split, FeatureFile)
    items = split.every_item
    features = encode_images(backbone, [str(item.path) for item in items], cache=choose_cache(True))[0]
    row_of = {item.path: row for row, item in enumerate(items)}
    parts: dict[str, Any] = {
        part: tuple(replace(item, row=row_of[item.path]) for item in getattr(split, part))
        for part in ("train", "val", "test")
    }
    return FeatureFile(replace(split, **parts), features)
