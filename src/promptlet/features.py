"""Image features: pictures in, one vector per picture and view out, encoded once and cached on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.data.images.opening import ImageSource, content_hashes, name_of, raise_together
from promptlet.decoding.ahead import decoders, threads_beside
from promptlet.decoding.pixels import View, batches
from promptlet.decoding.reading import Read, check_all, read_ahead
from promptlet.decoding.tower import Tower
from promptlet.errors import ImageError
from promptlet.progress import counting, not_encoded
from promptlet.session import precision, without_waiting
from promptlet.views import Readings, numbers_of

BATCH = 32
GPU_BATCH = 128
"""Of images, on a CPU and elsewhere. More at once were no faster on a CPU."""
MIXED_IMAGES = ("mixed", "mixed_images")
"""Arithmetics in which the image tower's products are in less than float32."""


def encode_images(
    backbone: Backbone,
    sources: Sequence[ImageSource],
    *,
    views: Readings = 1,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Features (views, N, D), float32, not normalised, of ``sources`` (paths, PIL images, arrays).

    View 0 is the model's test preprocessing; views 1, 2, ... are augmented (`preprocessing.views`). views:
    how many, from 0 on, or crops alone, as "crops:16" or "large-crops:10" (`promptlet.views`).
    on_progress(done, total) counts pictures times views. Raises ImageError naming every file that cannot be
    opened, at once; or every picture that cannot be read or decoded, after the others were encoded.
    """
    return hash_and_encode(backbone, sources, views=views, cache=cache, on_progress=on_progress)[1]


def hash_and_encode(
    backbone: Backbone,
    sources: Sequence[ImageSource],
    *,
    views: Readings = 1,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[str], np.ndarray]:
    """The N content hashes under which `encode_images` caches features, and its features (views, N, D).

    Each file is read and hashed once, a small one's bytes are those that are decoded, and reading, decoding
    and encoding go on side by side. Raises what `encode_images` raises.
    """
    backbone.check_images()
    numbers = numbers_of(views)
    work = _Work(backbone, sources, numbers, cache, on_progress)
    images, spec = backbone.images, backbone.images.spec

    def encode(pixels: Tensor) -> Tensor:
        """Of pixels that are still here: there may be no memory for them, either."""
        return images.encode(without_waiting(pixels, backbone.device))

    tower = Tower(encode, BATCH if backbone.device.type == "cpu" else GPU_BATCH)
    with decoders(threads_beside(backbone.device)) as pool, counting(len(numbers)):
        lacking = work.lacking(read_ahead(pool, sources, check_all(pool, sources), work.errors))
        late: list[tuple[list[View], Tensor]] = []  # what a GPU still computes while the next is decoded
        for batch, pixels in batches(pool, lacking, spec, tower.most, reads_reduced(backbone), work.errors):
            late.append((batch, tower(torch.from_numpy(pixels))))
            if len(late) > 1:
                work.keep(*late.pop(0))
        for own in late:
            work.keep(*own)
    raise_together(work.errors)
    return work.hashes, work.features()


class _Work:
    """What is known so far: content hashes, the vectors by (content hash, view), and errors."""

    def __init__(
        self,
        backbone: Backbone,
        sources: Sequence[ImageSource],
        views: Sequence[int],
        cache: FeatureCache | None,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.backbone, self.sources, self.views = backbone, sources, views
        self.hashes = [""] * len(sources)
        self.errors: list[ImageError] = []
        self._cache, self._identity = cache, feature_identity(backbone)
        self._found: dict[tuple[str, str], np.ndarray] = {}
        self._asked: set[tuple[str, str]] = set()
        self._done, self._on_progress = 0, on_progress

    def lacking(self, portions: Iterable[list[Read]]) -> Iterator[View]:
        """The views that neither the cache has nor a picture before: what is there twice is encoded once."""
        for number, portion in enumerate(portions):
            keys = [(one.content, str(view)) for one in portion for view in self.views]
            found = {} if self._cache is None else self._cache.get_many(self._identity, keys)
            self._found |= {key: vector for key, vector in found.items() if is_usable(vector)}
            todo = []
            for one in portion:
                self.hashes[one.place] = one.content
                name = name_of(self.sources[one.place])
                for view in self.views:
                    key = one.content, str(view)
                    if key not in self._found and key not in self._asked:
                        self._asked.add(key)
                        todo.append(View(one.source, name, one.content, view))
            not_encoded(len(keys) - len(todo))
            self._tell(len(keys) - len(todo), always=number == 0)
            yield from todo

    def keep(self, batch: Sequence[View], features: Tensor) -> None:
        """Features (B, D) of some views, here and in the cache."""
        new = {}
        for own, vector in zip(batch, features.cpu().numpy(), strict=True):
            if is_usable(vector):
                new[own.content, str(own.view)] = vector
            else:
                self.errors.append(no_features(own.name, self.backbone.name))
        self._found |= new
        if self._cache is not None:
            self._cache.put_many(self._identity, new)
        self._tell(len(batch))

    def features(self) -> np.ndarray:
        """Features (views, N, D), once all are there."""
        if not self.sources:
            return np.zeros((len(self.views), 0, self.backbone.feature_dim), np.float32)
        return np.stack(
            [np.stack([self._found[content, str(view)] for content in self.hashes]) for view in self.views]
        )

    def _tell(self, more: int, always: bool = False) -> None:
        self._done += more
        if self._on_progress is not None and (more or always):
            self._on_progress(self._done, len(self.sources) * len(self.views))


def is_usable(vector: np.ndarray) -> bool:
    """Whether features (D,) can be compared with others."""
    return bool(np.isfinite(vector).all() and vector.any())


def no_features(name: str, backbone: str) -> ImageError:
    """Of an image whose features are not `is_usable`."""
    return ImageError(
        f"{name}: the features that {backbone!r} gives of it are no numbers, or zeros alone, and "
        "nothing can be compared with them; leave the image out, or take a sound copy of the model"
    )


def find_cached(
    backbone: Backbone, paths: Sequence[str], views: Readings, cache: FeatureCache | None
) -> dict[str, np.ndarray]:
    """Features (views, D) of those images of which ``cache`` has all views. What cannot be read has none."""
    numbers = numbers_of(views)
    if cache is None or not paths:
        return {}
    hashes = {}
    for path in paths:
        with suppress(ImageError):
            [hashes[path]] = content_hashes([path])
    keys = [(content, str(view)) for content in hashes.values() for view in numbers]
    known = cache.get_many(feature_identity(backbone), keys)
    found = {}
    for path, content in hashes.items():
        vectors = [known.get((content, str(view))) for view in numbers]
        whole = [vector for vector in vectors if vector is not None and is_usable(vector)]
        if len(whole) == len(numbers):
            found[path] = np.stack(whole)
    return found


def store_features(
    backbone: Backbone,
    hashes: Sequence[str],
    features: np.ndarray,
    cache: FeatureCache | None,
    identity: str | None = None,
    views: Readings | None = None,
) -> None:
    """Put features (N, views, D) into ``cache``, with the N content hashes that came with them.

    identity: the `feature_identity` of where they were made, which may compute in another precision; None
    for that of here. views: which these are; None: from the plain one on.
    The images are not read: they may have changed since `hash_and_encode`, elsewhere, made both.
    """
    if cache is None:
        return
    numbers = numbers_of(features.shape[1] if views is None else views)
    vectors = {
        (content, str(view)): vector
        for content, own in zip(hashes, features, strict=True)
        for view, vector in zip(numbers, own, strict=True)
    }
    cache.put_many(identity or feature_identity(backbone), vectors)


def feature_identity(backbone: Backbone) -> str:
    """What cached features depend on: the image tower, in what precision it computes, where that is not
    plain float32 (of its products, and what the session makes of float32), and whether large JPEGs are
    decoded smaller for it."""
    word = backbone.arithmetic
    decoding = "reduced" if reads_reduced(backbone) else ""
    if word in ("bfloat16", "float16"):
        words = [word]
    else:
        own = "mixed" if word in MIXED_IMAGES else "engine" if word == "float32_engine" else ""
        words = [own, precision(backbone.device)]
    return "-".join([backbone.image_fingerprint, *filter(None, [*words, decoding])])


def reads_reduced(backbone: Backbone) -> bool:
    """Whether large JPEGs are decoded smaller (`preprocess.factor_of`): where the image tower computes in
    less than float32, whose rounding makes as much of a difference. With float32 every pixel counts."""
    return backbone.arithmetic in ("bfloat16", "float16", *MIXED_IMAGES)
