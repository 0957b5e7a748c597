"""Connections that stall, flood or are too many, at real sockets, with both of uvicorn's parsers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from promptlet.serve.http import lingering
from promptlet.serve.http.connections import HEAD_BYTES, Bounds, protocol_class
from promptlet.serve.http.limits import BodyLimit, BodyTime, HeldBytes, RequestId

PARSERS = ("h11", "httptools")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 8 * 2**20


class Running:
    """A server in a thread of this process. seen: sizes of bodies that the application had."""

    def __init__(self, parser: Any, bounds: Bounds, keep_alive: Any = 5, body_seconds: float = 0.25) -> None:
        self.seen: list[int] = []
        app: Any = BodyTime(BodyLimit(self.app, 100_000, HeldBytes(1_000_000)), body_seconds)
        config = uvicorn.Config(
            RequestId(app),
            http=protocol_class(bounds, parser),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=keep_alive,
        )
        self.server = uvicorn.Server(config)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(
            target=lambda: asyncio.run(self.server.serve([self.sock])), daemon=True
        )

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/early":  # answered before the body is looked at
            body = b""
        elif scope["path"] == "/large":
            body = b"x" * LARGE
        else:
            count, more = 0, True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                count += len(message["body"])
                more = message["more_body"]
            self.seen.append(count)
            body = str(count).encode()
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    def connect(self) -> closing[socket.socket]:
        sock = socket.create_connection(self.sock.getsockname(), timeout=5)
        return closing(sock)

    @property
    def open(self) -> int:
        return len(self.server.server_state.connections)

    def __enter__(self) -> Running:
        self.thread.start()
        wait_until(lambda: self.server.started)
        return self

    def __exit__(self, *_: object) -> None:
        wait_until(lambda: self.open == 0)  # of those that were closed here
        self.server.should_exit = True
        self.thread.join(10)
        assert not self.thread.is_alive()


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def rest(sock: socket.socket) -> bytes:
    """All that comes until the other side has closed."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65536):
            data += part
    return data


