"""Clients that stall, send without end, or go away: they cost what they hold, for a bounded time, and nobody
else."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import live_material as material
import pytest
from bank_prompts import fitted
from live_server import Live, multipart, predicting, request, serving
from tools.watching import BUSY, wait_until

pytestmark = pytest.mark.slow
PATIENCE = 6
"""Seconds that the server waits for a head, and for a body."""
MIB = 2**20
MOST_BODY, MOST_HELD = 16 * MIB, 64 * MIB
STALLED = 200


@pytest.fixture(scope="module")
def live(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("stalled") / "prompts"
    material.write(folder, pets=fitted(mini, "rlp"))
    options = [f"head_seconds={PATIENCE}", f"body_seconds={PATIENCE}", "recent_bytes=0"]
    options += [f"max_body_bytes={MOST_BODY}", f"max_held_bytes={MOST_HELD}"]
    with serving(folder, *options) as server:
        yield server


def seconds_of(live: Live, count: int = 20) -> list[float]:
    """Of answers to a well-behaved client."""
    found = []
    for number in range(count):
        asked = material.unlike(material.jpeg(1), number)
        began = time.monotonic()
        assert live.predict([asked], ["pets"]).status == 200
        found.append(time.monotonic() - began)
    return found


def ended(sock: socket.socket, within: float) -> bytes:
    """What still came until the server closed it."""
    sock.settimeout(within)
    found = b""
    with suppress(ConnectionError):
        while piece := sock.recv(1 << 20):
            found += piece
    return found


def test_stalled_clients_keep_nobody_from_being_answered(live: Live, figure: Any) -> None:
    alone = seconds_of(live)
    before = live.idle()
    half = predicting([material.jpeg(1, 600, 400)], ["pets"])
    beginnings = {
        "no head": b"",
        "half a head": b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Ty",
        "half a body": half[: len(half) // 2],
        "no reading": request("GET", "/openapi.json") * 400,  # more than the system takes
    }
    stalled: dict[str, list[socket.socket]] = {kind: [] for kind in beginnings}
    with ExitStack() as stack:
        began = time.monotonic()
        for kind, beginning in beginnings.items():
            for _ in range(STALLED // len(beginnings)):
                sock = stack.enter_context(live.connect(receive_bytes=4096))
                sock.settimeout(0.2)
                with suppress(TimeoutError):
                    sock.sendall(beginning)
                stalled[kind].append(sock)
        during = seconds_of(live)
        lasted = time.monotonic() - began
        held = live.metrics()["promptlet_held_body_bytes"]
        assert held >= STALLED // 4 * (len(half) // 2 - 500)  # they are all there still
        wait_until(lambda: live.metrics()["process_open_fds"] <= before["process_open_fds"] + 5, 12, "stays")
        cut = time.monotonic() - began
        statuses = {kind: [ended(sock, 5)[9:12] for sock in socks] for kind, socks in stalled.items()}
    assert set(statuses["no head"]) == {b""}
    assert set(statuses["half a head"]) == {b"408"} and set(statuses["half a body"]) == {b"408"}
    live.idle()
    figure(
        f"median {1000 * median(alone):.1f} ms alone, {1000 * median(during):.1f} ms beside {STALLED} "
        f"stalled clients; slowest {1000 * max(alone):.0f} and {1000 * max(during):.0f} ms; all were cut off "
        f"after {cut:.1f} s (others were asked for {lasted:.1f} s)"
    )
    assert median(during) < 3 * median(alone) + 0.05 and max(during) < max(alone) + 2


def test_who_does_not_read_is_cut_off_and_who_reads_slowly_is_not(live: Live) -> None:
    asked = request("GET", "/openapi.json") * 400
    before = live.metrics()["process_open_fds"]
    with live.connect(receive_bytes=4096) as sock, live.connect(receive_bytes=4096) as other:
        for one in (sock, other):
            one.sendall(asked)
        until, taken = time.monotonic() + 2.5 * PATIENCE, 0
        while time.monotonic() < until:
            taken += len(other.recv(1 << 15))
            time.sleep(0.05)
        assert taken > 20 * 16 * 1024
        assert live.metrics()["process_open_fds"] <= before + 1  # that one
    live.idle()


# bodies


def send_until_refused(sock: socket.socket, head: bytes, piece: bytes, count: int) -> tuple[int, bytes]:
    """How many bytes of a body were sent until the server said something, and what it said; then the piece
    that was begun is sent to its end."""
    sent = place = 0
    sock.sendall(head)
    sock.settimeout(0.0)
    answer = b""
    until = time.monotonic() + 30
    view = memoryview(piece)
    while sent < count * len(piece) and time.monotonic() < until:
        with suppress(BlockingIOError):
            answer = sock.recv(1 << 16)
            break
        try:
            done = sock.send(view[place:])
            sent, place = sent + done, (place + done) % len(piece)
        except BlockingIOError:
            time.sleep(0.001)
        except ConnectionError:
            break
    with suppress(BlockingIOError):
        answer += sock.recv(1 << 16)
    with suppress(ConnectionError):
        sock.settimeout(10)
        sock.sendall(view[place:] if place else b"")
    return sent, answer


CHUNK = b"100000\r\n" + bytes(MIB) + b"\r\n"
HEAD = b"POST /v1/predict?prompts=pets HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"


@pytest.mark.parametrize("kind", ["with its length", "without a length"])
def test_a_body_of_a_gigabyte_is_refused_and_takes_no_memory(live: Live, kind: str, figure: Any) -> None:
    live.idle()
    live.forget_peak()
    before = live.resident()
    with live.connect() as sock:
        if kind == "with its length":
            sent, answer = send_until_refused(
                sock, HEAD + f"Content-Length: {1 << 30}\r\n\r\n".encode(), bytes(MIB), 1024
            )
            assert sent < 16 * MIB  # what the system itself takes
        else:
            sent, answer = send_until_refused(sock, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK, 1024)
            assert sent < MOST_BODY + 16 * MIB
    assert answer.startswith(b"HTTP/1.1 413 ") and b"/problems/body-too-large" in answer
    grown = live.resident("VmHWM") - before
    figure(f"{kind}: refused after {sent / MIB:.1f} MiB; memory grew by {grown / MIB:.1f} MiB at most")
    assert grown < 3 * MOST_BODY
    live.idle()
    assert live.predict([material.jpeg(1)], ["pets"]).status == 200


def test_who_asks_before_sending_a_gigabyte_sends_nothing(live: Live) -> None:
    with live.connect() as sock:
        sock.sendall(HEAD + f"Expect: 100-continue\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
        assert ended(sock, 10).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/nowhere", "/healthz", "/v1/prompts/new"])
def test_a_gigabyte_to_where_no_body_is_read_ends_too(live: Live, path: str, figure: Any) -> None:
    """It is answered at once; who goes on sending is cut off, and nothing of it is held."""
    method = "PUT" if path.startswith("/v1") else "POST"
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    live.forget_peak()
    before, began, more = live.resident(), time.monotonic(), 0
    with live.connect() as sock:
        sent, answer = send_until_refused(sock, head, CHUNK, 1024)
        sock.settimeout(10)
        with suppress(ConnectionError):
            while time.monotonic() < began + 4 * PATIENCE:
                sock.sendall(CHUNK)
                more += len(CHUNK)
    lasted = time.monotonic() - began
    assert answer[9:10] == b"4" and sent < 64 * MIB and lasted < PATIENCE and more < 64 * MIB
    grown = live.resident("VmHWM") - before
    figure(
        f"{path}: cut off after {lasted:.1f} s and {more / MIB:.0f} MiB more; memory {grown / MIB:.0f} MiB"
    )
    assert grown < MOST_BODY


def sent_and_told(sock: socket.socket, asked: bytes) -> bytes:
    sock.settimeout(3 * PATIENCE)
    with suppress(ConnectionError):
        sock.sendall(asked)
    return ended(sock, 3 * PATIENCE)


def test_many_large_bodies_at_once_stay_within_what_may_be_held(live: Live, figure: Any) -> None:
    live.idle()
    live.forget_peak()
    before = live.resident()
    body = bytes(MOST_BODY - MIB)
    head = HEAD + f"Content-Length: {MOST_BODY}\r\n\r\n".encode()
    with ExitStack() as stack:
        socks = [stack.enter_context(live.connect()) for _ in range(20)]
        with ThreadPoolExecutor(len(socks)) as pool:
            answers = list(pool.map(partial(sent_and_told, asked=head + body), socks))
    statuses = [answer[9:12] for answer in answers]
    assert set(statuses) == {b"503", b"408"}  # no room, or not whole in time
    assert all(b"retry-after: 1" in answer for answer in answers if answer[9:12] == b"503")
    grown = live.resident("VmHWM") - before
    figure(
        f"20 bodies of 15 MiB, {MOST_HELD // MIB} may be held: memory grew by {grown / MIB:.0f} MiB at most"
    )
    assert grown < 2.5 * MOST_HELD
    live.idle()
    assert live.predict([material.jpeg(1)], ["pets"]).status == 200


def test_a_body_that_trickles_is_told_so(live: Live) -> None:
    asked = predicting([material.jpeg(1)], ["pets"])
    with live.connect() as sock:
        began, answer = time.monotonic(), b""
        head, _, body = asked.partition(b"\r\n\r\n")
        sock.sendall(head + b"\r\n\r\n")
        sock.settimeout(0.05)
        with suppress(ConnectionError):
            for byte in body[:-1]:
                sock.sendall(bytes([byte]))
                with suppress(TimeoutError):
                    answer = sock.recv(1000)
                    break
        lasted = time.monotonic() - began
        answer += ended(sock, 5)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"body-too-slow" in answer
    assert PATIENCE - 0.5 < lasted < 3 * PATIENCE
    live.idle()


# clients that go away


def hang_up(sock: socket.socket) -> None:
    """At once, as a process that was killed does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def images_of(metrics: dict[str, float]) -> dict[str, float]:
    return {
        name.split('"')[1]: value
        for name, value in metrics.items()
        if name.startswith("promptlet_images_total")
    }


