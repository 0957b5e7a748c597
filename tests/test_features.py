"""Pictures in, features out: order, views, cache, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from one_view import augmented_view, preprocess
from PIL import Image

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache, content_hash, open_image
from promptlet.errors import ImageError, OptionError
from promptlet.features import (
    encode_images,
    feature_identity,
    find_cached,
    hash_and_encode,
    store_features,
)


class Counter:
    """Counts the pictures that the image tower is given."""

    def __init__(self, backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pictures = 0
        self.batches: list[int] = []
        own = backbone.images.encode

        def encode(pixels: torch.Tensor) -> torch.Tensor:
            self.pictures += len(pixels)
            self.batches.append(len(pixels))
            return own(pixels)  # type: ignore[no-any-return]

        monkeypatch.setattr(backbone.images, "encode", encode)


@pytest.fixture
def counter(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(tiny_backbone, monkeypatch)


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[[int], list[Path]]:
    """Different small pictures of different sizes on disk."""

    def make(count: int) -> list[Path]:
        draw = np.random.default_rng(0)
        paths = []
        for i in range(count):
            pixels = draw.integers(0, 256, (33 + i % 5, 40 - i % 3, 3), dtype=np.uint8)
            paths.append(tmp_path / f"{i:03d}.png")
            Image.fromarray(pixels).save(paths[-1])
        return paths

    return make


def by_hand(backbone: Any, path: Path, view: int = 0) -> np.ndarray:
    image, spec = open_image(path), backbone.images.spec
    pixels = preprocess(image, spec) if view == 0 else augmented_view(image, spec, content_hash(path), view)
    return np.asarray(backbone.images.encode(torch.from_numpy(pixels[None]))[0])


@pytest.mark.parametrize("cached", [False, True])
def test_equals_a_loop_by_hand_in_the_order_given(
    cached: bool, tiny_backbone: Any, pictures: Any, tmp_path: Path
) -> None:
    paths = pictures(40)[::-1]  # more than one batch
    cache = FeatureCache(tmp_path / "cache") if cached else None
    features = encode_images(tiny_backbone, paths, cache=cache)
    assert features.shape == (1, 40, tiny_backbone.feature_dim)
    assert features.dtype == np.float32
    expected = np.stack([by_hand(tiny_backbone, path) for path in paths])
    np.testing.assert_allclose(features[0], expected, atol=1e-5)


def test_paths_pillow_images_and_arrays_give_the_same(tiny_backbone: Any, pictures: Any) -> None:
    (path,) = pictures(1)
    image = Image.open(path)
    image.load()
    features = encode_images(tiny_backbone, [path, str(path), image, np.asarray(image)])[0]
    for row in features[1:]:
        np.testing.assert_allclose(row, features[0], atol=1e-6)


def test_views_are_as_by_hand_differ_and_repeat(tiny_backbone: Any, pictures: Any) -> None:
    paths = pictures(3)
    features = encode_images(tiny_backbone, paths, views=4)
    assert features.shape == (4, 3, tiny_backbone.feature_dim)
    expected = [[by_hand(tiny_backbone, path, view) for path in paths] for view in range(4)]
    np.testing.assert_allclose(features, expected, atol=1e-5)
    distances = np.abs(features[:, None] - features[None]).max(axis=(2, 3))
    assert (distances[~np.eye(4, dtype=bool)] > 1e-3).all()
    again = encode_images(tiny_backbone, paths[::-1], views=4)[:, ::-1]
    np.testing.assert_allclose(again, features, atol=1e-6)
    np.testing.assert_allclose(encode_images(tiny_backbone, paths, views=2), features[:2], atol=1e-6)


@pytest.mark.parametrize(("kind", "first"), [("crops", 1), ("large-crops", 1_000_001)])
def test_crops_alone_are_as_by_hand(kind: str, first: int, tiny_backbone: Any, pictures: Any) -> None:
    paths = pictures(3)
    features = encode_images(tiny_backbone, paths, views=f"{kind}:2")
    expected = [[by_hand(tiny_backbone, path, view) for path in paths] for view in (first, first + 1)]
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_crops_alone_are_the_crops_beside_the_plain_reading(
    tiny_backbone: Any, pictures: Any, counter: Counter, tmp_path: Path
) -> None:
    paths, cache = pictures(4), FeatureCache(tmp_path / "cache")
    mixed = encode_images(tiny_backbone, paths, views=3, cache=cache)
    assert np.array_equal(encode_images(tiny_backbone, paths, views="crops:2", cache=cache), mixed[1:])
    assert counter.pictures == 12
    some = encode_images(tiny_backbone, paths, views=(0, 2, 3), cache=cache)
    assert np.array_equal(some[:2], mixed[::2]) and counter.pictures == 16


def test_the_second_time_nothing_is_encoded(
    tiny_backbone: Any, pictures: Any, counter: Counter, tmp_path: Path
) -> None:
    paths, cache = pictures(5), FeatureCache(tmp_path / "cache")
    first = encode_images(tiny_backbone, paths, views=2, cache=cache)
    assert counter.pictures == 10
    second = encode_images(tiny_backbone, paths[::-1], views=2, cache=cache)
    assert counter.pictures == 10
    assert np.array_equal(second[:, ::-1], first)
    encode_images(tiny_backbone, paths, views=3, cache=cache)
    assert counter.pictures == 15
    assert cache.stats().entries == 15


def test_the_same_picture_twice_is_encoded_once(
    tiny_backbone: Any, pictures: Any, counter: Counter, tmp_path: Path
) -> None:
    first, second = pictures(2)
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    features = encode_images(tiny_backbone, [first, second, copy, first])
    assert counter.pictures == 2
    assert np.array_equal(features[0, 0], features[0, 2])
    assert np.array_equal(features[0, 0], features[0, 3])


def test_a_picture_is_hashed_once_whatever_the_views(
    tiny_backbone: Any, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Any] = []
    monkeypatch.setattr(
        "promptlet.data.images.opening.content_hash",
        lambda source: (hashed.append(source), content_hash(source))[1],
    )
    encode_images(tiny_backbone, pictures(3), views=5)
    assert len(hashed) == 3


def test_what_is_encoded_elsewhere_is_stored_without_a_look_at_the_pictures(
    tiny_backbone: Any, pictures: Any, tmp_path: Path
) -> None:
    paths, cache = [str(path) for path in pictures(3)], FeatureCache(tmp_path / "cache")
    hashes, features = hash_and_encode(tiny_backbone, paths, views=2)
    assert hashes == [content_hash(path) for path in paths]
    Path(paths[1]).unlink()
    store_features(tiny_backbone, hashes, features.transpose(1, 0, 2), cache)
    found = find_cached(tiny_backbone, paths, 2, cache)
    assert list(found) == [paths[0], paths[2]]
    assert np.array_equal(np.stack(list(found.values())), features.transpose(1, 0, 2)[[0, 2]])


def test_nothing_in_nothing_out(tiny_backbone: Any, counter: Counter, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    features = encode_images(
        tiny_backbone, [], views=2, cache=FeatureCache(tmp_path), on_progress=lambda a, b: seen.append((a, b))
    )
    assert features.shape == (2, 0, tiny_backbone.feature_dim)
    assert (seen, counter.pictures) == ([(0, 0)], 0)


def test_progress_counts_pictures_times_views_with_those_found(
    tiny_backbone: Any, pictures: Any, tmp_path: Path
) -> None:
    paths, cache = pictures(35), FeatureCache(tmp_path / "cache")
    encode_images(tiny_backbone, paths[:3], cache=cache)
    seen: list[tuple[int, int]] = []
    encode_images(tiny_backbone, paths, views=2, cache=cache, on_progress=lambda a, b: seen.append((a, b)))
    assert seen == [(3, 70), (35, 70), (67, 70), (70, 70)]


@pytest.mark.parametrize("views", [0, -1])
def test_views_below_one_are_refused(views: int, tiny_backbone: Any, pictures: Any) -> None:
    with pytest.raises(OptionError, match=f"views={views} is outside 1 and more"):
        encode_images(tiny_backbone, pictures(1), views=views)


def test_a_bad_picture_is_named_and_the_others_are_kept(
    tiny_backbone: Any, pictures: Any, tmp_path: Path
) -> None:
    paths, cache = pictures(40), FeatureCache(tmp_path / "cache")
    paths[35].write_bytes(paths[35].read_bytes()[:200])
    with pytest.raises(ImageError, match=r"035\.png: cannot be decoded"):
        encode_images(tiny_backbone, paths, cache=cache)
    assert cache.stats().entries == 39  # every other picture: mending the bad one costs one encoding
    features = encode_images(tiny_backbone, paths[:32], cache=cache)
    np.testing.assert_allclose(features[0, 31], by_hand(tiny_backbone, paths[31]), atol=1e-5)


def test_a_missing_picture_is_named_before_anything_is_encoded(
    tiny_backbone: Any, pictures: Any, counter: Counter, tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: there is no such file"):
        encode_images(tiny_backbone, [*pictures(2), tmp_path / "gone.png"])
    assert counter.pictures == 0


def test_a_damaged_cache_is_computed_anew(
    tiny_backbone: Any, pictures: Any, counter: Counter, tmp_path: Path
) -> None:
    paths, cache = pictures(4), FeatureCache(tmp_path / "cache")
    first = encode_images(tiny_backbone, paths, cache=cache)
    cache.path.write_bytes(b"no database at all" * 100)
    again = encode_images(tiny_backbone, paths, cache=cache)
    np.testing.assert_allclose(again, first, atol=1e-6)
    assert counter.pictures == 8
    assert cache.notes
    encode_images(tiny_backbone, paths, cache=cache)
    assert counter.pictures == 8


def test_a_cache_that_cannot_be_written_does_not_stand_in_the_way(
    tiny_backbone: Any, pictures: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = FeatureCache(tmp_path / "file")
    assert encode_images(tiny_backbone, pictures(2), cache=cache).shape[1] == 2
    assert cache.notes


def test_another_backbone_does_not_meet_these_features(
    tiny_backbone: Any, gelu_folder: Path, pictures: Any, tmp_path: Path
) -> None:
    from promptlet.backbones import load_backbone

    other = load_backbone(gelu_folder, device="cpu")
    paths, cache = pictures(2), FeatureCache(tmp_path / "cache")
    here = encode_images(tiny_backbone, paths, cache=cache)
    there = encode_images(other, paths, cache=cache)
    assert np.abs(here - there).max() > 1e-3
    assert cache.stats().entries == 4


def test_all_bad_pictures_are_named_at_once(tiny_backbone: Backbone, pictures: Any, tmp_path: Path) -> None:
    paths = pictures(6)
    for path in (paths[1], paths[4]):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match=r"(?s)2 images cannot be read.*001\.png.*004\.png"):
        encode_images(tiny_backbone, paths)


def test_precisions_do_not_share_cached_features(tiny_backbone: Backbone) -> None:
    half = SimpleNamespace(image_fingerprint=tiny_backbone.image_fingerprint, arithmetic="bfloat16")
    assert feature_identity(tiny_backbone) == tiny_backbone.image_fingerprint
    assert feature_identity(half) == f"{tiny_backbone.image_fingerprint}-bfloat16-reduced"  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_features_that_are_no_numbers_are_refused_by_image_and_not_kept(
    value: float, pictures: Any, tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, cache = pictures(3), FeatureCache(tmp_path / "cache")
    own = tiny_backbone.images.encode

    def spoiled(pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = own(pixels)
        features[1] = value
        return features

    with monkeypatch.context() as patch:
        patch.setattr(tiny_backbone.images, "encode", spoiled)
        with pytest.raises(
            ImageError, match=f"{paths[1].name}: the features that .* no numbers, or zeros alone"
        ):
            encode_images(tiny_backbone, paths, cache=cache)
    assert np.isfinite(encode_images(tiny_backbone, paths, cache=cache)).all()


def test_features_of_zeros_that_were_kept_are_made_anew(
    pictures: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    """Older versions kept what any backbone gave, but for NaN, which the store refuses."""
    paths, cache = pictures(2), FeatureCache(tmp_path / "cache")
    hashes, right = hash_and_encode(tiny_backbone, paths)
    wrong = np.zeros_like(right).transpose(1, 0, 2)
    store_features(tiny_backbone, hashes, wrong, cache)
    np.testing.assert_array_equal(encode_images(tiny_backbone, paths, cache=cache), right)
