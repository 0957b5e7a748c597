"""/v1/projects/{id}/events: what happens in a project, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from promptlet.teach.http.desk import Desk, in_thread

BEAT: Final = 15.0
"""Seconds between two signs of life."""
TICK: Final = 0.5
"""In which a server that ends lets go of who follows."""
LOOK: Final = 1.5
"""Seconds between two looks at folders that somebody may have changed by hand."""
_logger = logging.getLogger("promptlet.serve")


@dataclass(frozen=True)
class Events:
    """The route. is_ending: whether the server lets go of all."""

    desk: Desk
    is_ending: Callable[[], bool]

    async def follow(self, request: Request) -> Response:
        """``hello`` with the revision, then what happens."""
        project = await in_thread(self.desk.project, request)
        stream = self._told(project.id, await in_thread(project.look))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, headers=headers, media_type="text/event-stream; charset=utf-8")

    async def _told(self, project: str, revision: int) -> AsyncIterator[bytes]:
        with self.desk.events.following(project) as following:
            yield b"retry: 1000\n\n" + _event("hello", {"revision": revision})
            last = monotonic()
            while not self.is_ending():
                for name, data in await following.news(TICK):
                    yield _event(name, data)
                    last = monotonic()
                    if name == GONE:
                        return
                if monotonic() - last >= BEAT:
                    yield b": still here\n\n"
                    last = monotonic()


GONE: Final = "gone"
"""The project was deleted; nothing follows."""


def _event(name: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), msgspec.json.encode(data))


@asynccontextmanager
async def looking(desk: Desk) -> AsyncIterator[None]:
    """Inside, projects that somebody follows are looked at: others may change their folders."""
    task = asyncio.create_task(_look(desk))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _look(desk: Desk) -> None:
    while True:
        await asyncio.sleep(LOOK)
        for project in desk.events.followed():
            try:
                await in_thread(lambda project=project: desk.shelf.get(project).look())
            except (KeyError, OSError):
                desk.events.tell(project, GONE, {})
            except Exception:  # of one project, which must not cost the others
                _logger.exception("a project could not be looked at")
