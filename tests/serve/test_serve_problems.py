"""Whatever goes wrong is a problem document that says what to do, and tells nothing of the inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import CRASH, Server, capture_logs, image, serve
from starlette.testclient import TestClient

from promptlet.characters import markdown_row
from promptlet.errors import (
    AnswerError,
    BackboneError,
    BusyError,
    DataError,
    ImageError,
    OptionError,
    PromptFileError,
    ServiceError,
    WrongBackboneError,
)
from promptlet.serve.http.problems import KINDS, MEDIA_TYPE, Problem, problem_of, wrong_fields

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "problems.md"


@pytest.fixture
def server() -> Server:
    return serve()


@pytest.fixture
def client(server: Server) -> TestClient:
    return TestClient(server.app)


def check(answer: Any, slug: str) -> dict[str, Any]:
    """A problem document of that kind."""
    kind, found = KINDS[slug], answer.json()
    assert answer.status_code == kind.status == found["status"]
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert found["type"] == f"/problems/{slug}" and found["title"] == kind.title and found["detail"]
    return dict(found)


def test_the_page_lists_every_kind() -> None:
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `/problems/")
    ]
    assert rows == [
        markdown_row([f"`{kind.type}`", str(kind.status), kind.title, kind.meaning])
        for kind in KINDS.values()
    ]


@pytest.mark.parametrize("slug", KINDS)
def test_the_address_of_a_kind_tells_its_meaning(slug: str, client: TestClient) -> None:
    found = client.get(KINDS[slug].type).json()
    assert found == {
        "type": KINDS[slug].type,
        "title": KINDS[slug].title,
        "status": KINDS[slug].status,
        "meaning": KINDS[slug].meaning,
    }


def test_an_unknown_kind_is_no_address(client: TestClient) -> None:
    assert "there are: malformed-body" in check(client.get("/problems/none"), "unknown-address")["detail"]


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (ImageError("x"), "bad-image"),
        (PromptFileError("x"), "broken-prompt"),
        (WrongBackboneError("x"), "broken-prompt"),
        (OptionError("x"), "cannot-answer"),
        (DataError("x"), "cannot-answer"),
        (AnswerError("x"), "cannot-answer"),
        (BusyError("x", 2.1), "busy"),
        (ServiceError("x"), "not-ready"),
        (ServiceError("x", status=401), "unauthorised"),
    ],
)
def test_an_expected_error_has_its_kind(error: Exception, slug: str) -> None:
    problem = problem_of(error)
    assert problem is not None and problem.kind.slug == slug and problem.detail == "x"


def test_other_errors_are_no_problems_to_be_told() -> None:
    assert problem_of(BackboneError("/home/me/model")) is None
    assert problem_of(ValueError("inside")) is None


def test_when_to_ask_again_is_told_in_whole_seconds() -> None:
    problem = problem_of(BusyError("full", 2.1))
    assert problem is not None and problem.headers["Retry-After"] == "3"
    assert problem.document()["retry_after"] == 3


def test_a_document_holds_what_is_told_visibly() -> None:
    problem = wrong_fields([("a\x1b", "given \u202e x"), ("b", "also \ud800")])
    found = problem.document("id-1")
    assert found["request_id"] == "id-1" and found["detail"] == r"given \u202e x; also \ud800"
    assert found["errors"][0] == {"field": r"a\x1b", "detail": r"given \u202e x"}
    assert problem.response().status_code == 422


# -- of routing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/predict/", "/v1/prompts/a/b/c", "/docs", "/redoc"])
def test_there_is_nothing_elsewhere(path: str, client: TestClient) -> None:
    found = check(client.get(path), "unknown-address")
    assert f"there is nothing at {path}; see /openapi.json" in found["detail"]


def test_a_slip_in_a_path_is_met_with_a_guess(client: TestClient) -> None:
    found = check(client.post("/v1/predicts"), "unknown-address")
    assert "Did you mean '/v1/predict'?" in found["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/prompts/pets", "DELETE, GET, PUT"),
        ("GET", "/v1/predict", "POST"),
        ("DELETE", "/v1/prompts", "GET"),
        ("OPTIONS", "/v1/predict", "POST"),
    ],
)
def test_a_wrong_method_says_which_are_right(
    method: str, path: str, allowed: str, client: TestClient
) -> None:
    answer = client.request(method, path)
    assert check(answer, "wrong-method")["allowed"] == allowed.split(", ")
    assert answer.headers["allow"] == allowed


# -- of nobody's expectation -------------------------------------------------------------------------


def test_a_mistake_of_the_server_is_logged_and_not_told(client: TestClient, server: Server) -> None:
    with capture_logs() as lines:
        answer = client.post("/v1/predict?prompts=pets", content=CRASH, headers={"Content-Type": "image/png"})
    check(answer, "internal")
    assert "secret" not in answer.text and "RuntimeError" not in answer.text
    failed, told = lines
    assert failed["event"] == "a request failed" and failed["level"] == "error" and failed["exception"]
    assert told["status"] == 500 and told["route"] == "/v1/predict"
    assert b'route="/v1/predict",status="500"} 1.0' in server.meters.text()
    fine = client.post("/v1/predict?prompts=pets", content=image(), headers={"Content-Type": "image/png"})
    assert fine.status_code == 200


def test_the_request_id_stands_in_answers_and_in_the_log() -> None:
    from starlette.middleware import Middleware

    def identified(app: Any) -> Any:
        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("state", {})["request_id"] = "id-7"
            await app(scope, receive, send)

        return asgi

    client = TestClient(serve(middleware=[Middleware(identified)]).app)  # type: ignore[arg-type]
    crash = {"content": CRASH, "headers": {"Content-Type": "image/png"}}
    with capture_logs() as lines:
        found = client.post("/v1/predict?prompts=pets", **crash).json()  # type: ignore[arg-type]
        other = client.get("/v1/prompts/none").json()
    assert found["request_id"] == other["request_id"] == "id-7"
    assert {line["request_id"] for line in lines} == {"id-7"}


def test_a_problem_is_an_application_too() -> None:
    answer = TestClient(Problem("busy", "full").response()).get("/")
    check(answer, "busy")
