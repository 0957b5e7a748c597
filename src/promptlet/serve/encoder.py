"""Image files in, features out, for many callers at once, through one image tower."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import NamedTuple, Protocol

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.data.images.opening import content_hash, name_of
from promptlet.decoding.ahead import threads_beside
from promptlet.decoding.pixels import View, decode
from promptlet.decoding.tower import Tower
from promptlet.errors import ImageError, OptionError, ServiceError
from promptlet.features import is_usable, no_features, reads_reduced
from promptlet.serve.batcher import Batcher
from promptlet.serve.meters import Meters, counting_ends
from promptlet.serve.recent import Recent
from promptlet.session import own_arithmetic, own_numbers, without_waiting

MOST_PIXELS = 50_000_000
HASHED_HERE = 256 << 10
"""Bytes of a request's images that are hashed on the event loop: a quarter of a millisecond."""
OWN_BYTES = 512
"""Of kept features, beside their numbers: the key, and the place in the order."""
JPEG, SCAN, MOST_SCANS = b"\xff\xd8", b"\xff\xda", 200
"""How a JPEG file begins, and each of its scans."""
PROBE = "\0probe"
"""The tenant of `probe`: no caller's name."""
PROBE_HEADER = b"P6 8 8 255\n"
PROBE_SECONDS = 10.0


class Encoder(Protocol):
    """Encodes images for many callers."""

    async def encode(
        self, images: Sequence[bytes], tenant: str = "", deadline: float | None = None
    ) -> list[np.ndarray | ImageError]:
        """Features (D,), float32, not normalised, of each image file, or why there are none.

        tenant: whose images these are, in whose turn. deadline: of `time.monotonic`, after which an answer
        is of no use.
        Raises BusyError where there is no room for all of them, or the wait is too long, OptionError for
        more images than are ever taken at once, ServiceError where nothing is encoded any more. Cancelled,
        it drops what has not begun.
        """

    async def probe(self) -> float:
        """Seconds that a small image took on the way of all. Raises ServiceError where it did not arrive."""

    async def close(self, drain_seconds: float) -> None:
        """End what was accepted, within so many seconds, and nothing more."""


class _Asked(NamedTuple):
    """An image of a tenant."""

    image: bytes
    content: str
    tenant: str


class _Decoded(NamedTuple):
    """An image, and its pixel values (3, H, W)."""

    asked: _Asked
    pixels: np.ndarray


class _Made:
    """Features of an image, for all who asked for it while it was worked on. is_told: whether one of them has
    them, and counts for the encoding."""

    __slots__ = ("features", "is_told")

    def __init__(self, features: np.ndarray) -> None:
        self.features, self.is_told = features, False


