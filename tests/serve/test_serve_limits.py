"""Limits around an application: what is refused before it is read, what is counted, who is told what."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from promptlet.serve.http import limits
from promptlet.serve.http.limits import BodyLimit, BodyTime, CutOff, HeldBytes, Hosts, RequestId
from promptlet.serve.http.shared import answering
from promptlet.serve.settings import ServeSettings

Headers = list[tuple[bytes, bytes]]


class Client:
    """Sends chunks of a body, one a call of receive; then it waits to be gone."""

    def __init__(self, *chunks: bytes, headers: Headers | None = None, seconds: float = 0.0) -> None:
        self.chunks, self.headers, self.seconds = list(chunks), headers or [], seconds
        self.reads = 0
        self.answers: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        if not self.chunks:
            return {"type": "http.disconnect"}
        chunk = self.chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks)}

    async def send(self, message: Any) -> None:
        self.answers.append(message)

    def ask(self, app: Any, path: str = "/v1/predict") -> Client:
        scope = {"type": "http", "method": "POST", "path": path, "headers": self.headers}
        asyncio.run(app(scope, self.receive, self.send))
        return self

    @property
    def status(self) -> int:
        assert [one["type"] for one in self.answers] == ["http.response.start", "http.response.body"]
        return int(self.answers[0]["status"])

    @property
    def problem(self) -> dict[str, Any]:
        head = dict(self.answers[0]["headers"])
        assert head[b"content-type"] == b"application/problem+json" and head[b"connection"] == b"close"
        problem = json.loads(self.answers[1]["body"])
        assert problem["status"] == self.status and int(head[b"content-length"]) == len(
            self.answers[1]["body"]
        )
        return dict(problem)


class App:
    """Reads all of the body, then answers how long it was; ``seen`` says how that ended."""

    def __init__(self, after: Callable[[], Awaitable[None]] | None = None) -> None:
        self.seen = ""
        self.body = b""
        self.after = after

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.seen = "gone"
                again = await receive()
                assert again["type"] == "http.disconnect"
                break
            self.body += message["body"]
            if not message["more_body"]:
                self.seen = "whole"
                break
        if self.after is not None:
            await self.after()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(self.body)).encode()})
        if self.seen == "gone":
            raise RuntimeError("whatever an application raises where its client has gone")


def length(count: int) -> Headers:
    return [(b"content-length", str(count).encode())]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read() -> None:
    app = App()
    client = Client(b"x", headers=length(101)).ask(BodyLimit(app, 100, HeldBytes(1000)))
    assert client.status == 413 and client.reads == 0 and app.seen == ""
    assert client.problem["type"] == "/problems/body-too-large" and "100 bytes" in client.problem["detail"]


@pytest.mark.parametrize("headers", [[], length(10)], ids=["without a length", "with a wrong one"])
def test_a_body_is_counted_as_it_comes_and_nothing_more_is_read(headers: Headers) -> None:
    app, held = App(), HeldBytes(1000)
    client = Client(*[b"x" * 30] * 9, headers=headers).ask(BodyLimit(app, 100, held))
    assert client.status == 413 and client.problem["title"] == "The body is too large"
    assert (client.reads, app.seen, len(app.body), held.held) == (4, "gone", 90, 0)


def test_a_body_within_the_limit_passes_whole() -> None:
    app, held = App(), HeldBytes(100)
    client = Client(b"a" * 60, b"b" * 40, headers=length(100)).ask(BodyLimit(app, 100, held))
    assert client.status == 200 and app.body == b"a" * 60 + b"b" * 40 and held.held == 0


@pytest.mark.parametrize("value", [b"", b"-1", b"1 2", b"0x10", b"+3", b"9" * 30, "٣".encode()])
def test_lengths_that_are_none(value: bytes) -> None:
    client = Client(b"x", headers=[(b"content-length", value)]).ask(BodyLimit(App(), 100, HeldBytes(1000)))
    assert client.status == 400 and client.problem["type"] == "/problems/bad-length"
    client = Client(b"x", headers=length(1) + length(2)).ask(BodyLimit(App(), 100, HeldBytes(1000)))
    assert client.status == 400 and client.reads == 0


def test_all_bodies_together_have_a_budget_that_is_given_back() -> None:
    told: list[int] = []
    held = HeldBytes(100, told.append)

    async def both() -> tuple[Client, Client, Client]:
        held_by_one, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            held_by_one.set()
            await go_on.wait()

        layered = BodyLimit(App(after=wait), 80, held)
        first, second, third = (Client(b"x" * 60, headers=head) for head in ([], [], length(60)))
        scopes = [{"type": "http", "path": "/", "headers": one.headers} for one in (first, second, third)]
        slow = asyncio.create_task(layered(scopes[0], first.receive, first.send))
        await held_by_one.wait()
        await BodyLimit(App(), 80, held)(scopes[1], second.receive, second.send)
        await BodyLimit(App(), 80, held)(scopes[2], third.receive, third.send)
        go_on.set()
        await slow
        return first, second, third

    first, second, third = asyncio.run(both())
    assert (first.status, second.status, third.status) == (200, 503, 503)
    assert (second.reads, third.reads) == (1, 0)
    assert dict(second.answers[0]["headers"])[b"retry-after"] == b"1" and second.problem["type"].endswith(
        "busy"
    )
    assert held.held == 0 and max(told) == 60 and told[-1] == 0


class Asked:
    """The application knows who asks before it reads, as the real one; each body waits for ``go_on``."""

    def __init__(self, tenant: str, go_on: asyncio.Event | None = None) -> None:
        self.tenant, self.go_on, self.is_whole = tenant, go_on, asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["tenant"] = self.tenant

        async def wait() -> None:
            self.is_whole.set()
            if self.go_on is not None:
                await self.go_on.wait()

        await App(wait)(scope, receive, send)


async def sent(tenant: str, client: Client, held: HeldBytes, go_on: asyncio.Event) -> asyncio.Task[None]:
    """Once its body is whole."""
    asked = Asked(tenant, go_on)
    scope = {"type": "http", "path": "/", "headers": client.headers, "state": {}}
    task = asyncio.create_task(BodyLimit(asked, 60, held)(scope, client.receive, client.send))
    whole = asyncio.create_task(asked.is_whole.wait())
    await asyncio.wait((task, whole), return_when=asyncio.FIRST_COMPLETED)
    whole.cancel()
    return task


def test_one_tenant_cannot_fill_the_budget_of_all() -> None:
    held = HeldBytes(200, tenant_share=0.5)

    async def scene() -> list[Client]:
        go_on = asyncio.Event()
        clients = [Client(b"x" * 50, headers=head) for head in ([], length(50), [], length(50), [])]
        names = ("acme", "acme", "acme", "acme", "globex")
        tasks = [await sent(name, client, held, go_on) for name, client in zip(names, clients, strict=True)]
        go_on.set()
        await asyncio.gather(*tasks)
        return clients

    clients = asyncio.run(scene())
    assert [client.status for client in clients] == [200, 200, 503, 503, 200]
    assert "The bodies of your requests, and" in clients[2].problem["detail"]
    assert [client.reads for client in clients[2:4]] == [1, 0] and held.held == 0


def test_the_share_of_a_tenant_is_a_whole_body_at_least() -> None:
    held = HeldBytes(100, tenant_share=0.1, least=60)
    client = Client(b"x" * 60, headers=length(60)).ask(BodyLimit(App(), 60, held))
    assert client.status == 200
    assert held.take("a", 60) is None and held.take("a", 1) is not None and held.take("b", 40) is None
    assert HeldBytes(100, tenant_share=0.1, least=1000).take("a", 100) is None


def test_who_is_not_known_holds_nothing() -> None:
    held = HeldBytes(100)
    assert held.take("acme", 100) is None

    async def app(scope: Any, receive: Any, send: Any) -> None:  # as for a token that is none
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = Client(b"x" * 50, headers=length(50)).ask(BodyLimit(app, 60, held))
    assert (client.status, client.reads, held.held) == (401, 0, 100)


def test_the_budget_is_given_back_where_the_application_fails() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    held = HeldBytes(100)
    with pytest.raises(ZeroDivisionError):
        Client(b"x" * 60).ask(BodyLimit(App(after=fail), 80, held))
    assert held.held == 0


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    app = App()
    client = Client(*[b"x"] * 50, seconds=0.02).ask(BodyTime(app, 0.1))
    assert client.status == 408 and client.problem["type"] == "/problems/body-too-slow"
    assert app.seen == "gone" and client.reads <= 7


def test_the_time_of_a_body_is_no_time_of_the_answer() -> None:
    async def work() -> None:
        await asyncio.sleep(0.15)

    client = Client(b"x").ask(BodyTime(App(after=work), 0.05))
    assert client.status == 200


def test_the_wait_for_a_client_to_go_has_no_end() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"

    client = Client(b"x", seconds=0.1).ask(BodyTime(app, 0.15))
    assert client.answers == [] and client.reads == 2


def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"

    client = Client(b"x" * 200).ask(BodyLimit(app, 100, HeldBytes(1000)))
    assert [one.get("status") for one in client.answers] == [200]


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        *((name, True) for name in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "[::1]")),
        *((name, False) for name in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "")),
        *(
            (name, False)
            for name in ("localhost@evil.example", "localhost:8080:1", "localhost:", "user:localhost")
        ),
        *((name, False) for name in ("127.0.0.2", "::1", "localhost\n", " localhost", "[::1", "0x7f.1")),
    ],
)
def test_without_tokens_only_names_of_this_machine_are_answered_to(host: str, is_ours: bool) -> None:
    app = App()
    client = Client(b"x", headers=[(b"host", host.encode())]).ask(Hosts(app))
    assert client.status == (200 if is_ours else 421)
    assert (app.seen == "whole") is is_ours
    if not is_ours:
        assert client.problem["type"] == "/problems/wrong-host" and "--token-file" in client.problem["detail"]
    assert Client(b"x", headers=[(b"host", host.encode())]).ask(Hosts(App(), None)).status == 200


def test_two_hosts_are_refused_and_none_is_no_browser() -> None:
    assert (
        Client(b"x", headers=[(b"host", b"localhost"), (b"host", b"localhost")]).ask(Hosts(App())).status
        == 421
    )
    assert Client(b"x").ask(Hosts(App())).status == 200


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [
        *((one, True) for one in (b"abc-123", b"a/b+c=", b"0af7651916cd43dd8448eb211c80319c-b7ad:1")),
        *((one, False) for one in (b"", b"a b", b"a\nb", b"x" * 101, b'"', "é".encode(), b"<script>")),
    ],
)
def test_a_request_has_an_id(sent: bytes, is_kept: bool) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["state"]["request_id"])
        await App()(scope, receive, send)

    client = Client(b"x", headers=[(b"x-request-id", sent)]).ask(RequestId(app))
    given = dict(client.answers[0]["headers"])[b"x-request-id"]
    assert given.decode() == seen[0] and (given == sent) is is_kept
    other = Client(b"x").ask(RequestId(app))
    assert dict(other.answers[0]["headers"])[b"x-request-id"] != given and len(seen[1]) == 16


def test_a_request_that_is_cut_off_is_told_so() -> None:
    async def ask(app: Any) -> Client:
        client = Client(b"x")
        scope = {"type": "http", "path": "/", "headers": []}
        task = asyncio.create_task(CutOff(app)(scope, client.receive, client.send))
        await asyncio.sleep(0.01)
        task.cancel()
        await task
        return client

    async def lasts() -> None:
        await asyncio.sleep(60)

    client = asyncio.run(ask(App(after=lasts)))
    assert client.status == 503 and client.problem["type"] == "/problems/not-ready"


def test_all_of_them_stand_in_order_and_pass_what_is_no_request() -> None:
    settings = ServeSettings(max_body_bytes=1024, cors_origins=("https://a.org",))
    app, held = App(), HeldBytes(10_000)
    layered: Any = app
    for layer in reversed(limits.layers(settings, held, {"localhost"})):
        layered = layer.cls(layered, *layer.args, **layer.kwargs)
    layered = RequestId(layered)
    host = [(b"host", b"localhost"), (b"origin", b"https://a.org")]
    assert Client(b"x", headers=host).ask(layered).status == 200
    refused = Client(b"x" * 2000, headers=host).ask(layered)
    assert refused.status == 413 and held.held == 0
    head = dict(refused.answers[0]["headers"])
    assert head[b"access-control-allow-origin"] == b"https://a.org" and b"x-request-id" in head
    assert Client(b"x", headers=[(b"host", b"evil.example")]).ask(layered).status == 421
    seen: list[str] = []

    async def lifespan(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    other: Any = lifespan
    for layer in reversed(limits.layers(settings, held, {"localhost"})):
        other = layer.cls(other, *layer.args, **layer.kwargs)
    asyncio.run(RequestId(other)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_a_layer_says_nothing_of_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = b"pl_acme0001_" + b"s" * 43
    head = [(b"authorization", b"Bearer " + secret), (b"content-length", b"x" + secret)]
    client = Client(secret * 100, headers=head).ask(BodyLimit(App(), 100, HeldBytes(1000)))
    assert "sssss" not in caplog.text and "sssss" not in str(client.answers)


def test_a_body_that_nobody_reads_is_not_held() -> None:
    """While an answer is waited for, it is looked whether the client goes away; that reads no body."""
    held: list[int] = []
    limit = BodyLimit(_slow_answer, 10**6, HeldBytes(10**6, held.append))

    async def receive() -> Any:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "headers": [], "method": "GET", "path": "/", "query_string": b""}
    asyncio.run(limit(scope, receive, send))
    assert max(held, default=0) <= 1000 and (not held or held[-1] == 0)


async def _slow_answer(scope: Any, receive: Any, send: Any) -> None:
    async def work(until: float) -> Response:
        await asyncio.sleep(0.1)
        return Response(b"")

    async def endpoint(request: Request) -> Any:
        return work

    request = Request(scope, receive)
    await (await answering(endpoint, 5.0)(request))(scope, receive, send)
