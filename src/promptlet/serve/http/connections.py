"""Connections that cost nothing when they stall: uvicorn's protocols of HTTP/1.1, with bounds.

uvicorn waits for the first request of a connection for ever, and for the rest of a head; and for ever for a
client to read. Here each of these has its time, a head its size, and connections their number.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any, ClassVar, Final, Literal

from promptlet.serve.http.lingering import LINGER, Lingering
from promptlet.serve.http.problems import Problem, busy, closing

HEAD_BYTES: Final = 64 * 1024
FRAMING: Final = 8
"""Bytes of framing for each byte of a body: chunks of a single byte have six."""
MOST_REST: Final = 256 * 1024
"""Bytes of a body that are read after it was answered, so that the connection can be used again."""
LEAST_READ: Final = 16 * 1024
"""Bytes of an answer that a client has to take in `Bounds.write_seconds`."""
LAST: Final = 0.3
"""Seconds that a server that ends leaves to requests that are on their way on connections it has."""
UNTAKEN: Final = 2.0
"""Seconds in which what was written last has to be taken before a connection is cut."""

FULL: Final = busy("busy", "This server has no room for another connection.", 1)
SLOW: Final = Problem("head-too-slow", "Its head did not come in time.")
LARGE: Final = Problem("head-too-large", f"A head may have {HEAD_BYTES:,} bytes; send fewer headers.")
MALFORMED: Final = Problem("bad-request", "The request cannot be read as HTTP/1.1.")


@dataclass(frozen=True)
class Bounds:
    """head_seconds: for a head to come. write_seconds: for what is written to be taken."""

    head_seconds: float
    write_seconds: float
    connections: int


class Bounded:
    """What is added to a protocol of uvicorn, before it in the order of classes."""

    bounds: ClassVar[Bounds]
    connections: set[Any]
    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    cycle: Any
    server_state: Any

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _rest_bytes = 0
    _unread = 0
    _is_last = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """From now on the time of its first head counts."""
        _send_at_once(transport)
        super().connection_made(Lingering(transport, self.loop, self._has_rest))  # type: ignore[misc]
        if len(self.connections) > self.bounds.connections:
            self.refuse(FULL)
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Its first byte begins a head, where none is answered or still read."""
        if self.transport.is_closing():
            return
        before = self.cycle
        if self._is_idle:
            self._expect_head()
            if before is None or not before.more_body:
                self._head_bytes += len(data)
            else:  # the rest of a body that nobody wanted
                self._rest_bytes += len(data)
        if self._rest_bytes > MOST_REST:
            self._close()
            return
        super().data_received(data)  # type: ignore[misc]
        if self.cycle is not before:
            self._cancel_head()
            if self._is_last or getattr(self.server_state, "is_leaving", False):
                self.cycle.keep_alive = False
        elif self._head_bytes > HEAD_BYTES:
            self.refuse(LARGE)

    def shutdown(self) -> None:
        """The server ends: what is answered is finished, and so is what is on its way to an idle connection,
        which would be lost if it was closed now."""
        self._is_last = True
        if self._is_idle:
            self.loop.call_later(LAST, self._close_idle)
        else:
            super().shutdown()  # type: ignore[misc]

    def _has_rest(self) -> bool:
        """Whether the client is in the middle of a head or body that is not read any more."""
        return bool(self._head_bytes if self._is_idle and self.cycle is None else self.cycle.more_body)

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _close_idle(self) -> None:
        if self._is_idle:
            self._close()

    def refuse(self, problem: Problem) -> None:
        """Answer and close; only close where an answer was begun."""
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(_as_bytes(problem))
        self._close()

    def send_400_response(self, _message: str) -> None:
        """What uvicorn calls where it cannot read a request."""
        self.refuse(MALFORMED)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._cancel_head()
        self._cancel_write()
        super().connection_lost(exc)  # type: ignore[misc]

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()  # type: ignore[misc]
        self._expect_reading()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()  # type: ignore[misc]
        self._cancel_write()

    def on_response_complete(self) -> None:
        """An answer that lies here has its time to be taken, too."""
        super().on_response_complete()  # type: ignore[misc]
        self._cancel_write()
        if self.transport.get_write_buffer_size():
            self._expect_reading()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.bounds.head_seconds, self._no_head)

    def _no_head(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self.refuse(SLOW)
        else:  # nothing was asked: nothing is answered
            self._close()

    def _close(self) -> None:
        self._cancel_head()
        if not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(LINGER + UNTAKEN, self.transport.abort)

    def _expect_reading(self) -> None:
        if self._write_timer is None:
            self._unread = self.transport.get_write_buffer_size()
            self._write_timer = self.loop.call_later(self.bounds.write_seconds, self._look_at_reading)

    def _look_at_reading(self) -> None:
        """A client that reads, however long an answer takes it, goes on; one that does not is cut off."""
        self._write_timer = None
        left = self.transport.get_write_buffer_size()
        if left > max(0, self._unread - LEAST_READ):
            self.transport.abort()
        elif left:
            self._expect_reading()

    def _cancel_head(self) -> None:
        self._head_bytes = self._rest_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class BoundedTools(Bounded):
    """httptools bounds neither a head, nor trailers, nor what may stand beside the length of a chunk."""

    _framing = 0
    _body = 0

    def data_received(self, data: bytes) -> None:
        """All that is no body counts."""
        self._framing += len(data)
        super().data_received(data)
        if self._framing > HEAD_BYTES + FRAMING * self._body:
            self.refuse(LARGE)

    def on_message_begin(self) -> None:
        """A callback of its parser."""
        self._framing = self._body = 0
        super().on_message_begin()  # type: ignore[misc]

    def on_body(self, body: bytes) -> None:
        """A callback of its parser."""
        self._framing -= len(body)
        self._body += len(body)
        super().on_body(body)  # type: ignore[misc]


def protocol_class(
    bounds: Bounds, parser: Literal["auto", "h11", "httptools"] = "auto"
) -> type[asyncio.Protocol]:
    """The protocol for a server; auto: httptools where it is installed, which is faster."""
    if parser == "auto":
        parser = "h11" if find_spec("httptools") is None else "httptools"
    bases: tuple[type, ...]
    if parser == "httptools":
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        bases = (BoundedTools, HttpToolsProtocol)
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        bases = (Bounded, H11Protocol)
    make: Callable[..., type[asyncio.Protocol]] = type
    return make("BoundedProtocol", bases, {"bounds": bounds})


def _send_at_once(transport: asyncio.Transport) -> None:
    """The body of an answer does not wait until the client has acknowledged its head: 40 ms on a connection
    that is used again. asyncio asks for that itself, but of sockets that were made with TCP by name alone."""
    with suppress(OSError, AttributeError):  # a socket that is none of TCP, or gone
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _as_bytes(problem: Problem) -> bytes:
    start, body = closing(problem)
    lines = [f"HTTP/1.1 {start['status']} {HTTPStatus(start['status']).phrase}".encode("ascii")]
    lines += [name + b": " + value for name, value in start["headers"]]
    return b"\r\n".join([*lines, b"", body["body"]])
