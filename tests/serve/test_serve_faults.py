"""Everything that can go wrong at each route, made to go wrong there: what comes is what /openapi.json
declares, neither more nor less, and each problem tells the id of its request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fakes import BACKBONE, Server, Tokens, digest_of, image, serve, some_prompts
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from test_serve_app import ROUTES
from test_serve_time import Hangs, asked

from promptlet.errors import (
    AnswerError,
    BusyError,
    DataError,
    OptionError,
    PromptFileError,
    ServiceError,
)
from promptlet.serve.http import connections
from promptlet.serve.http.bodies import Limits
from promptlet.serve.http.limits import HeldBytes, RequestId, layers
from promptlet.serve.http.openapi.described import AT_THE_DOOR, OR
from promptlet.serve.http.openapi.schemas import ProblemDocument
from promptlet.serve.http.problems import KINDS
from promptlet.serve.settings import ServeSettings

OPERATIONS = [one for one in ROUTES if one[0] != "/openapi.json"]
BODY_SECONDS = 0.05
Problems = set[tuple[int, str]]


class Crash:
    """A mistake of ours, right around the routes."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (b"x-crash", b"1") in scope["headers"]:
            raise RuntimeError("a secret of the inside")
        await self.app(scope, receive, send)


@dataclass
class Case:
    """A request, and the server that gets it."""

    path: str
    method: str
    server: Server
    app: Any
    request: dict[str, Any]
    patch: pytest.MonkeyPatch
    cut_off: bool = False
    let_go: list[Callable[[], None]] = field(default_factory=list)

    def fails(self, part: Any, name: str, error: Exception) -> None:
        async def failing(*_: Any, **__: Any) -> Any:
            raise error

        def at_once(*_: Any, **__: Any) -> Any:
            raise error

        self.patch.setattr(part, name, at_once if name == "facts" else failing)

    def hangs(self) -> None:
        self.let_go.append(Hangs(self.server, self.patch).go.set)

    def head(self, **headers: str) -> None:
        self.request["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}


def case_of(path: str, method: str, seconds: float, patch: pytest.MonkeyPatch) -> Case:
    settings = ServeSettings(body_seconds=BODY_SECONDS, max_body_bytes=4096)
    around = [*layers(settings, HeldBytes(8192), {"localhost"}), Middleware(Crash)]
    server = serve(Limits(request_seconds=seconds, max_body_bytes=4096), Tokens(), middleware=around)
    request = {**asked(path, method), "headers": {"Authorization": "Bearer admin"}}
    if method in ("POST", "PUT"):
        request["headers"]["Content-Type"] = "application/octet-stream"
    return Case(path, method, server, RequestId(server.app), request, patch)


def answer_of(case: Case) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(case.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            task = asyncio.ensure_future(client.request(**case.request))
            if case.cut_off:
                await asyncio.sleep(0.02)
                task.cancel()
            try:
                return await asyncio.wait_for(task, 10)
            finally:
                for one in case.let_go:
                    one()

    return asyncio.run(run())


async def slow_body() -> AsyncIterator[bytes]:
    await asyncio.sleep(4 * BODY_SECONDS)
    yield b"q"


def slow(case: Case) -> None:
    case.hangs()
    case.request["content"] = slow_body()


def cut_off(case: Case) -> None:
    case.hangs()
    case.cut_off = True


def malformed(case: Case) -> None:
    case.request["content"] = b"{"
    case.head(Content_Type="application/json")


def wrong_name(case: Case) -> None:
    case.request["url"] = case.request["url"].replace("pets", ".pets")


def bank(name: str, error: Exception) -> Callable[[Case], None]:
    def fault(case: Case) -> None:
        case.fails(case.server.bank, name, error)

    return fault


def encoder(name: str, error: Exception) -> Callable[[Case], None]:
    def fault(case: Case) -> None:
        case.fails(case.server.encoder, name, error)

    return fault


def prompt(name: str) -> Callable[[Case], None]:
    def fault(case: Case) -> None:
        case.request["url"] = case.request["url"].replace("pets", name)
        if case.request["params"]:
            case.request["params"] = {"prompts": name}

    return fault


def unstored() -> PromptFileError:
    error = PromptFileError("it cannot be saved: No space left on device")
    error.__cause__ = OSError(28, "No space left on device")
    return error


FAULTS: dict[str, Callable[[Case], None]] = {
    "none": lambda case: None,
    "a host of others": lambda case: case.head(Host="evil.example"),
    "a length that is none": lambda case: case.head(Content_Length="many"),
    "a length that is too large": lambda case: case.head(Content_Length="5000"),
    "a crash": lambda case: case.head(X_Crash="1"),
    "no token": lambda case: case.head(Authorization=""),
    "a token of no admin": lambda case: case.head(Authorization="Bearer acme"),
    "a token of another": lambda case: case.head(Authorization="Bearer other"),
    "known": lambda case: case.head(If_None_Match=f'"{digest_of(some_prompts()["pets"])}"'),
    "not as expected": lambda case: case.head(If_Match='"other"'),
    "a form that is none": lambda case: case.head(Content_Type="text/html"),
    "a body that is none": malformed,
    "no image": lambda case: case.request.update(content=b"no prompt, no image"),
    "a field that is none": lambda case: case.request["params"].update(nonsense="1"),
    "a name that is none": wrong_name,
    "a new prompt": prompt("new"),
    "a broken prompt": prompt("broken"),
    "a prompt without vectors": prompt("heads"),
    "vectors that are too many": lambda case: case.patch.setattr(
        "promptlet.serve.http.prompts.NUMBERS_AS_JSON", 1
    ),
    "an address of no problem": lambda case: case.request.update(
        url=case.request["url"].replace("/busy", "/none")
    ),
    "a slow body": slow,
    "time that is over": Case.hangs,
    "the end of the server": cut_off,
    **{
        f"{name} raises {type(error).__name__} {number}": bank(name, error)
        for name, errors in {
            "facts": (KeyError("pets"), PromptFileError("x"), BusyError("x")),
            "answerer": (
                *(KeyError("pets"), PromptFileError("x"), OptionError("x"), DataError("x")),
                *(AnswerError("x"), BusyError("x")),
            ),
            "put": (OptionError("x"), PromptFileError("x"), unstored()),
            "delete": (KeyError("pets"), OptionError("x"), unstored()),
        }.items()
        for number, error in enumerate(errors)
    },
    **{
        f"{name} raises {type(error).__name__}": encoder(name, error)
        for name, errors in {
            "encode": (BusyError("x"), OptionError("x"), ServiceError("x", 503)),
            "probe": (ServiceError("x", 503),),
        }.items()
        for error in errors
    },
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return dict(TestClient(serve(tokens=Tokens()).app).get("/openapi.json").json())


def problems_in(value: Any) -> list[dict[str, Any]]:
    """All documents, at any depth."""
    found = []
    if isinstance(value, dict):
        if str(value.get("type", "")).startswith("/problems/") and "meaning" not in value:
            found.append(value)
        value = list(value.values())
    if isinstance(value, list):
        found += [one for each in value for one in problems_in(each)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_goes_wrong_is_what_is_declared(
    path: str, method: str, described: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = described["paths"][path][method.lower()]
    told = operation["responses"]
    found: Problems = {(KINDS[slug].status, KINDS[slug].title) for slug in AT_THE_DOOR}
    fine = set()
    for name, fault in FAULTS.items():
        with monkeypatch.context() as patch:
            seconds = 0.03 if name == "time that is over" else 5.0
            case = case_of(path, method, seconds, patch)
            fault(case)
            answer = answer_of(case)
        if answer.status_code < 400:
            fine.add(answer.status_code)
            continue
        assert answer.headers["content-type"] == "application/problem+json", name
        document = answer.json()
        ProblemDocument.model_validate(document)
        assert "secret" not in answer.text
        for one in problems_in(document):
            assert one["request_id"] == answer.headers["x-request-id"] != "", (name, one)
        if document["type"] == "/problems/unknown-address" and path != "/problems/{slug}":
            continue  # that is another address
        found.add((document["status"], document["title"]))
    declared = {
        (int(status), title)
        for status, one in told.items()
        if int(status) >= 400
        for title in one["description"].split(OR)
    }
    assert found == declared
    assert fine == {int(status) for status in told if int(status) < 400}


def test_what_connections_refuse_by_is_declared_everywhere() -> None:
    refusals = (connections.FULL, connections.SLOW, connections.LARGE, connections.MALFORMED)
    assert {one.kind.slug for one in refusals} == set(AT_THE_DOOR)


def test_where_nobody_is_asked_for_a_token_none_is_missed() -> None:
    found = TestClient(serve().app).get("/openapi.json").json()
    assert not [
        path for path, one in found["paths"].items() for each in one.values() if "401" in each["responses"]
    ]
    open_metrics = TestClient(serve(Limits(metrics_open=True), Tokens()).app).get("/openapi.json").json()
    one = open_metrics["paths"]["/metrics"]["get"]
    assert "401" not in one["responses"] and "security" not in one


def test_problems_within_an_answer_tell_its_request_too() -> None:
    """Of one image, and of one prompt, beside others that are answered."""
    client = TestClient(RequestId(serve().app))
    entries = [("images", ("a", image(1))), ("images", ("b", b"nothing"))]
    for path in ("/v1/predict?prompts=pets&prompts=broken", "/v1/features"):
        answer = client.post(path, files=entries)
        documents = problems_in(answer.json())
        assert answer.status_code == 200 and len(documents) == (2 if "predict" in path else 1)
        assert {one["request_id"] for one in documents} == {answer.headers["x-request-id"]}
    assert json.loads(answer.content)["model"] == BACKBONE["fingerprint"]
