"""Features of the images of projects by their ids: kept in memory, else read from the cache, else encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.data.images.opening import hashes_of_work
from promptlet.features import feature_identity, hash_and_encode
from promptlet.own_images.asking import ask
from promptlet.serve.recent import Recent
from promptlet.teach.projects.project import Seen

MOST_BYTES: Final = 512 << 20
OWN_BYTES: Final = 400
"""Of an image, beside its numbers."""
FIRST, MOST, LEAST = 4, 64, 1
"""Images that are encoded at a time: at first, at most, at least."""
QUICK, SLOW = 0.3, 0.8
"""Seconds after which the next ones are twice as many, or half as many: a stop waits for these."""


@dataclass(frozen=True, eq=False)
class Vector:
    """Features (D,) float32, not normalised, and the content hash by which the library's cache knows them."""

    content: str
    features: np.ndarray


class Vectors:
    """For any thread. reasons: why images have none, by id."""

    def __init__(self, backbone: Backbone, cache: FeatureCache | None, most_bytes: int = MOST_BYTES) -> None:
        self.backbone, self.cache = backbone, cache
        self._kept: Recent[Vector] = Recent(most_bytes)
        self.reasons: dict[str, str] = {}

    def of(self, images: Sequence[str]) -> dict[str, Vector]:
        """Those in memory, by id."""
        return {image: one for image in images if (one := self._kept.get(image)) is not None}

    def missing(self, images: Sequence[str]) -> list[str]:
        """Of which nothing is known, nor why."""
        return [image for image in images if image not in self.reasons and self._kept.get(image) is None]

    def read(self, paths: Mapping[str, Path], cache: FeatureCache | None = None) -> None:
        """A few images by id, from the cache or encoded. One that cannot be read has its reason.

        cache: in the place of that of all. Raises PromptletError for what is of no image.
        """
        images, places = list(paths), list(paths.values())
        cache = self.cache if cache is None else cache

        def look(some: list[Path]) -> list[Vector]:
            hashes, features = hash_and_encode(self.backbone, some, cache=cache)
            return [Vector(own, np.array(row)) for own, row in zip(hashes, features[0], strict=True)]

        found, wrong = ask(look, places)
        for at, one in found.items():
            self.reasons.pop(images[at], None)
            self._kept.put(images[at], one, one.features.nbytes + OWN_BYTES)
        for at, reason in wrong.items():
            if places[at].exists():  # else it was moved, or removed, on the way
                self.reasons[images[at]] = reason

    def ready(self, paths: Mapping[str, Path], seconds: float) -> int:
        """Read what is missing, the first images first, for about so many seconds; how many are missing
        still. Raises as `read`."""
        missing, size, began = self.missing(list(paths)), FIRST, monotonic()
        while missing and (now := monotonic()) - began < seconds:
            some = missing[:size]
            self.read({image: paths[image] for image in some})
            size = next_size(size, monotonic() - now)
            del missing[: len(some)]
        return len(missing)

    def lend(self, paths: Mapping[str, Path], cache: FeatureCache) -> list[str]:
        """Give a cache, and `hashed_once`, those that are in memory, so that their files are not needed any
        more; the ids of others."""
        known, hashes = self.of(list(paths)), hashes_of_work()
        if hashes is not None:
            hashes |= {str(paths[image]): one.content for image, one in known.items()}
        keys = {one.content: one.features for one in known.values()}
        identity = feature_identity(self.backbone)
        there = cache.get_many(identity, [(content, "0") for content in keys])
        cache.put_many(
            identity,
            {(content, "0"): row for content, row in keys.items() if (content, "0") not in there},
        )
        return [image for image in paths if image not in known]


def paths_of(seen: Seen, images: Sequence[str]) -> dict[str, Path]:
    """Where images lie, by id."""
    return {image: seen.path(image) for image in images if image in seen.images}


def next_size(size: int, seconds: float) -> int:
    """How many images are next, after ``size`` took so long."""
    if seconds < QUICK:
        return min(2 * size, MOST)
    return max(size // 2, LEAST) if seconds > SLOW else size