def answer_of(sock: socket.socket) -> bytes:
    """One answer with its body, on a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += sock.recv(65536)
    assert len(body) == length
    return head + b"\r\n\r\n" + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def problem_of(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head and b"connection: close" in head
    return dict(json.loads(body))


@pytest.fixture(autouse=True)
def linger_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER", 0.1)


@pytest.fixture(params=PARSERS, scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Running]:
    with Running(request.param, Bounds(0.15, 0.3, 50)) as server:
        yield server


@pytest.fixture
def running(shared: Running) -> Running:
    wait_until(lambda: shared.open == 0)
    shared.seen.clear()
    return shared


def test_connections_that_ask_for_nothing_are_closed_without_a_word(running: Running) -> None:
    socks = [socket.create_connection(running.sock.getsockname(), timeout=5) for _ in range(40)]
    try:
        with running.connect() as other:  # they are in nobody's way
            other.sendall(GET)
            assert status_of(answer_of(other)) == 200
        assert [rest(sock) for sock in socks] == [b""] * 40
    finally:
        for sock in socks:
            sock.close()
    wait_until(lambda: running.open == 0)


def test_half_a_head_is_answered_by_408(running: Running) -> None:
    with running.connect() as sock:
        began = time.monotonic()
        sock.sendall(b"GET / HTTP/1.1\r\nHo")
        time.sleep(0.1)
        sock.sendall(b"st: lo")  # a byte now and then does not help
        answer = rest(sock)
        assert 0.1 < time.monotonic() - began < 2
    assert status_of(answer) == 408 and problem_of(answer)["type"] == "/problems/head-too-slow"


def test_the_next_head_of_a_connection_has_its_time_too(running: Running) -> None:
    with running.connect() as sock:
        for _ in range(3):
            sock.sendall(GET)
            assert status_of(answer_of(sock)) == 200
            time.sleep(0.02)
        sock.sendall(b"G")
        assert status_of(rest(sock)) == 408
    assert running.seen == [0, 0, 0]


def test_between_requests_the_keep_alive_counts(running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(GET)
        assert status_of(answer_of(sock)) == 200
        time.sleep(0.3)  # longer than a head may take
        sock.sendall(GET)
        assert status_of(answer_of(sock)) == 200


def test_a_head_without_an_end_is_refused(running: Running) -> None:
    with running.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (2 * HEAD_BYTES + 300_000))
        assert status_of(rest(sock)) in (400, 431)
    assert running.seen == []


@pytest.mark.parametrize(
    "tail",
    [b"\r\n".join(b"X%d: %s" % (k, b"x" * 1000) for k in range(2000)), b"X: " + b"x" * 2_000_000],
    ids=["many", "one"],
)
def test_trailers_without_an_end_are_refused(running: Running, tail: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(head + b"1\r\nx\r\n0\r\n" + tail)
        assert status_of(rest(sock)) in (400, 431)
    assert running.seen == []


def test_what_stands_beside_the_length_of_a_chunk_is_bounded(running: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(head + b"1;x=" + b"x" * 2_000_000)
        assert status_of(rest(sock)) in (400, 431)


def test_chunks_of_a_byte_are_a_body_all_the_same(running: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with running.connect() as sock:
        sock.sendall(head + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n")
        assert status_of(rest(sock)) == 200
    assert running.seen == [30_000]


@pytest.mark.parametrize(
    "head",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\x00" * 10 + b"\r\n\r\n", b"POST / HTTP/1.1\r\n : \r\n\r\n"],
)
def test_what_is_no_http_is_told_so(running: Running, head: bytes) -> None:
    with running.connect() as sock:
        sock.sendall(head)
        assert problem_of(rest(sock))["type"] in ("/problems/bad-request",)


def test_a_body_that_turns_into_nonsense_closes_the_connection(running: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running.connect() as sock:
        sock.sendall(head + b"1\r\nx\r\nno length\r\n")
        assert status_of(rest(sock)) == 400
    assert running.seen == []


def test_a_body_that_stalls_is_answered_by_408(running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        answer = rest(sock)
    assert status_of(answer) == 408 and problem_of(answer)["type"] == "/problems/body-too-slow"


@pytest.mark.parametrize("count", [100, 1_000_000])
def test_expect_100_continue(running: Running, count: int) -> None:
    """Who would send too much is told so before it is sent."""
    with running.connect() as sock:
        head = (
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {count}\r\nExpect: 100-continue\r\n\r\n"
        )
        sock.sendall(head.encode())
        first = sock.recv(1000)
        if count > 100_000:
            assert status_of(first) == 413
            return
        assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"x" * count)
        assert status_of(answer_of(sock)) == 200


def test_a_body_without_a_length_is_refused_once_it_is_too_large(running: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with running.connect() as sock:
        sock.sendall(head)
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        answer = rest(sock)
    assert sent < 30 * 2**20  # of 125 MiB: what sockets hold
    assert status_of(answer) == 413 and problem_of(answer)["status"] == 413


def test_who_is_refused_while_sending_reads_why(running: Running) -> None:
    """The connection is not cut under a client that looks for an answer while it sends."""
    with running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        sock.setblocking(False)
        piece = memoryview((b"10000\r\n" + b"x" * 65536 + b"\r\n") * 100)
        while not select.select([sock], [], [], 0)[0]:
            with contextlib.suppress(BlockingIOError):
                sent = sock.send(piece)  # cut anywhere: what comes behind the limit is not looked at
                assert sent
                piece = piece[sent:] or memoryview(b"x" * 65536)
        time.sleep(0.05)
        with contextlib.suppress(BlockingIOError):
            sock.send(b"x" * 100)  # still no error
        assert status_of(sock.recv(65536)) == 413
        sock.setblocking(True)
        rest(sock)


def test_the_rest_of_a_body_that_nobody_wanted_is_passed_over(running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n")
        assert status_of(answer_of(sock)) == 200
        sock.sendall(b"x" * 90_000 + GET)
        assert status_of(answer_of(sock)) == 200
    assert running.seen == [0]


def test_a_body_does_not_wait_until_its_head_is_acknowledged(running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(GET)
        assert status_of(answer_of(sock)) == 200
        [connection] = running.server.server_state.connections
        own = connection.transport.get_extra_info("socket")  # type: ignore[union-attr]
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_who_goes_on_sending_what_nobody_wanted_is_cut_off(running: Running) -> None:
    began, sent = time.monotonic(), 0
    with running.connect() as sock:
        sock.sendall(b"POST /early HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert status_of(answer_of(sock)) == 200
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + 4:
                sock.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                sent += 65_536
    assert sent < 32 * 2**20  # what the system takes, while the server reads no more
    assert running.seen == []


@pytest.mark.parametrize("parser", PARSERS)
def test_more_connections_than_there_may_be_are_told_so(parser: str) -> None:
    with Running(parser, Bounds(5, 5, 3)) as running, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(running.connect()) for _ in range(3)]
        wait_until(lambda: running.open == 3)
        with running.connect() as sock:
            answer = rest(sock)
        assert status_of(answer) == 503 and b"retry-after: 1" in answer
        assert problem_of(answer)["title"] == "More is asked than can be answered now"
        socks[0].sendall(GET)
        assert status_of(answer_of(socks[0])) == 200
        socks[1].close()
        wait_until(lambda: running.open == 2)
        with running.connect() as sock:
            sock.sendall(GET)
            assert status_of(answer_of(sock)) == 200


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS)
def test_a_client_that_does_not_read_is_cut_off_and_one_that_does_is_not(parser: str) -> None:
    with Running(parser, Bounds(5, 0.2, 10)) as running:
        with closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(running.sock.getsockname())
            sock.sendall(GET.replace(b"/ ", b"/large "))
            wait_until(lambda: running.open == 1)
            wait_until(lambda: running.open == 0)
        with closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.connect(running.sock.getsockname())
            sock.sendall(
                GET.replace(b"/ ", b"/large ").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            )
            count = 0
            while part := sock.recv(2**17):
                count += len(part)
                time.sleep(0.005)
            assert count > LARGE


@pytest.mark.parametrize("parser", PARSERS)
def test_what_is_on_its_way_when_the_server_ends_is_answered(parser: str) -> None:
    with Running(parser, Bounds(5, 5, 10)) as running, running.connect() as used, running.connect() as new:
        used.sendall(GET)
        assert status_of(answer_of(used)) == 200
        wait_until(lambda: running.open == 2)
        running.server.should_exit = True
        wait_until(lambda: not running.server.servers[0].is_serving())
        time.sleep(0.05)
        for sock in (used, new):
            sock.sendall(GET)
            assert status_of(rest(sock)) == 200  # and then it is closed
        assert running.seen == [0, 0, 0]
        wait_until(lambda: not running.thread.is_alive())


@pytest.mark.parametrize("parser", PARSERS)
def test_no_server_is_named_and_an_idle_connection_ends(parser: str) -> None:
    with Running(parser, Bounds(5, 5, 10), keep_alive=0.2) as running, running.connect() as sock:
        sock.sendall(GET)
        began = time.monotonic()
        answer = rest(sock)
        assert status_of(answer) == 200 and 0.15 < time.monotonic() - began < 3
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"server:" not in head and b"uvicorn" not in head and b"x-request-id:" in head


def test_the_parser_is_the_faster_one_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.serve.http import connections

    bounds = Bounds(1, 1, 1)
    assert protocol_class(bounds, "h11").__mro__[2].__name__ == "H11Protocol"
    monkeypatch.setattr(connections, "find_spec", lambda name: None)
    assert "H11Protocol" in [one.__name__ for one in protocol_class(bounds).__mro__]
    monkeypatch.setattr(connections, "find_spec", lambda name: object())
    assert "HttpToolsProtocol" in [one.__name__ for one in protocol_class(bounds).__mro__]


def test_no_traceback_is_logged(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for sent in (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12", b"GET / HT", GET):
        with running.connect() as sock:
            sock.sendall(sent)
    wait_until(lambda: running.open == 0)
    assert not [record for record in caplog.records if record.exc_info]
