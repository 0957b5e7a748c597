"""Pictures are read and decoded ahead of the tower: in order, no further than said, and nothing is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_view import preprocess
from PIL import Image

from promptlet import features
from promptlet.data import FeatureCache, content_hash, open_image
from promptlet.data.images import opening
from promptlet.data.images.opening import hashed_once
from promptlet.decoding import ahead, pixels, reading
from promptlet.decoding.ahead import decoders, in_order, threads_beside
from promptlet.decoding.tower import Tower
from promptlet.errors import ImageError
from promptlet.features import encode_images, hash_and_encode
from promptlet.progress import NoBars, told_by


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], list[Path]]:
    def make(count: int) -> list[Path]:
        draw = np.random.default_rng(0)
        paths = [tmp_path / f"{i:03d}.png" for i in range(count)]
        for path in paths:
            Image.fromarray(draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
        return paths

    return make


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("promptlet-decoder")]


@pytest.mark.parametrize(
    ("most", "most_bytes", "expected"), [(5, 1e9, 5), (100, 30, 3), (100, 1, 1), (1, 1e9, 1)]
)
def test_results_come_in_order_and_no_more_than_so_many_are_ahead(
    most: int, most_bytes: float, expected: int
) -> None:
    """Counted where items are given out, which is before any work on them."""
    given, before, taken = 0, [], 0

    def items() -> Iterator[int]:
        nonlocal given
        for i in range(40):
            given += 1
            yield i

    with decoders() as pool:
        for i, future in in_order(pool, lambda i: 2 * i, items(), most, most_bytes, lambda _: 10):
            assert (i, future.result()) == (taken, 2 * taken)
            taken += 1
            before.append(given - taken)
    assert taken == 40
    assert max(before) == expected  # of them, one is not given to the pool yet


def test_as_many_decode_as_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "cores", lambda: 12)
    for threads_of_torch, expected in ((1, 2), (2, 2), (5, 5), (64, 16)):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=threads_of_torch: count)
        assert threads_beside(torch.device("cpu")) == expected
        assert threads_beside(torch.device("cuda")) == 12


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_whoever_stops_leaves_no_thread_and_nothing_that_was_not_begun(stop: type[BaseException]) -> None:
    begun: list[int] = []
    may_end = threading.Event()

    def work(i: int) -> None:
        begun.append(i)
        may_end.wait(10)

    with pytest.raises(stop), decoders() as pool:
        for i in range(1000):
            pool.submit(work, i)
        may_end.set()
        raise stop
    assert len(begun) < 1000 and threads() == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_tower_that_is_stopped_leaves_no_thread_and_keeps_what_was_done(
    stop: type[BaseException],
    photos: Any,
    tiny_backbone: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "BATCH", 4)
    paths, cache, own = photos(40), FeatureCache(tmp_path / "cache"), tiny_backbone.images.encode
    calls: list[int] = []

    def encode(pixel_values: torch.Tensor) -> torch.Tensor:
        calls.append(len(pixel_values))
        if len(calls) == 4:
            raise stop
        found: torch.Tensor = own(pixel_values)
        return found

    monkeypatch.setattr(tiny_backbone.images, "encode", encode)
    with pytest.raises(stop):
        encode_images(tiny_backbone, paths, cache=cache)
    assert threads() == []
    assert cache.stats().entries >= 8  # all but the batch before, of which a GPU may still be at work
    calls.clear()
    monkeypatch.setattr(tiny_backbone.images, "encode", own)
    encode_images(tiny_backbone, paths, cache=cache)
    assert cache.stats().entries == 40


def test_decoded_pictures_wait_in_bounded_numbers(
    photos: Any, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the tower, no more than `AHEAD` batches are decoded before it takes them."""
    monkeypatch.setattr(features, "BATCH", 4)
    paths, own, decode = photos(80), tiny_backbone.images.encode, pixels.decode
    lock, begun, encoded, waiting = threading.Lock(), 0, 0, []

    def counted(*arguments: Any) -> np.ndarray:
        nonlocal begun
        with lock:
            begun += 1
            waiting.append(begun - encoded)
        return decode(*arguments)

    def encode(pixel_values: torch.Tensor) -> torch.Tensor:
        nonlocal encoded
        threading.Event().wait(0.01)  # long enough for all that may be decoded
        found: torch.Tensor = own(pixel_values)
        with lock:
            encoded += len(pixel_values)
        return found

    monkeypatch.setattr(pixels, "decode", counted)
    monkeypatch.setattr(tiny_backbone.images, "encode", encode)
    encode_images(tiny_backbone, paths)
    assert begun == encoded == 80
    assert 4 < max(waiting) <= 4 * (pixels.AHEAD + 1)


