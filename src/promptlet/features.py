"""Image features: pictures in, one vector per picture and view out, encoded once and cached on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.backbones.image.preprocess import augmented_view, preprocess
from promptlet.data import FeatureCache
from promptlet.data.images.opening import (
    ImageSource,
    content_hashes,
    image_in_turn,
    name_of,
    raise_together,
)
from promptlet.data.images.reading import named
from promptlet.errors import ImageError, OptionError
from promptlet.session import precision

BATCH = 32
DECODERS = 4


def encode_images(
    backbone: Backbone,
    sources: Sequence[ImageSource],
    *,
    views: int = 1,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Features (views, N, D), float32, not normalised, of ``sources`` (paths, PIL images, arrays).

    View 0 is the model's test preprocessing; views 1, 2, ... are augmented (`backbones.preprocess`).
    on_progress(done, total) counts pictures times views. Raises ImageError naming every file that cannot be
    opened, at once; or every picture that cannot be decoded, after the others were encoded and cached.
    """
    return hash_and_encode(backbone, sources, views=views, cache=cache, on_progress=on_progress)[1]


def hash_and_encode(
    backbone: Backbone,
    sources: Sequence[ImageSource],
    *,
    views: int = 1,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[str], np.ndarray]:
    """The N content hashes under which `encode_images` caches features, and its features (views, N, D).

    Each picture is hashed once, before it is decoded. Raises what `encode_images` raises.
    """
    backbone.check_images()
    if views < 1:
        raise OptionError(f"views={views} is outside 1 and more; 1 means the model's own preprocessing alone")
    hashes = content_hashes(sources)
    keys = [(content, str(view)) for content in hashes for view in range(views)]
    identity = feature_identity(backbone)
    found = {} if cache is None else cache.get_many(identity, keys)
    found = {key: vector for key, vector in found.items() if _is_usable(vector)}
    missing = [i for i, key in enumerate(keys) if key not in found]
    first = {keys[i]: i for i in reversed(missing)}  # the same picture twice is encoded once
    todo = sorted(first.values())
    done, total = len(keys) - len(todo), len(keys)
    if on_progress is not None:
        on_progress(done, total)
    errors: list[ImageError] = []
    for batch, pixels in _decoded(backbone, sources, keys, todo, views, errors):
        vectors = backbone.images.encode(torch.from_numpy(pixels)).cpu().numpy()
        new = {}
        for i, vector in zip(batch, vectors, strict=True):
            if _is_usable(vector):
                new[keys[i]] = vector
            else:
                errors.append(_no_features(sources[i // views], backbone.name))
        found.update(new)
        if cache is not None:
            cache.put_many(identity, new)
        done += len(batch)
        if on_progress is not None:
            on_progress(done, total)
    raise_together(errors)
    if not keys:
        return hashes, np.zeros((views, 0, backbone.feature_dim), np.float32)
    stacked = np.stack([found[key] for key in keys])
    return hashes, stacked.reshape(len(sources), views, -1).transpose(1, 0, 2)


def _is_usable(vector: np.ndarray) -> bool:
    return bool(np.isfinite(vector).all() and vector.any())


def _no_features(source: ImageSource, backbone: str) -> ImageError:
    return ImageError(
        f"{name_of(source)}: the features that {backbone!r} gives of it are no numbers, or zeros alone, and "
        "nothing can be compared with them; leave the image out, or take a sound copy of the model"
    )


def find_cached(
    backbone: Backbone, paths: Sequence[str], views: int, cache: FeatureCache | None
) -> dict[str, np.ndarray]:
    """Features (views, D) of those images of which ``cache`` has all views. What cannot be read has none."""
    if cache is None or not paths:
        return {}
    hashes = {}
    for path in paths:
        with suppress(ImageError):
            [hashes[path]] = content_hashes([path])
    keys = [(content, str(view)) for content in hashes.values() for view in range(views)]
    known = cache.get_many(feature_identity(backbone), keys)
    found = {}
    for path, content in hashes.items():
        vectors = [known.get((content, str(view))) for view in range(views)]
        whole = [vector for vector in vectors if vector is not None and _is_usable(vector)]
        if len(whole) == views:
            found[path] = np.stack(whole)
    return found


def store_features(
    backbone: Backbone,
    hashes: Sequence[str],
    features: np.ndarray,
    cache: FeatureCache | None,
    identity: str | None = None,
) -> None:
    """Put features (N, views, D) into ``cache``, with the N content hashes that came with them.

    identity: the `feature_identity` of where they were made, which may compute in another precision; None
    for that of here.
    The images are not read: they may have changed since `hash_and_encode`, elsewhere, made both.
    """
    if cache is None:
        return
    vectors = {
        (content, str(view)): vector
        for content, own in zip(hashes, features, strict=True)
        for view, vector in enumerate(own)
    }
    cache.put_many(identity or feature_identity(backbone), vectors)


def feature_identity(backbone: Backbone) -> str:
    """What cached features depend on: the image tower, and in what precision it computes, where that is not
    plain float32: of its products, and what the session makes of float32."""
    word = backbone.arithmetic
    if word in ("bfloat16", "float16"):
        return f"{backbone.image_fingerprint}-{word}"
    own = {"mixed": "mixed", "mixed_images": "mixed", "float32_engine": "engine"}.get(word, "")
    words = own, precision(backbone.device)
    return "-".join([backbone.image_fingerprint, *filter(None, words)])


def _decoded(
    backbone: Backbone,
    sources: Sequence[ImageSource],
    keys: Sequence[tuple[str, str]],
    todo: Sequence[int],
    views: int,
    errors: list[ImageError],
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Indices and pixel values (B, 3, H, W), decoded by threads one batch ahead of the model.

    A batch in which sizes differ comes in parts of one size each. Pictures that cannot be read are left out;
    what is wrong with them is added to ``errors``.
    """

    def decode(index: int) -> np.ndarray:
        source = sources[index // views]
        content, view = keys[index][0], index % views  # a picture's views stand side by side
        spec = backbone.images.spec
        with image_in_turn(source) as image, named(name_of(source)):
            return preprocess(image, spec) if view == 0 else augmented_view(image, spec, content, view)

    batches = [list(todo[i : i + BATCH]) for i in range(0, len(todo), BATCH)]
    with ThreadPoolExecutor(DECODERS) as pool:
        ahead = iter(batches)
        waiting = [(batch, [pool.submit(decode, i) for i in batch]) for batch in islice(ahead, 2)]
        while waiting:
            batch, futures = waiting.pop(0)
            by_size: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
            for index, future in zip(batch, futures, strict=True):
                try:
                    pixels = future.result()
                except ImageError as error:
                    errors.append(error)
                    continue
                by_size.setdefault(pixels.shape, []).append((index, pixels))
            waiting += [(b, [pool.submit(decode, i) for i in b]) for b in islice(ahead, 1)]
            for same in by_size.values():
                yield [index for index, _ in same], np.stack([pixels for _, pixels in same])
