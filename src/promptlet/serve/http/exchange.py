"""A request and its answer as ASGI has them, which a layer around the application may answer by itself."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DISCONNECT: Final = {"type": "http.disconnect"}


@dataclass(frozen=True)
class Refusal:
    """A problem document (RFC 9457) in the making. slug: what ``type`` ends with."""

    status: int
    slug: str
    title: str
    detail: str
    retry_after: int | None = None

    def messages(self) -> tuple[Message, Message]:
        """The two messages of ASGI; the connection is closed behind them."""
        body = json.dumps(
            {
                "type": f"/problems/{self.slug}",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
            }
        ).encode("ascii")
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"connection", b"close"),
        ]
        if self.retry_after is not None:
            headers.append((b"retry-after", str(self.retry_after).encode("ascii")))
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        return start, {"type": "http.response.body", "body": body}


class Exchange:
    """A request and its answer, which a layer may take out of the application's hands."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive, self._send = receive, send
        self.is_started = False
        self.is_refused = False

    async def send(self, message: Message) -> None:
        """What the application answers with."""
        if self.is_refused:
            return
        self.is_started = self.is_started or message["type"] == "http.response.start"
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> Message:
        """Answer in its place, unless it has begun; what it is to receive: the client has gone."""
        self.is_refused = True
        if not self.is_started:
            for message in refusal.messages():
                await self._send(message)
        return dict(DISCONNECT)

    async def run(self, app: App, scope: Scope, receive: Receive) -> None:
        """The application; what it raises after it was refused is of no interest."""
        try:
            await app(scope, receive, self.send)
        except Exception:
            if not self.is_refused:
                raise
