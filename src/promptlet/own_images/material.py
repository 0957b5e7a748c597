"""Labelled images as they are learned from: encoded once, for all that is to be found out of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.classifier.inputs import draw_rows, given_features
from promptlet.classifier.reading import are_vectors
from promptlet.data import FeatureCache, check_class_names, choose_cache
from promptlet.features import hash_and_encode
from promptlet.methods.inputs import FeatureInputs, Inputs
from promptlet.own_images.duplicates import groups_of
from promptlet.session import own_arithmetic
from promptlet.views import Views, are_in_turn, numbers_of, numbers_of_all


@dataclass(frozen=True, eq=False)
class Material:
    """N images of C classes over one backbone.

    sources: paths, pictures, or features. classes: the labels as given, sorted (C,); class_names: the same in
    words. targets (N,) int64 index them. hashes: of what each image holds, "" where features were given.
    features (V, N, D) float32: of V readings of each image, not normalised; numbers (V): which these are, the
    plain one first. shares (C,): of each class among
    all images that were given, of which shots may draw as many of each.
    """

    sources: tuple[Any, ...]
    targets: np.ndarray
    classes: np.ndarray
    class_names: tuple[str, ...]
    hashes: tuple[str, ...]
    features: np.ndarray
    shares: np.ndarray
    numbers: tuple[int, ...] = (0,)

    def feature_inputs(self, backbone: Backbone, rows: np.ndarray, views: Views = 1) -> Inputs:
        """The features of these readings of some rows, for a method that reads them."""
        places = [self.numbers.index(number) for number in numbers_of(views)]
        features = torch.from_numpy(self.features[places][:, rows])
        return FeatureInputs(features, backbone.device, are_in_turn(views))

    def only(self, rows: np.ndarray) -> Material:
        """Some of the images, over the same classes."""
        return replace(
            self,
            sources=tuple(self.sources[i] for i in rows),
            targets=self.targets[rows],
            hashes=tuple(self.hashes[i] for i in rows),
            features=self.features[:, rows],
        )

    @cached_property
    def groups(self) -> np.ndarray:
        """The same number (N,) for images of one photo: `groups_of`."""
        return groups_of(self.hashes, self.features[0])


@own_arithmetic()
def read_material(
    backbone: Backbone,
    sources: Sequence[Any],
    labels: Sequence[str],
    *,
    shots: int | None = None,
    seed: int = 1,
    views: Sequence[Views] = (),
    cache: bool | str | Path | FeatureCache = True,
    on_encode: Callable[[int, int], None] | None = None,
) -> Material:
    """The images that a training with so many shots and this seed is given, all for None; what the cache does
    not hold is encoded. views: the readings that methods are trained on, beside the plain one. Raises
    ImageError that names all images that cannot be read, and DataError for labels that are no class names, or
    features of another length."""
    names = np.asarray(labels, dtype=str)
    classes = np.unique(names)
    class_names = check_class_names(classes.tolist(), "the labels")
    targets = np.searchsorted(classes, names)
    shares = np.bincount(targets, minlength=len(classes)) / len(targets)
    rows, _ = draw_rows(targets, class_names, shots, seed)
    sources, targets = [sources[i] for i in rows], targets[rows]
    numbers: tuple[int, ...] = (0,)
    if are_vectors(sources):
        hashes, features = [""] * len(sources), given_features(sources, backbone.feature_dim)
    else:
        numbers = numbers_of_all([1, *views])
        hashes, features = hash_and_encode(
            backbone, sources, views=numbers, cache=choose_cache(cache), on_progress=on_encode
        )
    told = tuple(sources), targets, classes, class_names, tuple(hashes), features, shares, numbers
    return Material(*told)