class LocalEncoder:
    """An `Encoder` in this process, whose backbone's image tower has a thread of its own, and all of torch's.

    most: images of a batch. queue_images: how many are accepted and not encoded yet, ``tenant_share`` of them
    of one tenant. wait_seconds: how long a caller waits while none of its images has its turn. recent_bytes:
    of features kept, of images that are asked for again; 0 for none. max_pixels: width times height above
    which an image is refused by its header. stuck_seconds, on_stuck: as in `Batcher`.
    Raises BackboneError where the backbone encodes no images.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        most: int = 32,
        queue_images: int = 256,
        wait_seconds: float = 5.0,
        tenant_share: float = 0.5,
        recent_bytes: int = 64 << 20,
        max_pixels: int = MOST_PIXELS,
        stuck_seconds: float = 120.0,
        probe_seconds: float = PROBE_SECONDS,
        meters: Meters | None = None,
        on_stuck: Callable[[str], None],
    ) -> None:
        backbone.check_images()
        self._backbone, self._spec = backbone, backbone.images.spec
        self._is_reduced, self._max_pixels = reads_reduced(backbone), max_pixels
        self._tower = Tower(backbone.images.encode, most)
        self._recent: Recent[_Made] = Recent(recent_bytes)  # of each tenant alone: time would tell others
        self._meters = meters
        self._on_stuck = on_stuck
        self._probe_seconds = probe_seconds
        self._probing: asyncio.Task[float] | None = None
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="promptlet-hash")
        self._batcher: Batcher[_Asked, _Decoded, _Made | ImageError] = Batcher(
            self._decoded,
            self._encoded,
            threads=threads_beside(backbone.device),
            most=most,
            queue=queue_images,
            tenant_share=tenant_share,
            wait_seconds=wait_seconds,
            stuck_seconds=stuck_seconds,
            on_stuck=self._stuck,
            shape=lambda decoded: decoded.pixels.shape,
            check=self._check,
            watcher=meters,
        )
        if meters is not None:
            meters.queue_images.set_function(lambda: self._batcher.held)
            meters.recent_bytes.set_function(lambda: self._recent.bytes)

    @property
    def most_images(self) -> int:
        """Of one call of `encode`."""
        return self._batcher.most_of_tenant

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an image. For any thread."""
        return self._batcher.held > 0

    async def encode(
        self, images: Sequence[bytes], tenant: str = "", deadline: float | None = None
    ) -> list[np.ndarray | ImageError]:
        """As `Encoder.encode`."""
        with counting_ends(self._meters, len(images), deadline) as ends:
            found, results = await self.found(images, tenant, deadline)
            ends.update(results)
            return found

    async def found(
        self, images: Sequence[bytes], tenant: str = "", deadline: float | None = None
    ) -> tuple[list[np.ndarray | ImageError], list[str]]:
        """What `encode` gives, and how each image ended, in words of `meters.IMAGE_RESULTS`; not counted."""
        if len(images) > self.most_images:
            raise OptionError(
                f"{len(images):,} images are asked for at once; allowed: {self.most_images:,}; ask for "
                "them in several requests, one after the other"
            )
        return await self._found(images, tenant, deadline)

    async def probe(self) -> float:
        """As `Encoder.probe`. Who asks while another one does hears of the same image."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.get_running_loop().create_task(self._probed())
            self._probing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._probing)

    async def close(self, drain_seconds: float) -> None:
        """As `Encoder.close`."""
        await self._batcher.close(drain_seconds)
        self._hasher.shutdown(wait=True)

    async def _probed(self) -> float:
        began = monotonic()
        image = PROBE_HEADER + os.urandom(8 * 8 * 3)  # a new one, which no one remembers
        try:
            [outcome], _ = await asyncio.wait_for(self._found([image], PROBE, None, 1), self._probe_seconds)
        except asyncio.TimeoutError as error:
            raise ServiceError(
                f"an image was not encoded within {self._probe_seconds:g} s; if that lasts, start the server "
                "again",
                503,
            ) from error
        if isinstance(outcome, ImageError):
            raise ServiceError(f"a sound image is not encoded: {outcome}", 503)
        return monotonic() - began

    async def _found(
        self, images: Sequence[bytes], tenant: str, deadline: float | None, beyond: int = 0
    ) -> tuple[list[np.ndarray | ImageError], list[str]]:
        self._batcher.check_open()
        contents = await self._contents(images)
        known: dict[str, _Made] = {}
        missing: dict[Hashable, _Asked] = {}
        for image, content in zip(images, contents, strict=True):
            if isinstance(content, ImageError) or content in known or content in missing:
                continue
            if (made := self._recent.get((tenant, content))) is not None:
                known[content] = made
            else:
                missing[content] = _Asked(image, content, tenant)
        outcomes = await self._batcher.run(missing, tenant, deadline, beyond) if missing else {}
        found: list[np.ndarray | ImageError] = []
        results: list[str] = []
        for image, content in zip(images, contents, strict=True):
            outcome = content if isinstance(content, ImageError) else known.get(content) or outcomes[content]
            one, result = _told(image, outcome)
            found.append(one)
            results.append(result)
        return found, results

    async def _contents(self, images: Sequence[bytes]) -> list[str | ImageError]:
        if sum(map(len, images)) <= HASHED_HERE:
            return _hashed(images)
        return await asyncio.get_running_loop().run_in_executor(self._hasher, _hashed, images)

    # on the batcher's threads

    @own_numbers()
    def _decoded(self, asked: _Asked) -> _Decoded:
        check_scans(asked.image)
        wanted = View(asked.image, name_of(asked.image), asked.content, 0)
        return _Decoded(asked, decode(wanted, self._spec, self._is_reduced, self._max_pixels))

    @own_arithmetic()
    def _encoded(self, batch: Sequence[_Decoded]) -> list[_Made | ImageError]:
        pixels = torch.from_numpy(np.stack([one.pixels for one in batch]))
        features = self._tower(without_waiting(pixels, self._backbone.device)).cpu().numpy()
        return [self._kept(one.asked, row) for one, row in zip(batch, features, strict=True)]

    def _kept(self, asked: _Asked, row: np.ndarray) -> _Made | ImageError:
        if not is_usable(row):
            return no_features(name_of(asked.image), self._backbone.name)
        own = np.array(row)  # not the whole batch
        own.setflags(write=False)  # it is given to several
        made = _Made(own)
        if asked.tenant != PROBE:
            self._recent.put((asked.tenant, asked.content), made, own.nbytes + OWN_BYTES)
        return made

    @own_arithmetic()
    def _check(self) -> None:
        """Raise where the tower does not encode a grey image."""
        shape = 1, 3, *self._spec.output_size
        pixels = torch.zeros(shape, dtype=torch.float32, device=self._backbone.device)
        if not bool(self._backbone.images.encode(pixels).isfinite().all()):
            raise RuntimeError("the features of a grey image are no numbers")

    def _stuck(self, reason: str) -> None:
        if self._meters is not None:
            self._meters.encoder_failures.inc()
        self._on_stuck(reason)


def check_scans(image: bytes) -> None:
    """Raise ImageError for a JPEG of very many scans, each of which passes over all pixels: five megabytes of
    them would keep a decoder for minutes. Of a sound file each marker stands for one; pictures have ten."""
    scans = image.count(SCAN) if image.startswith(JPEG) else 0
    if scans > MOST_SCANS:
        raise ImageError(
            f"{name_of(image)}: a JPEG of {scans:,} scans, and {MOST_SCANS} are decoded; save it again"
        )


def _hashed(images: Sequence[bytes]) -> list[str | ImageError]:
    found: list[str | ImageError] = []
    for image in images:
        try:
            found.append(content_hash(image))
        except ImageError as error:
            found.append(error)
    return found


def _told(image: bytes, outcome: _Made | Exception) -> tuple[np.ndarray | ImageError, str]:
    """What is told of an image, and how it ended. Of one encoding, the first who is told counts for it."""
    if isinstance(outcome, _Made):
        result = "recent" if outcome.is_told else "encoded"
        outcome.is_told = True
        return outcome.features, result
    if isinstance(outcome, ImageError):
        return outcome, "bad"
    reason = (
        f"{name_of(image)}: it was decoded, and the model failed on it, or there was no memory left; the "
        "server's log says why; leave it out"
    )
    return ImageError(reason), "failed"
