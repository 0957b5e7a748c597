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
from starlette.routing import Match
from starlette.routing import Route as Matched

from promptlet import __version__
from promptlet.errors import PromptletError, did_you_mean
from promptlet.serve.http.bodies import Limits
from promptlet.serve.http.features import GiveFeatures
from promptlet.serve.http.health import Health
from promptlet.serve.http.kinds import ADDRESS
from promptlet.serve.http.openapi import described, schemas
from promptlet.serve.http.predict import Predict
from promptlet.serve.http.problems import Problem, problem_of, request_id_of
from promptlet.serve.http.prompts import Prompts
from promptlet.serve.http.shared import Added, Route, Shared, add_route
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
    added: Added | None = None,
) -> FastAPI:
    """The application of one server.

    tokens: None where everybody who can reach it may ask, as ``local``. backbone_facts: ``name``,
    ``fingerprint`` and more that predictions tell. ready: why the server is not ready, such as that it ends;
    empty where it is. answer: else the bank's own. urls: what loads images by their address. lifespan: what
    lives as long as the application, entered in this order. middleware: around the routes, the outermost
    first, below what counts and logs. added: what another room adds.
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
        lifespan=_living((*lifespan, *(added.lifespan if added else ())), urls),
        middleware=[
            Middleware(Telling, meters=meters),
            *middleware,
            *(added.middleware if added else ()),
        ],
    )
    for route in (*_routes(shared, urls), *(added.routes(shared) if added else ())):
        add_route(app, route, limits.request_seconds)
    app.add_exception_handler(HTTPException, _of_routing)
    app.add_exception_handler(Problem, _expected)
    app.add_exception_handler(PromptletError, _expected)
    app.openapi = lambda: _openapi(app, shared, added)  # type: ignore[method-assign]
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


def _routes(shared: Shared, urls: Urls) -> list[Route]:
    limits, prompts, health = shared.limits, Prompts(shared), Health(shared)
    say, known = described.responses, {304: described.NOT_CHANGED}
    predict, features = Predict(shared, urls).predict, GiveFeatures(shared, urls).features
    predicted, featured = (
        say(schemas.Predictions, described.PREDICT),
        say(schemas.Features, described.FEATURES),
    )
    one = described.one_prompt("If-None-Match")
    vectors = say(schemas.Vectors, described.VECTORS, also=known)
    vectors[200]["content"] |= described.VECTORS_AS_FILE
    put = say(schemas.PromptEntry, described.PUT)
    put[201] = put[200]
    metrics = say(None, ("unauthorised",))
    metrics[200]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    path, changed = "/v1/prompts/{name}", described.one_prompt("If-Match")
    shown, kind = say(schemas.PromptFacts, described.SHOW, also=known), schemas.ProblemKind
    return [
        Route("/v1/predict", "POST", predict, predicted, described.predict(limits), "images"),
        Route("/v1/features", "POST", features, featured, described.features(limits), "images"),
        Route(
            "/v1/prompts", "GET", prompts.list, say(schemas.PromptList, described.LIST), described.listing()
        ),
        Route(path, "GET", prompts.show, shown, one),
        Route(f"{path}/vectors", "GET", prompts.vectors, vectors, one),
        Route(path, "PUT", prompts.put, put, described.put()),
        Route(path, "DELETE", prompts.delete, say(None, described.DELETE, 204), changed),
        Route("/healthz", "GET", health.alive, say(schemas.Alive, ()), tag="health"),
        Route("/readyz", "GET", health.ready, say(schemas.Ready, described.WORKING), tag="health"),
        Route("/healthz", "HEAD", health.alive, {}, tag=""),  # some watch by the head
        Route("/readyz", "HEAD", health.ready, {}, tag=""),
        Route("/metrics", "GET", health.metrics, metrics, tag="health"),
        Route(
            f"{ADDRESS}{{slug}}",
            "GET",
            health.problem,
            say(kind, ("unknown-address",)),
            described.a_problem(),
            "health",
        ),
    ]


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
    paths = [route.path for route in app.routes if isinstance(route, Matched)]
    allowed = sorted(
        {
            method
            for route in app.routes
            if isinstance(route, Matched) and route.matches(request.scope)[0] is not Match.NONE
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


def _openapi(app: FastAPI, shared: Shared, added: Added | None) -> dict[str, Any]:
    """Made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        made.setdefault("components", {})["schemas"] = schemas.components(added.models if added else ())
        open_paths = (*OPEN, "/metrics") if shared.limits.metrics_open else OPEN
        guards = added.guards if added else _nothing
        if shared.tokens is not None or added is not None:
            made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in made["paths"].items():
            for operation in methods.values():
                if not guards(path) and (shared.tokens is None or path in open_paths):
                    operation["responses"].pop("401", None)
                else:
                    operation["security"] = [{"token": []}]
        app.openapi_schema = made
    return app.openapi_schema


def _nothing(path: str) -> bool:  # noqa: ARG001
    """What guards nothing."""
    return False