def test_clients_that_go_away_free_their_places(live: Live, figure: Any) -> None:
    """In the middle of being answered, and in the middle of sending."""
    before = live.idle()
    asked = []
    for client in range(8):
        numbers = range(24 * client, 24 * client + 24)
        large = [material.unlike(material.jpeg(number % 24, 2000, 1500), number) for number in numbers]
        asked.append(predicting(large, ["pets"]))
    with ExitStack() as stack:
        socks = [stack.enter_context(live.connect()) for _ in range(8)]
        for sock, own in zip(socks, asked, strict=True):
            sock.sendall(own if sock in socks[:5] else own[: len(own) // 2])
        wait_until(lambda: live.metrics()["promptlet_queue_images"] >= 60, 5, "they do not come in")
        for sock in socks:
            hang_up(sock)
        gone = time.monotonic()
        now = live.idle(5)
        freed = time.monotonic() - gone
    told = {name: count - images_of(before)[name] for name, count in images_of(now).items()}
    accepted = sum(told.values()) - told["refused"]
    worked = now["promptlet_batch_images_sum"] - before["promptlet_batch_images_sum"]
    assert told["cancelled"] >= 48 and told["failed"] == told["bad"] == 0
    assert accepted + told["refused"] == 24 * 5 and worked < 24 * 5
    lost = '{route="/v1/predict",status="499"}'
    assert now[f"promptlet_requests_total{lost}"] - before.get(f"promptlet_requests_total{lost}", 0) >= 5
    figure(f"120 images of clients that went away: {worked:.0f} were encoded; idle {freed:.2f} s later")
    began = time.monotonic()
    assert live.predict([material.jpeg(1)], ["pets"]).status == 200
    assert time.monotonic() - began < 2 * BUSY


def test_a_client_that_closes_its_sending_half_is_still_answered(live: Live) -> None:
    with live.connect() as sock:
        sock.sendall(predicting([material.jpeg(2)], ["pets"]))
        sock.shutdown(socket.SHUT_WR)
        answer = ended(sock, 10)
    assert answer[9:12] in (b"200", b"")  # uvicorn takes it for gone
    assert live.get("/healthz").status == 200


def test_the_log_tells_of_these_and_holds_none_of_what_was_sent(live: Live) -> None:
    lines = [json.loads(line) for line in live.log().splitlines()]
    assert any(
        line["event"] == "request" for line in lines
    )  # of whichever of the tests above this server saw
    assert not [line for line in lines if line["level"] in ("error", "critical")]
    assert all(line["event"] != "a request failed" for line in lines)


def test_nothing_is_left(live: Live) -> None:
    body, kind = multipart([material.jpeg(1)], prompts=["pets"])
    assert live.ask("POST", "/v1/predict", body, kind).status == 200
    assert Path(f"/proc/{live.process.pid}").exists()
