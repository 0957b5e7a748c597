"""One line of the log and one count for each request, and an answer to what nobody expected."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptlet.serve.http.problems import Problem, request_id_of

if TYPE_CHECKING:
    from promptlet.serve.meters import Meters

GONE: Final = 499
"""The status that is counted where the client went away before it was answered."""
QUIET: Final = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds by machines: told where they go wrong."""
_logger = logging.getLogger("promptlet.serve")


@dataclass(frozen=True)
class Telling:
    """Pure ASGI, around all that the application has."""

    app: ASGIApp
    meters: Meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 0
        scope.setdefault("state", {}).setdefault("told", {})

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            pass
        except Exception:
            facts = {"request_id": request_id_of(scope), "route": route_of(scope)}
            _logger.exception("a request failed", extra=facts)
            if status:  # the answer has begun, and cannot be whole
                raise
            told = "the server made a mistake; tell whoever runs it this request_id, which its log has"
            answer = Problem("internal", told).response(request_id_of(scope))
            await answer(scope, receive, noted)
        finally:
            self._tell(scope, status or GONE, perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        self.meters.requests.labels(route, str(status)).inc()
        self.meters.request_seconds.labels(route).observe(seconds)
        facts = {
            "request_id": request_id_of(scope),
            "method": scope["method"],
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            **scope["state"]["told"],
        }
        level = logging.DEBUG if route in QUIET and status < 400 else logging.INFO
        _logger.log(level, "request", extra=facts)


def route_of(scope: Scope) -> str:
    """The route's own path, such as /v1/prompts/{name}: what {name} stands for is not told."""
    if scope["path"] == "/openapi.json":  # FastAPI's own
        return "/openapi.json"
    return str(getattr(scope.get("route"), "path", "none"))
