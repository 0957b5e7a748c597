"""Image features as a Ray Data pipeline: paths in, vectors out, encoded wherever the cluster has room."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from promptlet.backbones import Backbone
from promptlet.errors import EngineError
from promptlet.features import (
    BATCH,
    GPU_BATCH,
    feature_identity,
    find_cached,
    hash_and_encode,
    store_features,
)
from promptlet.progress import counting
from promptlet.protocols.engines.ray.cluster import last_line
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import FeatureSource
from promptlet.protocols.run.execution import Wanted, Workbench
from promptlet.views import Readings, Views, numbers_of, numbers_of_all


def encode_on_ray(ray: Any, runs: Sequence[Run], bench: Workbench, on_gpu: bool) -> None:
    """Fill the bench's features with all that the runs still to be made read, from the cache or the cluster.

    Images that cannot be read are left out: the runs that need them say so. Raises EngineError when the
    cluster cannot do it.
    """
    missing = [run for run in runs if not bench.store.is_done(run.key)]
    for views, wanted in _paths_by_views(bench.wanted(missing)).items():
        paths = _lacking(bench.features, wanted, views)
        if paths:
            try:
                with _silent():
                    _encode(ray, bench.features, paths, views, on_gpu)
            except ray.exceptions.RayError as error:
                raise EngineError(
                    f"images cannot be encoded on the cluster ({last_line(str(error))}); every node needs "
                    "Promptlet, the backbone by the name that was given, and the images at the same paths"
                ) from None


def _paths_by_views(wanted: Wanted) -> dict[tuple[int, ...], list[str]]:
    """Each image once, with the numbers of all its views that are wanted."""
    every: dict[str, list[Views]] = {}
    for (_, views), items in wanted.items():
        for item in items:
            every.setdefault(str(item.path), []).append(views)
    paths: dict[tuple[int, ...], list[str]] = {}
    for path, several in every.items():
        paths.setdefault(numbers_of_all(dict.fromkeys(several)), []).append(path)
    return paths


@contextmanager
def _silent() -> Iterator[None]:
    """Ray Data tells each step on standard error, where the progress bars are."""
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    before = context.enable_progress_bars, logger.level
    context.enable_progress_bars = False
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        context.enable_progress_bars = before[0]
        logger.setLevel(before[1])


def _lacking(features: FeatureSource, paths: Sequence[str], views: Sequence[int]) -> list[str]:
    """The paths whose features are neither here nor in the cache; what the cache has is adopted."""
    paths = features.lacking(paths, views)
    found = find_cached(features.backbone, paths, views, features.cache)
    for path, vectors in found.items():
        features.adopt([(path, view) for view in views], vectors)
    return [path for path in paths if path not in found]


def _encode(
    ray: Any, features: FeatureSource, paths: Sequence[str], views: Sequence[int], on_gpu: bool
) -> None:
    from ray.data import ActorPoolStrategy

    room = int(ray.cluster_resources().get("GPU" if on_gpu else "CPU", 1))
    size = GPU_BATCH if on_gpu else BATCH
    most = max(1, min(room, -(-len(paths) // size)))
    needs: dict[str, Any] = {"num_gpus": 1} if on_gpu else {"num_cpus": 1}
    rows = ray.data.from_items([{"path": path} for path in paths], override_num_blocks=most)
    encoded = rows.map_batches(
        Encoder,
        fn_constructor_args=(features.backbone, views),
        batch_size=size,
        compute=ActorPoolStrategy(min_size=1, max_size=most),
        **needs,
    )
    done = 0
    with counting(len(views)):
        for batch in encoded.iter_batches(batch_size=size, batch_format="numpy"):
            _take(features, batch, views)
            done += len(batch["path"])
            if features.on_progress is not None:
                features.on_progress(done * len(views), len(paths) * len(views))


def _take(features: FeatureSource, batch: dict[str, Any], views: Sequence[int]) -> None:
    """Adopt the features of a batch, and cache them."""
    known = np.flatnonzero(batch["is_read"])
    if not len(known):
        return
    paths, hashes = ([str(batch[name][i]) for i in known] for name in ("path", "hash"))
    vectors = np.stack([np.asarray(batch["features"][i], np.float32) for i in known])
    vectors = vectors.reshape(len(known), len(views), -1)
    for path, own in zip(paths, vectors, strict=True):
        features.adopt([(path, view) for view in views], own)
    identities = [str(batch["identity"][i]) for i in known]
    for identity in dict.fromkeys(identities):  # workers may compute in other ways
        rows = [i for i, one in enumerate(identities) if one == identity]
        those = [hashes[i] for i in rows]
        store_features(features.backbone, those, vectors[rows], features.cache, identity, views)


class Encoder:
    """An actor with the backbone: batches of paths in; content hashes, features (views x D numbers) out,
    and under what identity they are cached."""

    def __init__(self, backbone: Backbone, views: Readings) -> None:
        self.backbone, self.views = backbone, numbers_of(views)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        paths = [str(path) for path in batch["path"]]
        try:
            return self._rows(paths, self._encode(paths))
        except Exception:  # one by one: a bad image costs itself alone
            return self._rows(paths, [self._encode_one(path) for path in paths])

    def _encode(self, paths: Sequence[str]) -> list[tuple[str, np.ndarray]]:
        hashes, features = hash_and_encode(self.backbone, paths, views=self.views)
        return list(zip(hashes, features.transpose(1, 0, 2), strict=True))

    def _encode_one(self, path: str) -> tuple[str, np.ndarray] | None:
        try:
            return self._encode([path])[0]
        except Exception:  # the runs that need it will tell
            return None

    def _rows(self, paths: Sequence[str], encoded: Sequence[tuple[str, np.ndarray] | None]) -> dict[str, Any]:
        unread = ("", np.zeros((len(self.views), self.backbone.feature_dim), np.float32))
        hashes, vectors = zip(*(unread if own is None else own for own in encoded), strict=True)
        return {
            "path": np.array(paths),
            "identity": np.array([feature_identity(self.backbone)] * len(paths)),
            "is_read": np.array([own is not None for own in encoded]),
            "hash": np.array(hashes),
            "features": np.stack([vector.reshape(-1) for vector in vectors]),
        }
