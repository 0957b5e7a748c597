"""New images of a folder, encoded portion by portion; one that cannot be read costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.features import hash_and_encode
from promptlet.own_images.answering import BATCH, next_size
from promptlet.own_images.asking import ask
from promptlet.search.file import FEATURE
from promptlet.search.following import stamp_of

Told = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Portion:
    """n images as an index holds them, and why others have no features, by path."""

    paths: list[str]
    stamps: np.ndarray
    contents: np.ndarray
    features: np.ndarray
    errors: dict[str, str]


def encoded(
    backbone: Backbone, folder: Path, paths: Sequence[str], cache: FeatureCache | None, on_progress: Told
) -> Iterator[Portion]:
    """The images of these paths below ``folder``, in their order. Raises PromptletError for what is of no
    image, such as a backbone without an image tower."""
    backbone.check_images()
    done, size = 0, BATCH
    while done < len(paths):
        some, began = paths[done : done + size], perf_counter()
        yield _portion(backbone, folder, some, cache)
        done += len(some)
        on_progress(done, len(paths))
        size = next_size(size, perf_counter() - began)


def _portion(backbone: Backbone, folder: Path, paths: Sequence[str], cache: FeatureCache | None) -> Portion:
    stamps = {path: stamp_of(folder / path) for path in paths}  # before they are read: a later change shows

    def look(some: list[str]) -> list[tuple[str, np.ndarray]]:
        hashes, features = hash_and_encode(backbone, some, cache=cache)
        return list(zip(hashes, features[0], strict=True))

    found, wrong = ask(look, [str(folder / path) for path in paths])
    rows = [place for place in sorted(found) if stamps[paths[place]] is not None]
    return Portion(
        [paths[place] for place in rows],
        np.array([stamps[paths[place]] for place in rows], "<i8").reshape(-1, 2),
        np.array([list(bytes.fromhex(found[place][0])) for place in rows], np.uint8).reshape(-1, 16),
        directions(np.array([found[place][1] for place in rows], np.float32), backbone.feature_dim),
        {paths[place]: reason for place, reason in wrong.items()},
    )


def directions(features: np.ndarray, dim: int) -> np.ndarray:
    """Features (n, D) of whatever length as an index holds them: of length 1."""
    rows = features.reshape(-1, dim)
    found: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(FEATURE)
    return found
