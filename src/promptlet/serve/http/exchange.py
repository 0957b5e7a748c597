"""A request and its answer as ASGI has them, which a layer around the application may answer by itself."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptlet.serve.http.problems import Problem, closing, request_id_of

DISCONNECT: Final = {"type": "http.disconnect"}


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
        return dict(DISCONNECT)

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        """The application; what it raises after it was refused is of no interest."""
        try:
            await app(self._scope, receive, self.send)
        except Exception:
            if not self.is_refused:
                raise
