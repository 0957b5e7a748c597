"""More than a server can do: who is refused is told so, others are answered, all is counted. And its end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import live_material as material
import pytest
from bank_prompts import fitted
from live_clients import Connection, LostError, Told, after, asking, run, together
from live_server import Live, predicting, serving
from tools.watching import wait_until

from promptlet.promptfile import dumps

pytestmark = pytest.mark.slow
SECONDS = float(os.environ.get("PROMPTLET_OVERLOAD_SECONDS", "30"))
IMAGES = 16
"""In a request."""
TIMES = 10
"""Images asked for, of those that can be encoded."""


@pytest.fixture(scope="module")
def prompt(mini: Any) -> bytes:
    return dumps(fitted(mini, "rlp"))


@pytest.fixture(scope="module")
def live(prompt: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("load") / "prompts"
    material.write(folder, pets=prompt)
    with serving(folder, "recent_bytes=0", "wait_seconds=2", "log_level=warning") as server:
        yield server


def several(client: int, number: int, size: tuple[int, int] = (640, 480)) -> bytes:
    """A request with images that nobody sent before."""
    first = (client << 32) + IMAGES * number
    files = [material.unlike(material.jpeg(place % 4, *size), first + place) for place in range(IMAGES)]
    return predicting(files, ["pets"])


def counts(metrics: dict[str, float], name: str) -> dict[str, float]:
    """Of a counter with labels, by the last one."""
    start = f"promptlet_{name}{{"
    return {key.split('"')[-2]: value for key, value in metrics.items() if key.startswith(start)}


def test_ten_times_what_it_can_do_is_answered_or_refused_and_counted(live: Live, figure: Any) -> None:
    calm = Told()
    run(
        together(
            *(asking(live.port, lambda n, c=c: several(c, n), IMAGES, after(2.5), calm) for c in range(3))
        )
    )
    assert set(calm.statuses) == {200}
    capacity = calm.images[200] / 2.5
    before = live.idle()

    told = Told()
    stop = after(SECONDS)
    clients = 40
    rest = clients * IMAGES / (TIMES * capacity)  # as many images a second as there shall be
    run(
        together(
            *(
                asking(live.port, lambda n, c=c: several(100 + c, n), IMAGES, stop, told, pace=rest)
                for c in range(clients)
            )
        ),
        SECONDS + 60,
    )
    ended = time.monotonic()
    well = Told()
    run(asking(live.port, lambda n: several(999, n), IMAGES, lambda: sum(well.statuses.values()) >= 1, well))
    recovered = time.monotonic() - ended
    now = live.idle(5)

    assert told.odd == [] and set(told.statuses) == {200, 503} and set(told.kinds) == {"/problems/busy"}
    asked, answered = sum(told.images.values()), told.images[200]
    figure(
        f"{capacity:.0f} images/s of 3 clients; {clients} clients asked for {asked / SECONDS:.0f} a second "
        f"({asked / SECONDS / capacity:.1f} x) for {SECONDS:g} s: {answered / SECONDS:.0f} answered, "
        f"p99 of an answer {told.percentile(99):.2f} s, of a refusal {told.percentile(99, 503):.2f} s; "
        f"answered as before after {recovered:.2f} s"
    )
    assert answered / SECONDS > 0.4 * capacity  # it goes on working
    assert set(well.statuses) == {200} and recovered < 5
    # what it counted is what clients saw
    results = {
        name: value - counts(before, "images_total")[name]
        for name, value in counts(now, "images_total").items()
    }
    asked += IMAGES
    answered += IMAGES
    assert results["encoded"] == answered and sum(results.values()) == asked
    assert results["refused"] == asked - answered
    assert results["bad"] == results["failed"] == results["cancelled"] == results["recent"] == 0
    route = '{route="/v1/predict",status="%d"}'
    for status, count in (told.statuses + well.statuses).items():
        key = "promptlet_requests_total" + route % status
        assert now[key] - before.get(key, 0) == count
    began = now["promptlet_wait_seconds_count"] - before["promptlet_wait_seconds_count"]
    assert (
        now["promptlet_batch_images_sum"] - before["promptlet_batch_images_sum"]
        == began
        >= results["encoded"]
    )
    assert now["promptlet_queue_images"] == 0 and now["promptlet_held_body_bytes"] == 0


def test_a_request_of_more_than_is_ever_accepted_says_so(
    prompt: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Counted in images, not in requests."""
    folder = tmp_path_factory.mktemp("small") / "prompts"
    material.write(folder, pets=prompt)
    files = [material.unlike(material.jpeg(1), place) for place in range(21)]
    with serving(folder, "queue_images=20", "batch=4") as small:
        assert small.predict(files[:20], ["pets"]).status == 200
        reply = small.predict(files, ["pets"])
        assert reply.status == 413 and "allowed: 20" in reply.json["detail"]
        small.idle()


