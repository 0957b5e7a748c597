"""What a request may cost before the application sees it: layers of pure ASGI around it.

A layer that refuses answers by itself, tells the application that the client has gone, and drops whatever
that still sends: nothing more is read of the body, and the connection is closed.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Collection
from random import Random
from time import monotonic
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptlet.serve.http.ending import Ending
from promptlet.serve.http.exchange import DISCONNECT, Exchange
from promptlet.serve.http.problems import Problem, busy
from promptlet.serve.logs import REQUEST_ID
from promptlet.serve.settings import ServeSettings
from promptlet.serve.turns.room import Room

_chance: Final = Random()
"""Of ids, which are no secrets: the system is not asked for each."""
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,100}")
_DIGITS: Final = re.compile(rb"\d{1,18}")
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?", re.ASCII)
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class HeldBytes:
    """How many bytes of bodies are held by all requests together, of one tenant ``tenant_share`` of them and
    ``least`` in any case. For all threads. on_change: told the sum."""

    def __init__(
        self,
        most: int,
        on_change: Callable[[int], object] = lambda _: None,
        *,
        tenant_share: float = 1.0,
        least: int = 1,
    ) -> None:
        self._room = Room(most, tenant_share, least)
        self._lock = threading.Lock()
        self._on_change = on_change

    @property
    def held(self) -> int:
        """Of all."""
        return self._room.held

    def refusal(self, tenant: str, count: int) -> Problem | None:
        """Why there is no room for as many more; None where there is."""
        if self._room.has(tenant, count):
            return None
        return BUSY_OWN_BODIES if self._room.held + count <= self._room.most else BUSY_BODIES

    def take(self, tenant: str, count: int) -> Problem | None:
        """The same, and they are held where there is room."""
        with self._lock:
            refusal = self.refusal(tenant, count)
            if refusal is None:
                self._room.take(tenant, count)
                self._on_change(self._room.held)
        return refusal

    def give_back(self, tenant: str, count: int) -> None:
        """They are held no more."""
        with self._lock:
            self._room.give_back(tenant, count)
            self._on_change(self._room.held)


class BodyLimit:
    """No body larger than ``most``, with a length or without; of all together no more than ``held`` allows.

    One whose length is too large is refused before a byte of it is read, and before the client is told to go
    on (``Expect: 100-continue``). No body is read, and none is held, before the application asks for it: by
    then it knows whose it is, and has put that into ``scope["state"]["tenant"]``.
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
        taken, tenant = 0, ""

        async def counted() -> Message:
            nonlocal taken, tenant
            if exchange.is_refused:
                return dict(DISCONNECT)
            if not taken:
                tenant = scope.get("state", {}).get("tenant", "")
                refusal = self.held.refusal(tenant, _length(scope))
                if refusal is not None:
                    return await exchange.refuse(refusal)
            message = await receive()
            count = len(message.get("body", b""))
            if taken + count > self.most:
                return await exchange.refuse(self._too_large())
            refusal = self.held.take(tenant, count) if count else None
            if refusal is not None:
                return await exchange.refuse(refusal)
            taken += count
            return message

        try:
            await exchange.run(self.app, counted)
        finally:
            self.held.give_back(tenant, taken)

    def _refusal(self, scope: Scope) -> Problem | None:
        lengths = _lengths(scope)
        if len(lengths) > 1 or not all(map(_DIGITS.fullmatch, lengths)):
            return Problem("bad-length", "Content-Length must be one whole number.")
        return self._too_large() if _length(scope) > self.most else None

    def _too_large(self) -> Problem:
        return Problem(
            "body-too-large",
            f"A body may have {self.most:,} bytes here; send fewer or smaller images in a request.",
        )


def _lengths(scope: Scope) -> set[bytes]:
    return {value for name, value in scope["headers"] if name == b"content-length"}


def _length(scope: Scope) -> int:
    """That is told, and was found to be one; 0 where none is."""
    return max(map(int, _lengths(scope)), default=0)


BUSY_BODIES: Final = busy(
    "busy",
    "The bodies of all requests, and images loaded for them, take too much memory together; ask again.",
    1,
)
BUSY_OWN_BODIES: Final = busy(
    "busy",
    "The bodies of your requests, and images loaded for them, take too much memory together; wait for some "
    "of the answers, then ask again.",
    1,
)


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
        until = monotonic() + self.seconds
        is_whole = False

        async def timed() -> Message:
            nonlocal is_whole
            if exchange.is_refused:
                return dict(DISCONNECT)
            if is_whole:
                return await receive()
            try:
                with Ending(until - monotonic(), self._too_slow):
                    message = await receive()
            except Problem as problem:
                return await exchange.refuse(problem)
            is_whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        await exchange.run(self.app, timed)

    def _too_slow(self) -> Problem:
        return Problem(
            "body-too-slow", f"A body must be here within {self.seconds:g} seconds; send less in a request."
        )


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
        request_id = given[0].decode("ascii") if is_sane else f"{_chance.getrandbits(64):016x}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode("ascii"))]
                message = {**message, "headers": headers}
            await send(message)

        before = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, named)
        finally:
            REQUEST_ID.reset(before)


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
