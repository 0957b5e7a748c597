"""Many clients at once, by hand: what they were answered, how long it took, and what was lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from live_server import Reply

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], within: float = 120.0) -> T:
    """Within a bounded time."""

    async def bounded() -> T:
        return await asyncio.wait_for(work, within)

    return asyncio.run(bounded())


class LostError(Exception):
    """The connection ended within an answer, or without one."""


class Connection:
    """One that stays open for several requests, as long as the server likes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, asked: bytes) -> Reply:
        """Raises LostError, and ConnectionError where nobody listens."""
        if self.writer is None or self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        with suppress(ConnectionError):  # who is refused while sending reads why
            self.writer.write(asked)
            await self.writer.drain()
        try:
            reply = await read_reply(self.reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self.close()
            raise LostError(repr(error)) from error
        if reply.headers.get("connection") == "close":
            await self.close()
        return reply

    async def close(self) -> None:
        writer, self.writer, self.reader = self.writer, None, None
        if writer is not None:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    return Reply(
        int(head[0][9:12]), headers, await reader.readexactly(int(headers.get("content-length", "0")))
    )


@dataclass
class Told:
    """What clients were told together. refused: those of 503 that did not say when to come again."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)

    def note(self, reply: Reply, seconds: float, images: int) -> None:
        self.seconds.setdefault(reply.status, []).append(seconds)
        self.statuses[reply.status] += 1
        self.images[reply.status] += images
        if reply.status == 503:
            self.kinds[json.loads(reply.body)["type"]] += 1
            if int(reply.headers.get("retry-after", "0")) < 1:
                self.odd.append(f"503 without Retry-After: {reply.body[:300]!r}")
        elif reply.status >= 500:
            self.odd.append(f"{reply.status}: {reply.body[:300]!r}")

    def percentile(self, share: float, status: int = 200) -> float:
        return float(np.percentile(self.seconds[status], share))


async def asking(
    port: int,
    next_one: Callable[[int], bytes],
    images: int,
    until: Callable[[], bool],
    told: Told,
    pace: float = 0,
) -> None:
    """A client that asks again as soon as it was answered; pace: seconds between two questions at least."""
    number = 0
    async with Connection(port) as connection:
        while not until():
            asked = next_one(number)
            began = time.monotonic()
            reply = await connection.ask(asked)
            told.note(reply, time.monotonic() - began, images)
            number += 1
            await asyncio.sleep(max(0.0, began + pace - time.monotonic()))


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


async def together(*works: Awaitable[Any]) -> list[Any]:
    """All of them; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(one) for one in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
