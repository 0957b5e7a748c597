"""What routes are made of, and what they do alike: who asks, what is told, when a request is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from promptlet.characters import visible
from promptlet.serve.http.bodies import Limits
from promptlet.serve.http.ending import Ending
from promptlet.serve.http.problems import Problem, busy

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel
    from starlette.middleware import Middleware
    from starlette.types import ASGIApp

    from promptlet.classifier.answers.deciding import Rule
    from promptlet.serve.access.tokens import Caller, Tokens
    from promptlet.serve.bank.answerers import Answerer
    from promptlet.serve.bank.answering import Told
    from promptlet.serve.bank.bank import Bank
    from promptlet.serve.bank.listing import Listed
    from promptlet.serve.encoder import Encoder
    from promptlet.serve.meters import Meters

    Answering = Callable[[Sequence[Answerer], np.ndarray, Rule], list[Told]]

T = TypeVar("T")
S = TypeVar("S")
Work = Callable[[float], Coroutine[Any, Any, Response]]
"""What is left to do once a request was read. Given until when, of `time.monotonic`, an answer is of use."""
Endpoint = Callable[[Request], Awaitable[Response | Work]]
CHANGES: Final = ("PUT", "DELETE")
GUARDED: Final = "guarded"
"""Of ``scope["state"]``: the caller that a layer around the application knows already."""


@dataclass(frozen=True)
class Shared:
    """bank, encoder, meters: what their modules say. tokens: None where everybody who can ask may.

    local: who asks where there are no tokens. backbone: its name, fingerprint and feature_dim. reason: why
    the server is not ready, empty where it is. answer: `promptlet.serve.bank.answer_each`.
    """

    bank: Bank
    encoder: Encoder
    meters: Meters
    tokens: Tokens | None
    local: Caller
    limits: Limits
    backbone: Mapping[str, Any]
    reason: Callable[[], str]
    answer: Answering

    def caller(self, request: Request) -> Caller:
        """Who asks. Raises Unauthorised. Called before anything else of a request is looked at."""
        caller: Caller | None = request.scope.get("state", {}).get(GUARDED)
        if caller is None:
            sent = request.headers.get("authorization")
            caller = self.local if self.tokens is None else self.tokens.caller(sent)
        request.scope.setdefault("state", {})["tenant"] = caller.name
        tell(request, caller=caller.name)
        return caller

    def admin(self, request: Request) -> Caller:
        """The same, who may change prompts. Raises Problem for others, whatever they ask of."""
        caller = self.caller(request)
        if caller.is_admin:
            return caller
        way = (
            "this server was started without tokens; start it with --token-file, or put the file where its "
            "prompts lie"
            if self.tokens is None
            else "this token is none of an admin; ask with one that is"
        )
        raise Problem("admin-only", f"prompts are put and deleted by admins alone: {way}")

    def prompt(self, caller: Caller, name: str) -> Listed:
        """Raises Problem, the same where there is none and where the caller may not know."""
        is_allowed = caller.may(name)
        listed = self.bank.get(name)
        if listed is None or not is_allowed:
            raise unknown_prompt([name])
        return listed


def unknown_prompt(names: Sequence[str]) -> Problem:
    """names: those that are unknown, or not allowed."""
    some = [visible(name[:100]) for name in names[:5]]
    told = ", ".join(f"'{name}'" for name in some) + (" and others" if len(names) > 5 else "")
    return Problem(
        "unknown-prompt",
        f"there is no prompt {told} that you may ask; GET /v1/prompts lists those that there are",
        prompts=some,
    )


def tell(request: Request, **facts: Any) -> None:
    """What the log says of this request: numbers and names, nothing of what was sent."""
    request.scope.setdefault("state", {}).setdefault("told", {}).update(facts)


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer as it is: nothing is checked on the way out."""
    body = msgspec.json.encode(value, enc_hook=_plain)
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def _plain(value: Any) -> Any:
    """Of NumPy's numbers and arrays, and other mappings."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)


async def both(first: Awaitable[T], second: Awaitable[S]) -> tuple[T, S]:
    """At the same time; where one fails, or both are given up, nothing of the other goes on."""
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def answering(endpoint: Endpoint, seconds: float) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """As it is called: its work is given up after so many seconds, or where the client goes away."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        found = await endpoint(request)
        return found if isinstance(found, Response) else await _within(request, seconds, found)

    return answered


async def _within(request: Request, seconds: float, work: Work) -> Response:
    """The body must have been read. Raises ClientDisconnect, Problem."""
    gone = asyncio.ensure_future(_gone(request))
    with Ending(seconds, lambda: _late(request, seconds)) as ending:

        def ended(done: asyncio.Future[None]) -> None:
            if not done.cancelled():
                ending.end(ClientDisconnect())

        gone.add_done_callback(ended)
        try:
            return await work(monotonic() + seconds)
        finally:
            gone.cancel()


def _late(request: Request, seconds: float) -> Problem:
    hint = (
        "what was begun is finished all the same: look at the prompt"
        if request.method in CHANGES
        else "ask for less at once, or later"
    )
    return busy("late", f"there was no answer within {seconds:g} s; {hint}", 1)


async def _gone(request: Request) -> None:
    """Who sends a body that nobody reads is not watched, so that none of it is held."""
    while (message := await request.receive())["type"] != "http.disconnect":
        if message.get("body"):
            await asyncio.Event().wait()


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
    guards: whether a path needs a token of this room. page: its address for people.
    """

    routes: Callable[[Shared], Sequence[Route]]
    models: Sequence[type[BaseModel]] = ()
    lifespan: Sequence[AbstractAsyncContextManager[Any]] = ()
    middleware: Sequence[Middleware] = ()
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app
    guards: Callable[[str], bool] = lambda _: False
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
