"""Image files of many callers: the features of the library, what is refused, remembered and counted."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from promptlet.backbones import load_backbone, write_text_features
from promptlet.errors import BackboneError, BusyError, ImageError, OptionError, ServiceError
from promptlet.features import encode_images
from promptlet.serve.encoder import MOST_SCANS, SCAN, LocalEncoder
from promptlet.serve.meters import Meters

Tower = Callable[[torch.Tensor], torch.Tensor]


def picture(seed: int, size: tuple[int, int] = (40, 36), kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG file whose header says so, with nothing behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip


def play(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 30))


async def until(is_so: Callable[[], object]) -> None:
    while not is_so():
        await asyncio.sleep(0.001)


class Gate:
    """The tower of the backbone, which waits where it is told to, and counts what it encodes."""

    def __init__(self, backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_open, self.is_inside = threading.Event(), threading.Event()
        self.is_open.set()
        self.own = backbone.images.encode
        self.instead: Tower = self.own
        self.batches: list[int] = []
        monkeypatch.setattr(backbone.images, "encode", self.encode)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(pixels))
        self.is_inside.set()
        self.is_open.wait(20)
        return self.instead(pixels)


@pytest.fixture
def gate(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(tiny_backbone, monkeypatch)


@pytest.fixture
def meters() -> Meters:
    return Meters()


@pytest.fixture
def made(tiny_backbone: Any, gate: Gate, meters: Meters) -> Iterator[Callable[..., LocalEncoder]]:
    all_made: list[LocalEncoder] = []

    def make(**settings: Any) -> LocalEncoder:
        given: dict[str, Any] = {"meters": meters, "on_stuck": lambda reason: pytest.fail(reason)}
        all_made.append(LocalEncoder(tiny_backbone, **(given | settings)))
        return all_made[-1]

    yield make
    gate.is_open.set()
    for encoder in all_made:
        asyncio.run(encoder.close(0))


def counted(meters: Meters) -> dict[str, int]:
    """Images by how they ended, those of which there are any."""
    found = {
        sample.labels["result"]: int(sample.value)
        for metric in meters.registry.collect()
        for sample in metric.samples
        if sample.name == "promptlet_images_total"
    }
    return {result: count for result, count in found.items() if count}


def value(meters: Meters, name: str) -> float:
    found = meters.registry.get_sample_value(name)
    assert found is not None
    return found


def test_features_are_those_of_the_library(made: Any, tiny_backbone: Any, gate: Gate, meters: Meters) -> None:
    """Bit for bit, encoded in the same batch; to rounding in any other."""
    files = [picture(i, (30 + i, 50 - i), kind) for i in range(8) for kind in ("PNG", "JPEG")]
    expected = encode_images(tiny_backbone, files)[0]
    encoder = made()

    async def scene() -> Any:
        first = asyncio.create_task(encoder.encode([picture(99)]))
        gate.is_open.clear()
        await until(gate.is_inside.is_set)
        rest = asyncio.create_task(encoder.encode(files))
        await until(lambda: encoder._batcher._places._ahead.total() == len(files))
        gate.is_open.set()
        await first
        return await rest, [await encoder.encode([file], "another") for file in files]

    gate.is_inside.clear()
    together, alone = play(scene())
    assert gate.batches == [16, 1, 16, *[1] * 16]
    assert all(one.dtype == np.float32 and one.shape == (16,) for one in together)
    np.testing.assert_array_equal(np.stack(together), expected)
    np.testing.assert_allclose(np.concatenate(alone), expected, atol=1e-5)
    assert counted(meters) == {"encoded": 33}
    assert value(meters, "promptlet_batch_images_sum") == 33
    assert value(meters, "promptlet_decode_seconds_count") == 33
    assert value(meters, "promptlet_wait_seconds_count") == 33


def test_photos_are_decoded_smaller_where_the_library_does_so(
    clip_folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load_backbone(clip_folder, device="cpu", dtype="bfloat16")
    photo = picture(0, (700, 520), "JPEG")
    expected = encode_images(backbone, [photo])[0]
    encoder = LocalEncoder(backbone, on_stuck=pytest.fail)

    async def scene() -> Any:
        found = await encoder.encode([photo])
        await encoder.close(1)
        return found

    np.testing.assert_array_equal(np.stack(play(scene())), expected)
    whole = LocalEncoder(backbone, on_stuck=pytest.fail)
    whole._is_reduced = False

    async def other() -> Any:
        found = await whole.encode([photo])
        await whole.close(1)
        return found

    assert not np.array_equal(np.stack(play(other())), expected)


def test_only_pixels_of_one_size_are_encoded_together(siglip_naflex_folder: Path, caplog: Any) -> None:
    backbone = load_backbone(siglip_naflex_folder, device="cpu")
    files = [picture(i, size) for i in range(3) for size in ((40, 40), (80, 20), (20, 80))]

    async def scene() -> Any:
        encoder = LocalEncoder(backbone, on_stuck=pytest.fail)
        found = await encoder.encode(files)
        await encoder.close(1)
        return found

    np.testing.assert_allclose(np.stack(play(scene())), encode_images(backbone, files)[0], atol=1e-5)
    assert caplog.records == []


def test_a_bad_image_costs_itself_alone(made: Any, tiny_backbone: Any, meters: Meters) -> None:
    good = [picture(1), picture(2, (1, 1)), picture(3, (4000, 2)), picture(4, (2, 4000))]
    bad = [b"", b"no image", picture(5)[:200], picture(6, kind="JPEG")[:40], bomb(100_000, 100_000)]
    found = play(made().encode([*good, *bad]))
    assert [type(one) for one in found] == [np.ndarray] * 4 + [ImageError] * 5
    np.testing.assert_allclose(np.stack(found[:4]), encode_images(tiny_backbone, good)[0], atol=1e-5)
    assert counted(meters) == {"encoded": 4, "bad": 5}


def test_an_animated_file_counts_by_its_first_picture(made: Any) -> None:
    pictures = [Image.open(io.BytesIO(picture(i))).convert("P") for i in range(3)]
    file, first = io.BytesIO(), io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:])
    pictures[0].save(first, "GIF")
    found = play(made().encode([file.getvalue(), first.getvalue()]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_an_image_of_too_many_pixels_is_refused_by_its_header(made: Any, monkeypatch: Any) -> None:
    """Also below what the library reads; nothing of it is decoded, and a file that is at the limit is."""
    decoded: list[tuple[int, int]] = []
    at, above = picture(1, (50, 40)), picture(2, (50, 41), "JPEG")
    own = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image.size) or own(image))
    found = play(made(max_pixels=2000).encode([at, above, bomb(9_000, 9_000)]))
    assert isinstance(found[0], np.ndarray)
    assert "50 x 41 is 2,050 pixels, more than the 2,000 that are decoded" in str(found[1])
    assert "81,000,000 pixels, more than the 2,000" in str(found[2])
    assert {*decoded} == {(50, 40)}
    assert "more than the 100,000,000" in str(play(made(max_pixels=10**9).encode([bomb(20_000, 20_000)]))[0])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0])
def test_rows_that_are_no_features_are_of_one_image_alone(
    wrong: float, made: Any, gate: Gate, tiny_backbone: Any, meters: Meters
) -> None:
    files = [picture(i) for i in range(4)]
    marked = torch.from_numpy(np.stack(play(made().encode(files))))

    def spoil(pixels: torch.Tensor) -> torch.Tensor:
        features = gate.own(pixels)
        features[(features - marked[2]).abs().amax(1) < 1e-4] = wrong
        return features

    gate.instead = spoil
    found = play(made().encode(files))
    assert [isinstance(one, ImageError) for one in found] == [False, False, True, False]
    assert "no numbers, or zeros alone" in str(found[2])
    assert counted(meters) == {"encoded": 4 + 3, "bad": 1}


def test_of_a_batch_that_fails_the_others_are_answered(
    made: Any, gate: Gate, meters: Meters, caplog: Any
) -> None:
    def fail(pixels: torch.Tensor) -> torch.Tensor:
        features = gate.own(pixels)
        if bool(((features - marked[3]).abs().amax(1) < 1e-4).any()):
            raise RuntimeError("secret of the machine")
        return features

    files = [picture(i) for i in range(6)]
    marked = torch.from_numpy(np.stack(play(made().encode(files))))
    gate.instead = fail
    found = play(made().encode(files))
    assert [isinstance(one, ImageError) for one in found] == [i == 3 for i in range(6)]
    assert "the model failed on it" in str(found[3]) and "secret" not in str(found[3])
    assert "secret of the machine" in caplog.text
    assert counted(meters) == {"encoded": 6 + 5, "failed": 1}


def test_what_does_not_fit_into_memory_is_encoded_in_smaller_batches(made: Any, gate: Gate) -> None:
    def small(pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > 2:
            raise RuntimeError("CUDA out of memory")
        return gate.own(pixels)

    gate.instead = small
    found = play(made().encode([picture(i) for i in range(9)]))
    assert all(isinstance(one, np.ndarray) for one in found)


def test_a_tower_that_fails_on_everything_ends_the_service(made: Any, gate: Gate, meters: Meters) -> None:
    def broken(pixels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the device is gone")

    told: list[str] = []
    encoder = made(on_stuck=told.append)
    gate.instead = broken
    with pytest.raises(ServiceError, match="started again"):
        play(encoder.encode([picture(1), picture(2)]))
    with pytest.raises(ServiceError, match="started again"):
        play(encoder.probe())
    play(until(lambda: told))
    assert told == ["it fails on all that it is given (RuntimeError)"]
    assert counted(meters) == {"failed": 2}
    assert value(meters, "promptlet_encoder_failures_total") == 1
    assert value(meters, "promptlet_queue_images") == 0


def test_what_is_asked_again_is_remembered_for_its_tenant_alone(
    made: Any, gate: Gate, meters: Meters
) -> None:
    encoder, file = made(), picture(1)
    [first] = play(encoder.encode([file], "a"))
    assert not first.flags.writeable and first.base is None
    again = play(encoder.encode([file, file], "a"))
    assert again[0] is first and again[1] is first
    assert gate.batches == [1]
    play(encoder.encode([file], "b"))
    assert gate.batches == [1, 1]
    assert counted(meters) == {"encoded": 2, "recent": 2}
    assert value(meters, "promptlet_recent_bytes") == encoder._recent.bytes > 0


def test_what_is_twice_in_a_request_or_asked_meanwhile_is_encoded_once(
    made: Any, gate: Gate, meters: Meters
) -> None:
    encoder, file = made(recent_bytes=0), picture(1)
    gate.is_open.clear()

    async def scene() -> Any:
        tasks = [asyncio.create_task(encoder.encode([file, file], tenant)) for tenant in "aab"]
        await until(gate.is_inside.is_set)
        await until(lambda: value(meters, "promptlet_queue_images") == 2)
        gate.is_open.set()
        return await asyncio.gather(*tasks)

    found = play(scene())
    assert sum(gate.batches) == 2
    for one in found:
        np.testing.assert_allclose(np.stack(one), np.stack([found[0][0]] * 2), atol=1e-5)
    assert counted(meters) == {"encoded": 2, "recent": 4}


def test_what_is_remembered_is_answered_though_the_queue_is_full(
    made: Any, gate: Gate, meters: Meters
) -> None:
    encoder, known = made(queue_images=4, tenant_share=0.75), picture(99)
    assert encoder.most_images == 3

    async def scene() -> None:
        await encoder.encode([known], "b")
        gate.is_inside.clear()
        gate.is_open.clear()
        full = asyncio.create_task(encoder.encode([picture(i) for i in range(3)], "a"))
        await until(gate.is_inside.is_set)
        with pytest.raises(BusyError):
            await encoder.encode([picture(10), picture(11)], "b")
        with pytest.raises(OptionError, match="4 images are asked for at once; allowed: 3"):
            await encoder.encode([picture(i) for i in range(4)], "b")
        assert isinstance((await encoder.encode([known], "b"))[0], np.ndarray)
        gone = asyncio.create_task(encoder.encode([picture(12)], "b"))
        await until(lambda: value(meters, "promptlet_queue_images") == 4)
        gone.cancel()
        await until(gone.done)
        assert value(meters, "promptlet_queue_images") == 3
        gate.is_open.set()
        await full

    play(scene())
    assert counted(meters) == {"encoded": 4, "recent": 1, "refused": 6, "cancelled": 1}
    assert value(meters, "promptlet_queue_images") == 0


def test_large_images_are_hashed_beside_the_event_loop(made: Any, monkeypatch: Any) -> None:
    from promptlet.serve import encoder as module

    threads: list[str] = []
    own = module.content_hash

    def noted(image: bytes) -> str:
        threads.append(threading.current_thread().name)
        return own(image)

    monkeypatch.setattr(module, "content_hash", noted)
    small, large = picture(1), picture(2, (400, 300))
    assert len(small) < module.HASHED_HERE < len(large)
    encoder = made()
    play(encoder.encode([small]))
    play(encoder.encode([large]))
    assert threads == ["MainThread", "promptlet-hash_0"]


def test_a_probe_goes_the_way_of_all_and_past_a_full_queue(made: Any, gate: Gate, meters: Meters) -> None:
    encoder = made(queue_images=2, tenant_share=1.0)

    async def scene() -> None:
        assert await encoder.probe() > 0
        gate.is_inside.clear()
        gate.is_open.clear()
        full = asyncio.create_task(encoder.encode([picture(1), picture(2)]))
        await until(gate.is_inside.is_set)
        probes = [asyncio.create_task(encoder.probe()) for _ in range(3)]
        await until(lambda: value(meters, "promptlet_queue_images") == 3)
        probes[0].cancel()
        gate.is_open.set()
        first, second = await asyncio.gather(*probes[1:])
        assert first == second > 0
        await full

    play(scene())
    assert sum(gate.batches) == 1 + 2 + 1
    assert len(encoder._recent) == 2
    assert counted(meters) == {"encoded": 2}


def test_a_probe_that_does_not_arrive_says_so(made: Any, gate: Gate) -> None:
    encoder = made(probe_seconds=0.05)
    gate.is_open.clear()
    with pytest.raises(ServiceError, match=r"not encoded within 0\.05 s"):
        play(encoder.probe())
    encoder._probe_seconds = 20.0
    gate.instead = lambda pixels: gate.own(pixels) * 0
    gate.is_open.set()
    encoder = made()
    with pytest.raises(ServiceError, match="sound image"):
        play(encoder.probe())


def test_after_closing_nothing_is_encoded_and_no_thread_is_left(tiny_backbone: Any, gate: Gate) -> None:
    def own_threads() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith("promptlet-")]

    before = len(own_threads())

    async def scene() -> None:
        encoder = LocalEncoder(tiny_backbone, on_stuck=pytest.fail)
        gate.is_open.clear()
        accepted = asyncio.create_task(encoder.encode([picture(i, (300, 300)) for i in range(5)]))
        await until(gate.is_inside.is_set)
        closing = asyncio.create_task(encoder.close(20))
        await asyncio.sleep(0)
        with pytest.raises(ServiceError, match="closing"):
            await encoder.encode([picture(1)])
        with pytest.raises(ServiceError, match="closing"):
            await encoder.probe()
        with pytest.raises(ServiceError, match="closing"):
            await encoder.encode([picture(2, (400, 300))])
        gate.is_open.set()
        assert all(isinstance(one, np.ndarray) for one in await accepted)
        await closing
        with pytest.raises(ServiceError, match="closing"):
            await encoder.encode([picture(2, (400, 300))])

    play(scene())
    assert len(own_threads()) == before


def test_a_backbone_without_an_image_tower_is_refused(tmp_path: Path) -> None:
    write_text_features(tmp_path / "words.npz", ["cat", "dog"], torch.eye(2, dtype=torch.float32))
    backbone = load_backbone(f"features:{tmp_path / 'words.npz'}", device="cpu")
    before = threading.active_count()
    with pytest.raises(BackboneError):
        LocalEncoder(backbone, on_stuck=pytest.fail)
    assert threading.active_count() == before


@pytest.mark.parametrize("seed", range(2))
def test_each_image_is_counted_once_whatever_happens(
    seed: int, made: Any, gate: Gate, meters: Meters
) -> None:
    """64 callers of 4 tenants, good and bad images, some that the tower fails on, callers who go away."""
    files = [picture(i, (20 + i, 33)) if i % 6 else picture(i)[:100] for i in range(40)]
    marked = torch.from_numpy(np.stack(play(made(recent_bytes=0).encode([files[1], files[2]]))))

    def fail(pixels: torch.Tensor) -> torch.Tensor:
        features = gate.own(pixels)
        if bool(((features - marked[0]).abs().amax(1) < 1e-4).any()):
            raise RuntimeError
        features[(features - marked[1]).abs().amax(1) < 1e-4] = float("nan")
        return features

    gate.instead = fail
    before = Counter(counted(meters))
    encoder = made(queue_images=60, tenant_share=0.4, wait_seconds=0.05, most=8, recent_bytes=8000)
    ends: Counter[str] = Counter()

    async def ask(own: random.Random) -> None:
        for _ in range(4):
            wanted = own.choices(range(40), k=own.randint(1, 6))
            task = encoder.encode([files[i] for i in wanted], f"{own.randint(0, 3)}")
            try:
                found = await asyncio.wait_for(task, own.choice([None, None, 0.002, 0.02]))
            except (asyncio.TimeoutError, TimeoutError):
                ends["cancelled"] += len(wanted)
            except BusyError:
                ends["refused"] += len(wanted)
                await asyncio.sleep(0.001 * own.randint(1, 5))
            else:
                for i, one in zip(wanted, found, strict=True):
                    assert isinstance(one, ImageError) == (i % 6 == 0 or i in (1, 2))
                    failed = isinstance(one, ImageError) and "the model failed" in str(one)
                    ends["failed" if failed else "bad" if isinstance(one, ImageError) else "good"] += 1
            asked[0] += len(wanted)

    async def scene() -> None:
        await asyncio.gather(*(ask(random.Random(64 * seed + i)) for i in range(64)))
        await until(lambda: value(meters, "promptlet_queue_images") == 0)

    asked = [0]
    play(scene())
    found = Counter(counted(meters)) - before
    found["good"] = found.pop("encoded") + found.pop("recent")
    assert sum(found.values()) == asked[0]
    assert found == ends
    assert min(ends.values()) > 0


def test_a_jpeg_of_very_many_scans_is_refused_and_costs_itself_alone(made: Any) -> None:
    """Each of its scans passes over all pixels."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG", progressive=True)
    sound = file.getvalue()
    assert 1 < sound.count(SCAN) <= MOST_SCANS
    hostile = sound[:-2] + (SCAN + bytes(10)) * MOST_SCANS + sound[-2:]
    refused, found = play(made().encode([hostile, sound]))
    assert isinstance(refused, ImageError) and "scans" in str(refused)
    assert not isinstance(found, ImageError)
