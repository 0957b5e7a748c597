"""The application: who may do what at every route, health, counts, the log, and what /openapi.json says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakes import DIM, Caller, Tokens, capture_logs, image, serve
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from test_serve_problems import check

from promptlet.serve.app import OPEN
from promptlet.serve.http.bodies import Limits
from promptlet.serve.http.limits import BodyLimit, HeldBytes
from promptlet.serve.http.problems import KINDS

RAW = {"Content-Type": "application/octet-stream"}
ROUTES = sorted(
    (route.path, method)
    for route in serve().app.routes
    if hasattr(route, "methods")
    for method in route.methods or ()  # type: ignore[attr-defined]
    if method != "HEAD"
)
WHO = (None, "wrong", "other", "acme", "admin")
ADMINS = {("/v1/prompts/{name}", "PUT"), ("/v1/prompts/{name}", "DELETE")}
"""Of the prompt pets, which the token of acme allows and that of other does not."""


def expected(path: str, method: str, who: str | None) -> set[int]:
    if path in OPEN:
        return {200}
    if who in (None, "wrong"):
        return {401}
    if (path, method) in ADMINS:
        return {200, 204} if who == "admin" else {403}
    if "{name}" in path or path == "/v1/predict":
        return {404} if who == "other" else {200}
    return {200}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("path", "method"), ROUTES)
def test_every_route_knows_who_asks(path: str, method: str, who: str | None) -> None:
    server = serve(tokens=Tokens())
    head = {**RAW, **({"Authorization": f"Bearer {who}"} if who else {})}
    address = path.replace("{name}", "pets").replace("{slug}", "busy")
    query = {"prompts": "pets"} if path == "/v1/predict" else {}
    content = b"prompt a b" if method == "PUT" else image(1) if method == "POST" else None
    answer = TestClient(server.app).request(method, address, headers=head, params=query, content=content)
    assert answer.status_code in expected(path, method, who)
    if path not in OPEN and who != "acme" and who != "admin":
        assert "pets" not in answer.text.replace("'pets'", "").replace('"prompts":["pets"]', "")
        assert not server.encoder.calls or path == "/v1/features"


def test_the_matrix_has_every_route() -> None:
    assert len(ROUTES) == 12 and ("/v1/predict", "POST") in ROUTES and ("/metrics", "GET") in ROUTES


def test_without_tokens_nobody_is_asked_who_they_are() -> None:
    client = TestClient(serve().app)
    assert client.get("/v1/prompts").status_code == client.get("/metrics").status_code == 200
    closed = TestClient(serve(local=Caller("local", prompts=("pets",))).app)
    assert closed.get("/v1/prompts").json()["count"] == 1


def test_metrics_may_be_open_though_there_are_tokens() -> None:
    client = TestClient(serve(Limits(metrics_open=True), Tokens()).app)
    assert client.get("/metrics").status_code == 200 and client.get("/v1/prompts").status_code == 401


# -- health ------------------------------------------------------------------------------------------


def test_a_stuck_encoder_is_not_ready_but_alive() -> None:
    server = serve()
    server.encoder.stuck = True
    client = TestClient(server.app)
    answer = client.get("/readyz")
    assert check(answer, "not-ready")["detail"] == "the encoder did not answer within 10 s"
    assert answer.headers["retry-after"] == "5"
    assert client.get("/healthz").json() == {"status": "alive"}


def test_a_server_that_ends_is_not_ready_and_still_answers() -> None:
    server = serve()
    client = TestClient(server.app)
    assert client.get("/readyz").json() == {"status": "ready", "probe_seconds": 0.0125}
    server.reasons.append("the server ends")
    assert check(client.get("/readyz"), "not-ready")["detail"] == "the server ends"
    asked = client.post("/v1/predict?prompts=pets", content=image(1), headers=RAW)
    assert asked.status_code == 200 and server.encoder.probes == 1


def test_health_is_told_by_the_head_alone() -> None:
    client = TestClient(serve(tokens=Tokens()).app)
    assert client.head("/healthz").status_code == client.head("/readyz").status_code == 200


def test_a_server_without_prompts_is_ready() -> None:
    assert TestClient(serve(files={}).app).get("/readyz").status_code == 200


@pytest.mark.parametrize("stuck", [False, True])
def test_many_who_ask_make_one_probe(stuck: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    now = [100.0]
    monkeypatch.setattr("promptlet.serve.http.health.monotonic", lambda: now[0])
    server = serve()
    server.encoder.stuck = stuck

    async def run() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(server.app), base_url="http://x"
        ) as client:
            for at, probes in [(100.0, 1), (100.9, 1), (101.1, 2)]:
                now[0] = at
                done = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
                assert {one.status_code for one in done} == {503 if stuck else 200}
                assert server.encoder.probes == probes

    asyncio.run(run())


# -- counts and the log --------------------------------------------------------------------------------


def test_requests_are_counted_by_route_not_by_name() -> None:
    server = serve()
    client = TestClient(server.app)
    for name in ("pets", "cars", "nope"):
        client.get(f"/v1/prompts/{name}")
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    client.get("/openapi.json")
    text = client.get("/metrics").text
    for line in (
        'promptlet_requests_total{route="/v1/prompts/{name}",status="200"} 2.0',
        'promptlet_requests_total{route="/v1/prompts/{name}",status="404"} 1.0',
        'promptlet_requests_total{route="none",status="404"} 2.0',
        'promptlet_requests_total{route="/openapi.json",status="200"} 1.0',
        'promptlet_request_seconds_count{route="/v1/prompts/{name}"} 3.0',
    ):
        assert line in text
    assert "pets" not in text and "nowhere" not in text


def test_a_request_is_one_line_without_what_was_sent() -> None:
    client = TestClient(serve(tokens=Tokens()).app, headers={"Authorization": "Bearer acme"})
    with capture_logs() as lines:
        client.post(
            "/v1/predict?prompts=pets&class_names=secret1&class_names=secret2", content=image(1), headers=RAW
        )
    (line,) = lines
    told = {
        "method": "POST",
        "route": "/v1/predict",
        "status": 200,
        "caller": "acme",
        "images": 1,
        "prompts": 1,
    }
    assert line.items() >= told.items() and line["event"] == "request" and line["ms"] > 0
    assert "secret1" not in str(line) and "Bearer" not in str(line)


def test_what_machines_ask_every_second_is_told_when_it_goes_wrong() -> None:
    server = serve()
    client = TestClient(server.app)
    with capture_logs() as lines:
        client.get("/readyz")
        server.reasons.append("it ends")
        client.get("/readyz")
    assert [(line["level"], line["status"]) for line in lines] == [("debug", 200), ("info", 503)]


# -- life --------------------------------------------------------------------------------------------


def test_what_lives_with_the_application_begins_in_order_and_ends_in_reverse() -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def living(name: str) -> AsyncIterator[None]:
        steps.append(f"+{name}")
        yield
        steps.append(f"-{name}")

    with TestClient(serve(lifespan=[living("bank"), living("watching")]).app) as client:
        assert client.get("/healthz").status_code == 200
    assert steps == ["+bank", "+watching", "-watching", "-bank"]


def test_two_servers_in_one_process_do_not_know_each_other() -> None:
    first, second = serve(), serve(files={})
    assert TestClient(first.app).get("/v1/prompts").json()["count"] == 5
    assert TestClient(second.app).get("/v1/prompts").json()["count"] == 0
    assert b"/v1/prompts" in first.meters.text()
    assert TestClient(second.app).get("/openapi.json").status_code == 200


# -- what /openapi.json says -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return dict(TestClient(serve(tokens=Tokens()).app).get("/openapi.json").json())


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, one) for path, methods in described["paths"].items() for method, one in methods.items()
    ]


def test_every_route_is_described(described: dict[str, Any]) -> None:
    found = {(path, method.upper()) for path, method, _ in operations(described)}
    assert found == set(ROUTES) - {("/openapi.json", "GET")}
    for path, method, one in operations(described):
        assert one["summary"] and one["description"], (path, method)


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    text = json.dumps(described)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(described["components"]["schemas"])
    assert "HTTPValidationError" not in text


def test_problems_are_described_as_such(described: dict[str, Any]) -> None:
    for path, _, one in operations(described):
        for status, answer in one["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (path, status)
                assert answer["description"], (path, status)
                assert int(status) in {kind.status for kind in KINDS.values()}


def test_tokens_are_described_where_they_are_asked_for(described: dict[str, Any]) -> None:
    assert {path for path, _, one in operations(described) if "security" not in one} == set(OPEN) - {
        "/openapi.json"
    }
    assert "security" not in TestClient(serve().app).get("/openapi.json").text


def test_the_examples_work() -> None:
    server = serve()
    client = TestClient(server.app)
    server.bank.files = {"pets": b"prompt cat dog cow"}
    found = client.get("/openapi.json").json()
    for path in ("/v1/predict", "/v1/features"):
        body = found["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path, json=body).status_code == 200
    from PIL import Image

    sent, _ = server.encoder.calls[0]
    import io

    assert Image.open(io.BytesIO(sent[0])).size == (8, 8)


def test_backbone_facts_are_told_as_they_are() -> None:
    client = TestClient(serve().app)
    found = client.post("/v1/predict?prompts=pets", content=image(1), headers=RAW).json()
    assert found["backbone"]["feature_dim"] == DIM


def test_routes_are_plain_ones(described: dict[str, Any]) -> None:
    """None has FastAPI read or check anything, so that nothing is read before it is known who asks."""
    for route in serve().app.routes:
        if isinstance(route, APIRoute):
            needs = route.dependant
            assert not (needs.query_params or needs.body_params or needs.path_params or needs.dependencies)


def test_class_features_are_made_in_the_turn_of_who_asks() -> None:
    server = serve(tokens=Tokens())
    client = TestClient(server.app)
    mine, other = ({"Authorization": f"Bearer {name}"} for name in ("acme", "other"))
    assert client.get("/v1/prompts/pets/vectors", headers=mine).status_code == 200
    for name, head in (("pets", mine), ("cars", other)):
        client.post("/v1/predict", params={"prompts": name}, content=image(), headers={**RAW, **head})
    assert server.bank.tenants == ["acme", "acme", "other"]


def test_a_body_is_held_for_who_sends_it() -> None:
    held = HeldBytes(1000, tenant_share=0.5, least=10)
    layer = Middleware(BodyLimit, 900, held)
    client = TestClient(serve(tokens=Tokens(), middleware=[layer]).app)
    mine, other, nobody = ({**RAW, "Authorization": f"Bearer {name}"} for name in ("acme", "other", "nobody"))
    assert held.take("acme", 495) is None
    busy = client.post("/v1/features", content=image(), headers=mine)
    assert (
        "The bodies of your requests" in check(busy, "busy")["detail"] and busy.headers["retry-after"] == "1"
    )
    assert client.post("/v1/features", content=image(), headers=other).status_code == 200
    assert client.post("/v1/features", content=image(), headers=nobody).status_code == 401
    assert client.get("/v1/prompts", headers=mine).status_code == 200 and held.held == 495
