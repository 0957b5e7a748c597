"""Whether the server lives, whether it answers, and what it counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from promptlet.serve.http.kinds import ADDRESS
from promptlet.serve.http.problems import KINDS, Problem, busy
from promptlet.serve.http.shared import Shared, Work, json
from promptlet.serve.meters import CONTENT_TYPE

FRESH: Final = 1.0
"""Seconds for which a probe's result is told again, so that asking cannot load the server."""


@dataclass
class _Probe:
    """The last one, or that which runs."""

    task: asyncio.Task[float] | None = None
    until: float = 0.0


@dataclass(frozen=True)
class Health:
    """The routes."""

    shared: Shared
    _probe: _Probe = field(default_factory=_Probe)

    async def alive(self, request: Request) -> Response:  # noqa: ARG002
        """The process runs, and its event loop turns."""
        return json({"status": "alive"})

    async def ready(self, request: Request) -> Work:  # noqa: ARG002
        """An image has just been encoded, on the way of all. A server without prompts is ready."""
        reason = self.shared.reason()
        if reason:
            raise busy("not-ready", reason, 5)
        return lambda _: self._ready()

    async def _ready(self) -> Response:
        return json({"status": "ready", "probe_seconds": round(await self._seconds(), 4)})

    async def _seconds(self) -> float:
        """Raises ServiceError. One probe at a time, whoever asks; who goes away does not end it."""
        probe = self._probe
        if probe.task is None or (probe.task.done() and monotonic() >= probe.until):
            probe.task = asyncio.ensure_future(self.shared.encoder.probe())
            probe.task.add_done_callback(self._done)
        return await asyncio.shield(probe.task)

    def _done(self, task: asyncio.Task[float]) -> None:
        self._probe.until = monotonic() + FRESH
        if task.cancelled() or task.exception() is not None:  # looked at, so that nobody is told of it
            return

    async def metrics(self, request: Request) -> Response:
        """For Prometheus. They tell of no tenant and no prompt; where there are tokens, any is good."""
        if not self.shared.limits.metrics_open:
            self.shared.caller(request)
        return Response(
            self.shared.meters.text(), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE
        )

    async def problem(self, request: Request) -> Response:
        """What a kind of problem means."""
        kind = KINDS.get(request.path_params["slug"])
        if kind is None:
            raise Problem("unknown-address", f"there is no such problem; there are: {', '.join(KINDS)}")
        told = {"type": f"{ADDRESS}{kind.slug}", "title": kind.title, "status": kind.status}
        return json({**told, "meaning": kind.meaning})
