"""Routes as an application is given them, and all that another room adds to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp

from promptlet.serve.http.shared import Endpoint, Shared, answering


@dataclass(frozen=True)
class Route:
    """answers: by status as /openapi.json describes them, that of a success first; extra: what it says of
    what is sent; tag: the group that it stands in there; empty for a route that it does not tell."""

    path: str
    method: str
    endpoint: Endpoint
    answers: Mapping[int, Mapping[str, Any]]
    extra: Mapping[str, Any] | None = None
    tag: str = "prompts"


@dataclass(frozen=True)
class Added:
    """What another room adds to the application of a server.

    routes: made of what all routes share. models: of their answers. lifespan: entered behind the server's
    own. middleware: below the server's. around: the whole application, with the layers that count and log.
    page: its address for people.
    """

    routes: Callable[[Shared], Sequence[Route]]
    models: Sequence[type[BaseModel]] = ()
    lifespan: Sequence[AbstractAsyncContextManager[Any]] = ()
    middleware: Sequence[Middleware] = ()
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app
    page: str = ""


def add_route(app: FastAPI, route: Route, seconds: float) -> None:
    """seconds: after which its work is given up."""
    app.add_api_route(
        route.path,
        answering(route.endpoint, seconds),
        methods=[route.method],
        response_model=None,
        response_class=Response,
        status_code=next(iter(route.answers), 200),
        responses={code: dict(told) for code, told in route.answers.items()},
        openapi_extra=None if route.extra is None else dict(route.extra),
        tags=[route.tag],
        include_in_schema=bool(route.tag),
    )
