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
from promptlet.serve.http.problems import ADDRESS, Problem, problem_of, request_id_of
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
    urls: Urls | None = None,
    lifespan: Sequence[AbstractAsyncContextManager[Any]] = (),
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """The application of one server.

    tokens: None where everybody who can reach it may ask, as ``local``. backbone_facts: ``name``,
    ``fingerprint`` and more that predictions tell. ready: why the server is not ready, such as that it ends;
    empty where it is. answer: else the bank's own. urls: what loads images by their address. lifespan: what
    lives as long as the application, entered in this order. middleware: around the routes, the outermost
    first, below what counts and logs.
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
    urls = urls or Urls(limits, meters=meters)
    app = FastAPI(
        title="Promptlet",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # its page needs scripts of others
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_living(lifespan, urls),
        middleware=[Middleware(Telling, meters=meters), *middleware],
    )
    _add_routes(app, shared, urls)
    app.add_exception_handler(HTTPException, _of_routing)
    app.add_exception_handler(Problem, _expected)
    app.add_exception_handler(PromptletError, _expected)
    app.openapi = lambda: _openapi(app, shared)  # type: ignore[method-assign]
    return app


def _local() -> Caller:
    from promptlet.serve.access.tokens import LOCAL

    return LOCAL


def _answer() -> Answering:
    from promptlet.serve.bank import answer_each

    return answer_each


def _living(
    subsystems: Sequence[AbstractAsyncContextManager[Any]], urls: Urls
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        async with AsyncExitStack() as stack:
            stack.callback(urls.close)
            for one in subsystems:
                await stack.enter_async_context(one)
            yield

    return life


def _add_routes(app: FastAPI, shared: Shared, urls: Urls) -> None:
    limits, prompts, health = shared.limits, Prompts(shared), Health(shared)

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

    say, known = described.responses, {304: described.NOT_CHANGED}
    predict, features = Predict(shared, urls).predict, GiveFeatures(shared, urls).features
    answers = say(schemas.Predictions, described.PREDICT)
    add("/v1/predict", "POST", predict, answers, described.predict(limits), "images")
    answers = say(schemas.Features, described.FEATURES)
    add("/v1/features", "POST", features, answers, described.features(limits), "images")
    answers = say(schemas.PromptList, described.LIST)
    add("/v1/prompts", "GET", prompts.list, answers, described.listing())
    one = described.one_prompt("If-None-Match")
    answers = say(schemas.PromptFacts, described.SHOW, also=known)
    add("/v1/prompts/{name}", "GET", prompts.show, answers, one)
    answers = say(schemas.Vectors, described.VECTORS, also=known)
    answers[200]["content"] |= described.VECTORS_AS_FILE
    add("/v1/prompts/{name}/vectors", "GET", prompts.vectors, answers, one)
    answers = say(schemas.PromptEntry, described.PUT)
    answers[201] = answers[200]
    add("/v1/prompts/{name}", "PUT", prompts.put, answers, described.put())
    answers = say(None, described.DELETE, 204)
    add("/v1/prompts/{name}", "DELETE", prompts.delete, answers, described.one_prompt("If-Match"))
    add("/healthz", "GET", health.alive, say(schemas.Alive, ()), tag="health")
    add("/readyz", "GET", health.ready, say(schemas.Ready, described.WORKING), tag="health")
    for path, endpoint in (("/healthz", health.alive), ("/readyz", health.ready)):  # some watch by the head
        watched = answering(endpoint, limits.request_seconds)
        app.add_api_route(path, watched, methods=["HEAD"], include_in_schema=False, response_model=None)
    answers = say(None, ("unauthorised",))
    answers[200]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    add("/metrics", "GET", health.metrics, answers, tag="health")
    answers = say(schemas.ProblemKind, ("unknown-address",))
    add(f"{ADDRESS}{{slug}}", "GET", health.problem, answers, described.a_problem(), "health")


async def _expected(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem is None:
        raise error
    return problem.response(request_id_of(request.scope))


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
    return problem.response(request_id_of(request.scope))


def _openapi(app: FastAPI, shared: Shared) -> dict[str, Any]:
    """Made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        made.setdefault("components", {})["schemas"] = schemas.components()
        open_paths = (*OPEN, "/metrics") if shared.limits.metrics_open else OPEN
        if shared.tokens is not None:
            made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in made["paths"].items():
            for operation in methods.values():
                if shared.tokens is None or path in open_paths:
                    operation["responses"].pop("401", None)
                else:
                    operation["security"] = [{"token": []}]
        app.openapi_schema = made
    return app.openapi_schema