def test_portions_are_of_bounded_bytes_and_hold_every_picture_once(
    photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = photos(30)
    size = max(path.stat().st_size for path in paths)
    monkeypatch.setattr(reading, "PORTION_BYTES", 4 * size)
    errors: list[ImageError] = []
    with decoders() as pool:
        sizes = reading.check_all(pool, paths)
        portions = list(reading.read_ahead(pool, paths, sizes, errors))
    assert sizes == [path.stat().st_size for path in paths] and errors == []
    assert [one.place for portion in portions for one in portion] == list(range(30))
    assert all(1 <= len(portion) <= 5 for portion in portions) and len(portions) >= 6
    assert all(one.source == paths[one.place].read_bytes() for portion in portions for one in portion)


def test_many_portions_give_what_one_gives(
    photos: Any, tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = photos(23)
    paths += paths[:5]  # the same again, in another portion
    cache = FeatureCache(tmp_path / "cache")
    expected = hash_and_encode(tiny_backbone, paths, views=2)
    encode_images(tiny_backbone, paths[3:6], cache=cache)
    monkeypatch.setattr(reading, "PORTION", 4)
    told: list[tuple[int, int]] = []
    hashes, found = hash_and_encode(
        tiny_backbone, paths, views=2, cache=cache, on_progress=lambda *far: told.append(far)
    )
    assert hashes == expected[0]
    np.testing.assert_allclose(found, expected[1], atol=1e-6)
    assert told[-1] == (56, 56) and told == sorted(told) and {total for _, total in told} == {56}
    assert cache.stats().entries == 46


def test_a_small_file_is_read_once_and_what_was_hashed_is_decoded(
    photos: Any, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = photos(6)
    expected = hash_and_encode(tiny_backbone, paths)
    read = opening.read_and_hash

    def replaced_at_once(source: Any, known: Any) -> Any:
        found = read(source, known)
        Path(source).write_bytes(b"another file by now")
        return found

    monkeypatch.setattr(reading, "read_and_hash", replaced_at_once)
    hashes, found = hash_and_encode(tiny_backbone, paths)
    assert hashes == expected[0] and np.array_equal(found, expected[1])


def test_a_large_file_is_not_kept(photos: Any, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = photos(3)
    expected = hash_and_encode(tiny_backbone, paths)
    monkeypatch.setattr(opening, "KEPT_BYTES", paths[0].stat().st_size - 1)
    assert opening.read_and_hash(paths[0]) == (content_hash(paths[0]), paths[0])
    hashes, found = hash_and_encode(tiny_backbone, paths)
    assert hashes == expected[0] and np.array_equal(found, expected[1])


def test_what_is_hashed_in_this_work_is_not_read_for_it_again(
    photos: Any, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = photos(3)
    with hashed_once():
        first = hash_and_encode(tiny_backbone, paths)
        monkeypatch.setattr(opening, "content_hash", lambda source: pytest.fail("it is known"))
        assert hash_and_encode(tiny_backbone, paths)[0] == first[0]


def test_every_picture_that_cannot_be_read_is_named_once(photos: Any, tiny_backbone: Any) -> None:
    paths = photos(9)
    paths[2].write_bytes(paths[2].read_bytes()[:100])
    with pytest.raises(ImageError) as caught:
        encode_images(tiny_backbone, [*paths, paths[2], np.zeros((3, 4, 5))], views=2)
    text = str(caught.value)
    assert text.count("002.png") == 1 and "an array of shape (3, 4, 5) is no image" in text


def test_a_tower_without_memory_takes_smaller_batches_and_says_so(tiny_backbone: Any, photos: Any) -> None:
    own, sizes, lines = tiny_backbone.images.encode, [], []

    def encode(pixel_values: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixel_values))
        if len(pixel_values) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        found: torch.Tensor = own(pixel_values)
        return found

    height, width = tiny_backbone.images.spec.output_size
    values = torch.rand(16, 3, height, width)
    with told_by(NoBars(lines.append)):
        tower = Tower(encode, 16)
        found = tower(values)
        assert sizes == [16, 8, 4, 2, *[2] * 7]
        tower(values[:4])
    assert sizes[-2:] == [2, 2]
    torch.testing.assert_close(found, own(values), atol=1e-5, rtol=0)
    assert len(lines) == 3 and "8 images at once; from here on 4 at a time" in lines[1]


def test_a_device_without_memory_for_the_pixels_takes_smaller_batches(
    tiny_backbone: Any, photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, sizes, lines = photos(7), [], []
    expected = encode_images(tiny_backbone, paths)

    def taken(pixels: torch.Tensor, _: torch.device) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return pixels

    monkeypatch.setattr(features, "without_waiting", taken)
    with told_by(NoBars(lines.append)):
        found = encode_images(tiny_backbone, paths)
    assert sizes == [7, 3, 3, 1] and len(lines) == 1
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
    ],
)
def test_without_memory_for_one_image_the_error_is_the_towers(error: Exception) -> None:
    sizes = []

    def encode(pixel_values: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixel_values))
        raise error

    with pytest.raises(type(error)):
        Tower(encode, 8)(torch.zeros(5, 3, 2, 2))
    assert sizes == [5, 2, 1]


def test_other_errors_of_a_tower_are_not_tried_again() -> None:
    calls = []

    def encode(pixel_values: torch.Tensor) -> torch.Tensor:
        calls.append(len(pixel_values))
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        Tower(encode, 8)(torch.zeros(5, 3, 2, 2))
    assert calls == [5]


def test_open_image_and_pixel_values_agree_with_the_way_by_hand(photos: Any, tiny_backbone: Any) -> None:
    (path,) = photos(1)
    wanted = pixels.View(path.read_bytes(), str(path), "", 0)
    spec = tiny_backbone.images.spec
    assert np.array_equal(pixels.decode(wanted, spec, False), preprocess(open_image(path), spec))
