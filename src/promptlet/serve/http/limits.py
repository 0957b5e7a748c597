"""What a request may cost before the application sees it: layers of pure ASGI around it.

A layer that refuses answers by itself, tells the application that the client has gone, and drops whatever
that still sends: nothing more is read of the body, and the connection is closed.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Collection
from typing import Final

import anyio
import structlog
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptlet.serve.http.problems import Problem, busy, closing, request_id_of
from promptlet.serve.settings import ServeSettings

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,100}")
_DIGITS: Final = re.compile(rb"\d{1,18}")
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?", re.ASCII)
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DISCONNECT: Final = {"type": "http.disconnect"}


class Exchange:
    """The answer to a request, which a layer may take out of the application's hands."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.is_started = False
        self.is_refused = False

    async def send(self, message: Message) -> None:
        """What the application answers with."""
        if self.is_refused:
            return
        self.is_started = self.is_started or message["type"] == "http.response.start"
        await self._send(message)

    async def refuse(self, problem: Problem) -> Message:
        """Answer in its place, unless it has begun; what it is to receive: the client has gone."""
        self.is_refused = True
        if not self.is_started:
            for message in closing(problem, request_id_of(self._scope)):
                await self._send(message)
        return dict(_DISCONNECT)

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        """The application; what it raises after it was refused is of no interest."""
        try:
            await app(self._scope, receive, self.send)
        except Exception:
            if not self.is_refused:
                raise


class HeldBytes:
    """How many bytes of bodies are held by all requests together. on_change: told the sum."""

    def __init__(self, most: int, on_change: Callable[[int], object] = lambda _: None) -> None:
        self.most, self.held = most, 0
        self._on_change = on_change

    def take(self, count: int) -> bool:
        """Whether there was room for as many more."""
        if self.held + count > self.most:
            return False
        self.held += count
        self._on_change(self.held)
        return True

    def give_back(self, count: int) -> None:
        """They are held no more."""
        self.held -= count
        self._on_change(self.held)


class BodyLimit:
    """No body larger than ``most``, with a length or without; of all together no more than ``held`` allows.

    One whose length is too large is refused before a byte of it is read, and before the client is told to go
    on (``Expect: 100-continue``).
    """

    def __init__(self, app: ASGIApp, most: int, held: HeldBytes) -> None:
        self.app, self.most, self.held = app, most, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive() if not exchange.is_refused else dict(_DISCONNECT)
            count = len(message.get("body", b""))
            if taken + count > self.most:
                return await exchange.refuse(self._too_large())
            if count and not self.held.take(count):
                return await exchange.refuse(BUSY_BODIES)
            taken += count
            return message

        try:
            await exchange.run(self.app, counted)
        finally:
            self.held.give_back(taken)

    def _refusal(self, scope: Scope) -> Problem | None:
        lengths = {value for name, value in scope["headers"] if name == b"content-length"}
        if not lengths:
            return None
        if len(lengths) > 1 or not all(map(_DIGITS.fullmatch, lengths)):
            return Problem("bad-length", "Content-Length must be one whole number.")
        length = int(lengths.pop())
        if length > self.most:
            return self._too_large()
        return None if self.held.held + length <= self.held.most else BUSY_BODIES

    def _too_large(self) -> Problem:
        return Problem(
            "body-too-large",
            f"A body may have {self.most:,} bytes here; send fewer or smaller images in a request.",
        )


BUSY_BODIES: Final = busy("busy", "The bodies of all requests together take too much memory; ask again.", 1)


class BodyTime:
    """A body has to be there whole within ``seconds``; the time in which nobody reads it counts too."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        until = anyio.current_time() + self.seconds
        is_whole = False

        async def timed() -> Message:
            nonlocal is_whole
            if exchange.is_refused:
                return dict(_DISCONNECT)
            if is_whole:
                return await receive()
            with anyio.move_on_after(until - anyio.current_time()):
                message = await receive()
                is_whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
                return message
            return await exchange.refuse(
                Problem(
                    "body-too-slow",
                    f"A body must be here within {self.seconds:g} seconds; send less in a request.",
                )
            )

        await exchange.run(self.app, timed)


class Hosts:
    """Only these names of the server are answered to, whatever the port; None: all of them.

    Where a server has no tokens and listens at this machine alone, a page in its browser could reach it under
    a name that leads here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, names: Collection[str] | None = LOOPBACK) -> None:
        self.app = app
        self.names = None if names is None else frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and self.names is not None:
            given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if not self._are_ours(given):
                await Exchange(scope, send).refuse(
                    Problem(
                        "wrong-host",
                        "It answers as localhost and 127.0.0.1 here; to be reached by another name it needs "
                        "tokens (promptlet serve --host ADDRESS --token-file FILE).",
                    )
                )
                return
        await self.app(scope, receive, send)

    def _are_ours(self, given: list[str]) -> bool:
        """Not more than one name, and one of ours; none at all comes from no browser."""
        found = [_HOST.fullmatch(one) for one in given]
        return len(given) <= 1 and all(
            one is not None and one[1].lower() in (self.names or ()) for one in found
        )


class RequestId:
    """An id for each request: that of X-Request-ID where it is a sane one. It goes back with the answer, and
    stands in ``scope["state"]["request_id"]`` and in each line of the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"x-request-id"]
        is_sane = len(given) == 1 and _SANE_ID.fullmatch(given[0]) is not None
        request_id = given[0].decode("ascii") if is_sane else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode("ascii"))]
                message = {**message, "headers": headers}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, named)


class CutOff:
    """A request that lasts longer than the server may go on is told so, and not left without an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. uvicorn cancels what is not done when the time for draining is over."""
        exchange = Exchange(scope, send)
        try:
            await exchange.run(self.app, receive)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            await exchange.refuse(STOPPING)


STOPPING: Final = busy("not-ready", "It is being stopped; ask another one, or later.", 1)


def layers(settings: ServeSettings, held: HeldBytes, names: Collection[str] | None) -> list[Middleware]:
    """Those that belong below what counts and logs requests, the outermost first; `RequestId` is above it."""
    return [
        Middleware(CutOff),
        *_cors(settings),
        Middleware(Hosts, names=names),
        Middleware(BodyTime, seconds=settings.body_seconds),
        Middleware(BodyLimit, most=settings.max_body_bytes, held=held),
    ]


def _cors(settings: ServeSettings) -> list[Middleware]:
    """Pages of other origins may ask, where that was wanted; a token is sent by them, never a cookie."""
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type", "X-Request-ID"),
            expose_headers=("X-Request-ID", "Retry-After"),
        )
    ]