# its end


async def until_it_ends(port: int, client: int, told: Told, lost: list[str], sent: list[int]) -> None:
    """Asks on one connection after the other, until nobody listens."""
    number = 0
    async with Connection(port) as connection:
        while True:
            asked = predicting(
                [material.unlike(material.jpeg(client % 4, 640, 480), (client << 32) + number)], ["pets"]
            )
            is_new = connection.writer is None
            began = time.monotonic()
            try:
                reply = await connection.ask(asked)
            except LostError as error:
                if not is_new:  # one that was made as it ended may never have been accepted
                    lost.append(f"client {client}, request {number}: {error}")
                return
            except ConnectionError:
                return
            sent[0] += 1
            told.note(reply, time.monotonic() - began, 1)
            number += 1


async def sends_the_rest_later(port: int, began: asyncio.Event, told: Told) -> None:
    """Was in the middle of a body when the signal came."""
    asked = predicting([material.jpeg(3)], ["pets"])
    async with Connection(port) as connection:
        connection.reader, connection.writer = await asyncio.open_connection("127.0.0.1", port)
        connection.writer.write(asked[:200])
        await connection.writer.drain()
        await began.wait()
        await asyncio.sleep(0.6)
        told.note(await connection.ask(asked[200:]), 0, 1)


def test_after_sigterm_under_load_all_that_was_accepted_is_answered(
    prompt: bytes, tmp_path_factory: pytest.TempPathFactory, figure: Any
) -> None:
    folder = tmp_path_factory.mktemp("term") / "prompts"
    material.write(folder, pets=prompt)
    told, late, lost, sent = Told(), Told(), [], [0]
    took = 0.0

    async def play(live: Live) -> None:
        began = asyncio.Event()

        async def end() -> None:
            nonlocal took
            await asyncio.sleep(1.5)
            live.signal(signal.SIGTERM)
            signalled = time.monotonic()
            began.set()
            await asyncio.to_thread(live.ended, 20)
            took = time.monotonic() - signalled

        clients = [until_it_ends(live.port, client, told, lost, sent) for client in range(16)]
        slow = [sends_the_rest_later(live.port, began, late) for _ in range(5)]
        await together(*clients, *slow, end())

    with serving(folder, "recent_bytes=0") as live:
        run(play(live))
        assert live.process.returncode == 0
        assert '"stopping: SIGTERM"' in live.log() and '"stopped"' in live.log()
        assert '"level":"error"' not in live.log().replace(" ", "")
    figure(f"{sum(told.statuses.values())} answers, {len(lost)} lost; it ended {took:.2f} s after SIGTERM")
    assert lost == [] and told.odd == [] and set(told.statuses) == {200} and told.statuses[200] > 50
    assert late.statuses == {200: 5}
    assert took < 10


def test_it_ends_in_time_though_clients_stall(
    prompt: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("term") / "prompts"
    material.write(folder, pets=prompt)
    asked = predicting([material.jpeg(1)], ["pets"])
    with serving(folder, "drain_seconds=2") as live:
        socks = [live.connect() for _ in range(6)]
        try:
            for sock, part in zip(socks, (b"", asked[:40], asked[:-30]) * 2, strict=True):
                sock.sendall(part)
            wait_until(lambda: live.metrics()["promptlet_held_body_bytes"] > 0, 5, "no body comes")
            live.signal(signal.SIGTERM)
            assert live.ended(12) == 0
            answers = []
            for sock in socks:
                with suppress(ConnectionError):
                    answers.append(sock.recv(10_000)[9:12])
            assert answers.count(b"503") == 2
        finally:
            for sock in socks:
                sock.close()
