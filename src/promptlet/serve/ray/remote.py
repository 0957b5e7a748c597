"""An `Encoder` whose images are encoded by other processes of a Ray cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any

import numpy as np
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException

from promptlet.errors import BusyError, ImageError, OptionError, ServiceError
from promptlet.serve.encoder import PROBE_SECONDS
from promptlet.serve.meters import Meters, counting_ends
from promptlet.serve.ray.messages import Encoded, Refused, other_backbone

TRIES = 2
"""Encoders that are asked one after the other, where the first is lost while it has the images."""
LOST_RETRY = 2.0
"""Seconds after which it is worth asking again, when encoders were lost."""
_logger = logging.getLogger("promptlet.serve")


class LostError(ServiceError):
    """An encoder that died while it had the images, or encodes nothing any more."""


class RemoteEncoder:
    """An `Encoder` over the handle of a deployment of `ClusterEncoder`.

    fingerprint: of the backbone whose features are wanted. wait_seconds: how long no encoder may take the
    images; once one has them, it has its own bounds.
    """

    def __init__(
        self,
        handle: Any,
        fingerprint: str,
        *,
        wait_seconds: float = 5.0,
        probe_seconds: float = PROBE_SECONDS,
        meters: Meters | None = None,
    ) -> None:
        self._encode = handle.options(method_name="encode", stream=True)
        self._probe = handle.options(method_name="probe", stream=True)
        self._facts = handle.options(method_name="facts", stream=True)
        self._fingerprint = fingerprint
        self._wait_seconds, self._probe_seconds = wait_seconds, probe_seconds
        self._meters = meters
        self._held = 0
        if meters is not None:
            meters.queue_images.set_function(lambda: self._held)

    async def encode(
        self, images: Sequence[bytes], tenant: str = "", deadline: float | None = None
    ) -> list[np.ndarray | ImageError]:
        """As `Encoder.encode`. Where an encoder is lost with the images, another one is asked, once."""
        self._held += len(images)
        try:
            with counting_ends(self._meters, len(images), deadline) as ends:
                found = await self._tried(images, tenant, deadline)
                ends.update(found.ends)
                return found.outcomes()
        finally:
            self._held -= len(images)

    async def probe(self) -> float:
        """As `Encoder.probe`: by one of the encoders, whichever Ray chooses."""
        began = monotonic()
        outcome = await self._soon(self._probe)
        if isinstance(outcome, Refused):
            raise ServiceError(outcome.reason, 503)
        return monotonic() - began

    async def facts(self) -> dict[str, Any]:
        """What is told of the backbone of the encoders. Raises ServiceError where none answers, or theirs is
        another one."""
        facts: dict[str, Any] = await self._soon(self._facts)
        if facts["fingerprint"] != self._fingerprint:
            raise ServiceError(other_backbone(facts["fingerprint"], self._fingerprint), 503)
        return facts

    async def _soon(self, method: Any) -> Any:
        """What one of the encoders answers within ``probe_seconds``."""
        try:
            return await self._answer(method.remote(), monotonic() + self._probe_seconds)
        except BusyError as error:
            raise ServiceError(f"no encoder answers: {error}", 503) from error

    async def close(self, drain_seconds: float) -> None:
        """The encoders are ended by who began them."""

    async def _tried(self, images: Sequence[bytes], tenant: str, deadline: float | None) -> Encoded:
        for left in reversed(range(TRIES)):
            try:
                return await self._asked(list(images), tenant, deadline)
            except LostError as error:
                if self._meters is not None:
                    self._meters.encoder_failures.inc()
                if not left:
                    raise BusyError(
                        f"encoders were lost {TRIES} times with these images ({error}); ask again in "
                        f"{LOST_RETRY:.0f} s",
                        LOST_RETRY,
                    ) from error
                _logger.warning("%d images are encoded again, by another encoder: %s", len(images), error)
        raise AssertionError("unreachable")

    async def _asked(self, images: list[bytes], tenant: str, deadline: float | None) -> Encoded:
        seconds = None if deadline is None else deadline - monotonic()
        if seconds is not None and seconds <= 0:
            raise _late()
        answers = self._encode.remote(self._fingerprint, images, tenant, seconds)
        outcome = await self._answer(answers, deadline)
        if isinstance(outcome, Encoded) and len(outcome.features) == len(images):
            return outcome
        if isinstance(outcome, Refused):
            raise _refusal(outcome)
        raise LostError("an encoder answered what was not asked", 503)

    async def _answer(self, answers: Any, deadline: float | None) -> Any:
        """What comes after `TAKEN`. Whatever ends the wait, the encoder hears of it."""
        try:
            try:
                await asyncio.wait_for(_next(answers), self._first(deadline))
            except asyncio.TimeoutError as error:
                raise BusyError(
                    "the server is busy: no encoder has room for these images, or none is there; ask again "
                    f"in {LOST_RETRY:.0f} s",
                    LOST_RETRY,
                ) from error
            left = None if deadline is None else max(0.0, deadline - monotonic())
            try:
                return await asyncio.wait_for(_next(answers), left)
            except asyncio.TimeoutError as error:
                raise _late() from error
        except BaseException as error:
            answers.cancel()
            known = _known(error)
            if known is None:
                raise
            raise known from error

    def _first(self, deadline: float | None) -> float:
        left = self._wait_seconds if deadline is None else deadline - monotonic()
        return max(0.0, min(self._wait_seconds, left))


async def _next(answers: Any) -> Any:
    """The next of them. Raises LostError where there is none."""
    try:
        return await answers.__anext__()
    except StopAsyncIteration:
        raise LostError("an encoder answered nothing", 503) from None


def _known(error: BaseException) -> ServiceError | None:
    """What happened to the cluster, in our words; None for anything else, such as a mistake of ours."""
    if isinstance(error, BackPressureError):
        return BusyError(
            f"the server is busy: too many requests wait for an encoder; ask again in {LOST_RETRY:.0f} s",
            LOST_RETRY,
        )
    if isinstance(error, RayTaskError):
        return None
    if isinstance(error, RayError):
        return LostError(f"an encoder was lost: {type(error).__name__}", 503)
    if isinstance(error, RayServeException):
        return ServiceError(
            f"the encoders cannot be asked ({type(error).__name__}); look at the cluster", 503
        )
    return None


def _refusal(refused: Refused) -> Exception:
    if refused.kind == "busy":
        return BusyError(refused.reason, refused.retry_after)
    return OptionError(refused.reason) if refused.kind == "never" else LostError(refused.reason, 503)


def _late() -> BusyError:
    return BusyError("the images were not encoded in time; ask for fewer at once, or later")
