"""The application: routes over parts that are given to it. It holds nothing of its own, and no globals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from promptlet import __version__
from promptlet.errors import PromptletError, did_you_mean
from promptlet.serve.http import described, schemas
from promptlet.serve.http.bodies import Limits
from promptlet.serve.http.features import GiveFeatures
from promptlet.serve.http.health import Health
from promptlet.serve.http.predict import Predict
from promptlet.serve.http.problems import ADDRESS, Problem, problem_of
from promptlet.serve.http.prompts import Prompts
from promptlet.serve.http.shared import Endpoint, Shared, answering
from promptlet.serve.http.telling import Telling
from promptlet.serve.http.urls import Urls

if TYPE_CHECKING:
    from promptlet.serve.access.tokens import Caller, Tokens
    from promptlet.serve.bank.bank import Bank
    from promptlet.serve.encoder import Encoder
    from promptlet.serve.http.shared import Answering
    from promptlet.serve.meters import Meters

ASKED: Final = (400, 401, 413, 415, 421, 422, 408, 503)
"""Statuses of problems that every request with a body may have."""
OPEN: Final = ("/healthz", "/readyz", "/openapi.json", f"{ADDRESS}{{slug}}")
"""Routes that need no token: they tell nothing of prompts, images or tenants."""
ABOUT: Final = (
    "One backbone encodes each image once, and any number of prompts answer. Errors are problem documents "
    "(RFC 9457) that say what to do."
)


def create_app(
    *,
    bank: Bank,
    encoder: Encoder,
    tokens: Tokens | None,
    limits: Limits,
    meters: Meters,
    backbone_facts: Mapping[str, Any],
    ready: Callable[[], str] = lambda: "",
    local: Caller | None = None,
    answer: Answering | None = None,
    lifespan: Sequence[AbstractAsyncContextManager[Any]] = (),
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """The application of one server.

    tokens: None where everybody who can reach it may ask, as ``local``. backbone_facts: ``name``,
    ``fingerprint`` and more that predictions tell. ready: why the server is not ready, such as that it ends;
    empty where it is. answer: else the bank's own. lifespan: what lives as long as the application, entered
    in this order. middleware: around the routes, the outermost first, below what counts and logs.
    """
    shared = Shared(
        bank=bank,
        encoder=encoder,
        meters=meters,
        tokens=tokens,
        local=local or _local(),
        limits=limits,
        backbone=dict(backbone_facts),
        reason=ready,
        answer=answer or _answer(),
    )
    app = FastAPI(
        title="Promptlet",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # its page needs scripts of others
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_living(lifespan),
        middleware=[Middleware(Telling, meters=meters), *middleware],
    )
    _add_routes(app, shared)
    app.add_exception_handler(HTTPException, _of_routing)
    app.add_exception_handler(Problem, _expected)
    app.add_exception_handler(PromptletError, _expected)
    app.openapi = lambda: _openapi(app, is_open=tokens is None)  # type: ignore[method-assign]
    return app


def _local() -> Caller:
    from promptlet.serve.access.tokens import LOCAL

    return LOCAL


def _answer() -> Answering:
    from promptlet.serve.bank import answer_each

    return answer_each


def _living(
    subsystems: Sequence[AbstractAsyncContextManager[Any]],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        async with AsyncExitStack() as stack:
            for one in subsystems:
                await stack.enter_async_context(one)
            yield

    return life


def _add_routes(app: FastAPI, shared: Shared) -> None:
    limits, urls = shared.limits, Urls(shared.limits)
    prompts, health = Prompts(shared), Health(shared)
    say = described.responses

    def add(
        path: str, method: str, endpoint: Endpoint, answers: Any, extra: Any = None, tag: str = "prompts"
    ) -> None:
        app.add_api_route(
            path,
            answering(endpoint, limits.request_seconds),
            methods=[method],
            response_model=None,
            response_class=Response,
            status_code=next(iter(answers)),
            responses=answers,
            openapi_extra=extra,
            tags=[tag],
        )

    add(
        "/v1/predict",
        "POST",
        Predict(shared, urls).predict,
        say(schemas.Predictions, (*ASKED, 404, 409)),
        described.predict(limits),
        "images",
    )
    add(
        "/v1/features",
        "POST",
        GiveFeatures(shared, urls).features,
        say(schemas.Features, ASKED),
        described.features(limits),
        "images",
    )
    one, known = described.one_prompt("If-None-Match"), {304: described.NOT_CHANGED}
    vectors = say(schemas.Vectors, (401, 404, 406, 409, 421, 422, 503), also=known)
    vectors[200]["content"] |= described.VECTORS_AS_FILE
    add("/v1/prompts", "GET", prompts.list, say(schemas.PromptList, (401, 421, 422)), described.listing())
    add("/v1/prompts/{name}", "GET", prompts.show, say(schemas.PromptFacts, (401, 404, 421), also=known), one)
    add("/v1/prompts/{name}/vectors", "GET", prompts.vectors, vectors, one)
    made = say(schemas.PromptEntry, (*ASKED, 403, 412, 507))
    made[201] = made[200]
    add("/v1/prompts/{name}", "PUT", prompts.put, made, described.put())
    gone = say(None, (401, 403, 404, 412, 421, 507), 204)
    add("/v1/prompts/{name}", "DELETE", prompts.delete, gone, described.one_prompt("If-Match"))
    add("/healthz", "GET", health.alive, say(schemas.Alive, (421,)), tag="health")
    add("/readyz", "GET", health.ready, say(schemas.Ready, (421, 503)), tag="health")
    for path, endpoint in (("/healthz", health.alive), ("/readyz", health.ready)):  # some watch by the head
        watched = answering(endpoint, limits.request_seconds)
        app.add_api_route(path, watched, methods=["HEAD"], include_in_schema=False, response_model=None)
    metrics = say(None, (401, 421))
    metrics[200]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    add("/metrics", "GET", health.metrics, metrics, tag="health")
    add(
        f"{ADDRESS}{{slug}}",
        "GET",
        health.problem,
        say(schemas.ProblemKind, (404, 421)),
        described.a_problem(),
        "health",
    )


async def _expected(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem is None:
        raise error
    return problem.response(_request_id(request))


async def _of_routing(request: Request, error: Exception) -> Response:
    """No route, or none for this method."""
    if not isinstance(error, HTTPException) or error.status_code not in (404, 405):
        raise error
    path, app = str(request.scope["path"]), request.app
    paths = [route.path for route in app.routes if isinstance(route, Route)]
    allowed = sorted(
        {
            method
            for route in app.routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
    )
    if error.status_code == 405:
        problem = Problem(
            "wrong-method",
            f"{request.method} is not taken here; allowed: {', '.join(allowed)}",
            {"Allow": ", ".join(allowed)},
            allowed=allowed,
        )
    else:
        hint = did_you_mean(path[:200], paths)
        problem = Problem("unknown-address", f"there is nothing at {path[:200]}; see /openapi.json.{hint}")
    return problem.response(_request_id(request))


def _request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def _openapi(app: FastAPI, is_open: bool) -> dict[str, Any]:
    """Made once. is_open: whether no token is asked for."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        made.setdefault("components", {})["schemas"] = schemas.components()
        if not is_open:
            made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for path, methods in made["paths"].items():
                for operation in methods.values() if path not in OPEN else ():
                    operation["security"] = [{"token": []}]
        app.openapi_schema = made
    return app.openapi_schema
