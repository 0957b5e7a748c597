"""Clients of a server on loopback that ask again and again: what they were answered, and how long it took.

HTTP by hand, since a library's client would take more of the cores than the server has to be measured with.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

BOUNDARY = b"----promptlet-benchmark"


@dataclass
class Load:
    """seconds: of each answered request; statuses: how many of each; images: in those answered with 200."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    images: int = 0
    wall: float = 0.0

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.wall if self.wall else 0.0

    def percentile(self, share: float) -> float:
        """Seconds within which this percentage of the requests was answered."""
        return float(np.percentile(self.seconds, share)) if self.seconds else float("nan")


def predict(images: Sequence[bytes], prompts: Sequence[str], top: int = 1) -> bytes:
    """One request, head and body, of images and prompts."""
    body, kind = form([(f"{i}.jpg", data) for i, data in enumerate(images)], prompts, top)
    return _request("POST", "/v1/predict", body, kind.encode())


def form(images: Sequence[tuple[str, bytes]], prompts: Sequence[str], top: int = 1) -> tuple[bytes, str]:
    """A multipart body of images with their names, and its type."""
    parts = [_part(f'name="images"; filename="{name}"', data, b"image/jpeg") for name, data in images]
    parts += [_part('name="prompts"', name.encode(), b"text/plain") for name in prompts]
    parts.append(_part('name="top"', str(top).encode(), b"text/plain"))
    body = b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"
    return body, f"multipart/form-data; boundary={BOUNDARY.decode()}"


def get(path: str) -> bytes:
    """A request without a body."""
    return _request("GET", path, b"", b"")


def _part(disposition: str, data: bytes, kind: bytes) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n".encode()
    return b"--" + BOUNDARY + b"\r\n" + head + b"Content-Type: " + kind + b"\r\n\r\n" + data + b"\r\n"


def _request(method: str, path: str, body: bytes, kind: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n".encode()
    return head + (b"Content-Type: " + kind + b"\r\n" if kind else b"") + b"\r\n" + body


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """Status and body of one answer on a connection that stays open."""
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


async def _client(port: int, requests: Sequence[bytes], images: int, until: float, found: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        number = 0
        while time.perf_counter() < until:
            began = time.perf_counter()
            status, _ = await ask(reader, writer, requests[number % len(requests)])
            found.seconds.append(time.perf_counter() - began)
            found.statuses[status] += 1
            found.images += images if status == 200 else 0
            number += 1
    finally:
        writer.close()


async def _together(port: int, requests: Sequence[Sequence[bytes]], images: int, seconds: float) -> Load:
    found, began = Load(), time.perf_counter()
    await asyncio.gather(*(_client(port, own, images, began + seconds, found) for own in requests))
    found.wall = time.perf_counter() - began
    return found


def run(port: int, requests: Sequence[Sequence[bytes]], images: int, seconds: float) -> Load:
    """As many clients as there are lists of requests, each with ``images`` in a request, for so long."""
    return asyncio.run(_together(port, requests, images, seconds))


def once(port: int, request: bytes) -> tuple[float, int, bytes]:
    """Seconds, status and body of one request on a connection of its own."""

    async def one() -> tuple[float, int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        status, body = await ask(reader, writer, request)
        writer.close()
        return time.perf_counter() - began, status, body

    return asyncio.run(one())
