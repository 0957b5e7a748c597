"""A handle of encoders, played: what Ray Serve would give a front."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Play = Callable[..., AsyncIterator[Any]]
"""What an encoder does with a call: its answers, or what is raised at that point."""


class Answers:
    """What a call gives; ``was_cancelled`` as Ray would tell the encoder."""

    def __init__(self, made: AsyncIterator[Any]) -> None:
        self._made = made
        self.was_cancelled = False

    async def __anext__(self) -> Any:
        return await self._made.__anext__()

    def cancel(self) -> None:
        self.was_cancelled = True


class Handle:
    """encoders: the first call goes to the first of them, and so on; the last one takes all further calls."""

    def __init__(self, *encoders: Play) -> None:
        self._encoders = list(encoders)
        self.asked: list[tuple[Any, ...]] = []
        self.answers: list[Answers] = []

    def options(self, method_name: str, stream: bool) -> Handle:
        assert stream and method_name in ("encode", "probe", "facts")
        return self

    def remote(self, *given: Any) -> Answers:
        encoder = self._encoders.pop(0) if len(self._encoders) > 1 else self._encoders[0]
        self.asked.append(given)
        self.answers.append(Answers(encoder(*given)))
        return self.answers[-1]


def says(*answers: Any) -> Play:
    """An encoder that answers so, whatever it is asked; an exception is raised in its turn."""

    async def play(*_: Any) -> AsyncIterator[Any]:
        for one in answers:
            if isinstance(one, BaseException):
                raise one
            yield one

    return play


async def silent(*_: Any) -> AsyncIterator[Any]:
    """An encoder that never takes anything, as where there is none."""
    await asyncio.sleep(60)
    yield None


@dataclass
class InProcess:
    """The handle of an encoder that is in this process."""

    encoder: Any
    method: str = ""

    def options(self, method_name: str, stream: bool) -> InProcess:
        return InProcess(self.encoder, method_name)

    def remote(self, *given: Any) -> Any:
        return Answers(getattr(self.encoder, self.method)(*given))


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
