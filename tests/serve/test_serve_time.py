"""No route works longer than a request may last, whatever hangs below it; who goes away ends the work."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from fakes import Server, Tokens, capture_logs, digest_of, image, serve
from test_serve_app import RAW, ROUTES
from test_serve_problems import check

from promptlet.serve.http.bodies import Limits

LONG = 60.0
SOON = 20.0
"""Seconds in which an answer has come, also where the machine is busy."""
NEW = b"prompt one two"


class Hangs:
    """All that routes wait for, which lasts until it is let go."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.begun = threading.Event(), 0
        own = {name: getattr(server.bank, name) for name in ("facts", "answerer", "put", "delete")}

        def later(name: str) -> Any:
            async def wait(*given: Any, **more: Any) -> Any:
                self.begun += 1
                await asyncio.to_thread(self.go.wait, LONG)
                return await own[name](*given, **more)

            return wait

        def facts(name: str) -> Any:
            self.begun += 1
            self.go.wait(LONG)
            return own["facts"](name)

        for name in ("answerer", "put", "delete"):
            monkeypatch.setattr(server.bank, name, later(name))
        monkeypatch.setattr(server.bank, "facts", facts)
        monkeypatch.setattr(server.encoder, "probe", self.probe)
        monkeypatch.setattr(server.encoder, "encode", self.encode)

    async def probe(self) -> float:
        self.begun += 1
        await asyncio.to_thread(self.go.wait, LONG)
        return 0.0

    async def encode(self, *_: Any) -> Any:
        self.begun += 1
        await asyncio.sleep(LONG)


WAITING = {
    ("/v1/predict", "POST"),
    ("/v1/features", "POST"),
    ("/v1/prompts/{name}", "GET"),
    ("/v1/prompts/{name}", "PUT"),
    ("/v1/prompts/{name}", "DELETE"),
    ("/v1/prompts/{name}/vectors", "GET"),
    ("/readyz", "GET"),
    ("/readyz", "HEAD"),
}
"""Routes that wait for something."""


def client_of(server: Server) -> httpx.AsyncClient:
    head = {"Authorization": "Bearer admin", **RAW}
    return httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="http://x", headers=head)


def asked(path: str, method: str) -> dict[str, Any]:
    content = NEW if method == "PUT" else image(1) if method == "POST" else None
    query = {"prompts": "pets"} if path == "/v1/predict" else {}
    address = path.replace("{name}", "pets").replace("{slug}", "busy")
    return {"method": method, "url": address, "content": content, "params": query}


@pytest.mark.parametrize(("path", "method"), [*ROUTES, ("/healthz", "HEAD"), ("/readyz", "HEAD")])
def test_no_route_lasts_longer_than_a_request_may(
    path: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(Limits(request_seconds=0.05), Tokens())
    hangs = Hangs(server, monkeypatch)

    async def run() -> httpx.Response:
        try:
            async with client_of(server) as client:
                return await asyncio.wait_for(client.request(**asked(path, method)), SOON)
        finally:
            hangs.go.set()

    answer = asyncio.run(run())
    assert (hangs.begun > 0) == ((path, method) in WAITING)
    if (path, method) in WAITING:
        assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
        if method != "HEAD":
            assert "no answer within 0.05 s" in check(answer, "late")["detail"]
    else:
        assert answer.status_code == 200


def test_a_change_that_has_begun_is_finished_and_the_next_one_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though its asker was told that it took too long: else a condition that holds would not be one."""
    server = serve(Limits(request_seconds=0.05), Tokens())
    before = server.bank.files["pets"]
    hangs = Hangs(server, monkeypatch)

    async def run() -> list[httpx.Response]:
        async with client_of(server) as client:
            late = await client.put("/v1/prompts/pets", content=NEW)
            assert server.bank.files["pets"] == before
            behind = await client.delete("/v1/prompts/pets")  # dropped: it never had its turn
            hangs.go.set()
            seen = {"If-Match": f'"{digest_of(before)}"'}
            other = await client.put("/v1/prompts/pets", content=b"prompt x y", headers=seen)
            return [late, behind, other]

    late, behind, other = asyncio.run(run())
    assert "what was begun is finished all the same" in check(late, "late")["detail"]
    check(behind, "late")
    check(other, "changed-meanwhile")
    assert server.bank.files["pets"] == NEW and hangs.begun == 1


def test_who_goes_away_ends_the_wait_for_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(Limits(request_seconds=LONG))
    hangs = Hangs(server, monkeypatch)

    async def run() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if hangs.begun:
                return {"type": "http.disconnect"}
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/v1/prompts/pets/vectors", "query_string": b""}
        try:
            asking = server.app({**scope, "headers": []}, receive, send)
            await asyncio.wait_for(asking, SOON)
        finally:
            hangs.go.set()
        return sent

    with capture_logs() as lines:
        assert asyncio.run(run()) == []
    assert [line["status"] for line in lines] == [499]
