"""Thousands of generated requests, right ones and wrong ones: no mistake of the server, no answer that
/openapi.json does not describe."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from fakes import PNG, Server, Tokens, serve, some_prompts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

pytestmark = pytest.mark.slow

EXAMPLES = {"POST": 300, "PUT": 200, "GET": 80, "DELETE": 80}
"""Of right ones, and as many of wrong ones, for each operation of a method."""
LEAST = 2_000
PLAIN = ("/healthz", "/readyz", "/metrics")


class Counted:
    """An application that remembers how it answered. Prompts are as they were before each request."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.statuses: Counter[tuple[str, str, int]] = Counter()
        self.kinds: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self.statuses[scope["method"], route, message["status"]] += 1
            await send(message)

        kind = (
            dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
            if scope["type"] == "http"
            else ""
        )
        self.kinds[kind.partition(";")[0]] += 1
        self.server.bank.files = some_prompts()
        await self.server.app(scope, receive, noted)


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted(serve(tokens=Tokens()))


@pytest.fixture(scope="module")
def schema(counted: Counted) -> Any:
    import schemathesis

    some = st.binary(max_size=20)
    images = st.one_of(some.map(PNG.__add__), some, st.just(b"prompt cat dog"))
    for kind in ("image/*", "application/octet-stream"):
        schemathesis.openapi.media_type(kind, images)
    return schemathesis.openapi.from_asgi("/openapi.json", counted)


def test_no_generated_request_meets_a_mistake(schema: Any, counted: Counted) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        allow_header_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
        unsupported_method,
    )

    checks = [
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        unsupported_method,
        allow_header_conformance,
    ]
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for who in ("admin", "acme"):
                ask(operation, mode, who, checks, not_a_server_error)
    assert sum(counted.statuses.values()) >= LEAST, counted.statuses
    assert not [key for key in counted.statuses if key[2] >= 500], counted.statuses
    reached = {(method, route, status) for method, route, status in counted.statuses}
    assert {("POST", "/v1/predict", status) for status in (200, 401, 404, 422)} <= reached
    assert {("POST", "/v1/features", status) for status in (200, 400, 401, 422)} <= reached
    assert {("PUT", "/v1/prompts/{name}", status) for status in (200, 201, 401, 403, 422)} <= reached
    assert {("GET", "/v1/prompts/{name}/vectors", status) for status in (200, 401, 404)} <= reached
    assert ("DELETE", "/v1/prompts/{name}", 204) in reached
    assert {"multipart/form-data", "application/json", "application/octet-stream"} <= set(counted.kinds)


def ask(operation: Any, mode: Any, who: str, checks: list[Any], always: Any) -> None:
    @settings(
        max_examples=EXAMPLES[operation.method.upper()] // 2,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_aimed=st.booleans())
    def check(case: Any, is_aimed: bool) -> None:
        if is_aimed and mode.is_positive:
            aim(case)
        case.call_and_validate(headers={"Authorization": f"Bearer {who}"}, checks=[always, *checks])

    try:
        check()
    except Unsatisfiable:  # nothing can be wrong where nothing is asked
        assert mode.is_negative and operation.path in PLAIN


def aim(case: Any) -> None:
    """At prompts that there are, which no generated name hits."""
    if "name" in (case.path_parameters or {}):
        case.path_parameters["name"] = "pets"
        case.headers.clear()
    for fields in (case.query, case.body):
        if isinstance(fields, dict) and "prompts" in fields:
            fields["prompts"] = ["pets", "never"]
