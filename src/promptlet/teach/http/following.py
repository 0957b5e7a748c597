"""/v1/projects/{id}/events, and /v1/events of several: what happens, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from promptlet.serve.http.problems import wrong_field
from promptlet.teach.http.desk import Desk, in_thread

MOST: Final = 100
"""Projects of one connection."""
BEAT: Final = 15.0
"""Seconds between two signs of life."""
TICK: Final = 0.5
"""In which a server that ends lets go of who follows."""
LOOK: Final = 1.5
"""Seconds between two looks at folders that somebody may have changed by hand."""
GONE: Final = "gone"
"""The project was deleted; nothing follows of it."""
BEATEN: Final = b": still here\n\n"
_logger = logging.getLogger("promptlet.serve")


@dataclass(frozen=True)
class Events:
    """The routes. is_ending: whether the server lets go of all."""

    desk: Desk
    is_ending: Callable[[], bool]

    async def follow(self, request: Request) -> Response:
        """``hello`` with the revision, the training and how many images are encoded; then what happens."""
        project = await in_thread(self.desk.project, request)
        await in_thread(project.look)
        return _stream(self._of_one(project.id))

    async def follow_several(self, request: Request) -> Response:
        """``?project=a&project=b``: the same of several over one connection; each event tells its project,
        and one that is not there is gone."""
        wanted = list(dict.fromkeys(request.query_params.getlist("project")))
        if not 1 <= len(wanted) <= MOST:
            words = f"{len(wanted)} projects are to be followed; give 1 to {MOST}, each as project=ID"
            raise wrong_field("project", words)
        return _stream(self._of_several(wanted))

    async def _of_one(self, project: str) -> AsyncIterator[bytes]:
        async for (_, name), data in self._news([project]):
            yield _event(name, data) if name else BEATEN
            if name == GONE:
                return

    async def _of_several(self, projects: Sequence[str]) -> AsyncIterator[bytes]:
        async for (project, name), data in self._news(projects):
            yield _event(name, {"project": project, **data}) if name else BEATEN

    async def _news(self, projects: Sequence[str]) -> AsyncIterator[tuple[tuple[str, str], Any]]:
        """Beginning with ``hello`` of each; an empty name is a sign of life."""
        with self.desk.events.following(*projects) as following:
            for project in projects:
                yield await in_thread(self._hello, project)
            last = monotonic()
            while not self.is_ending():
                for what, data in await following.news(TICK):
                    yield what, data
                    last = monotonic()
                if monotonic() - last >= BEAT:
                    yield ("", ""), {}
                    last = monotonic()

    def _hello(self, project: str) -> tuple[tuple[str, str], dict[str, Any]]:
        """All that one who was away may have missed: not each training makes another revision."""
        learning = self.desk.learning
        try:
            revision = self.desk.shelf.get(project).look()
            done, total = learning.encoded(project)
        except (KeyError, OSError):
            return (project, GONE), {}
        told = {"revision": revision, "training": learning.training(project), "done": done, "total": total}
        return (project, "hello"), told


def _stream(events: AsyncIterator[bytes]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_begun(events), headers=headers, media_type="text/event-stream; charset=utf-8")


async def _begun(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async for one in events:
        yield one


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
