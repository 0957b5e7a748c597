"""How images and requests end, through the whole application: each once, and what has not ended is asked for
and no more."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fakes import Server, serve
from test_serve_encoder import Gate, counted, gate, picture, play, until, value

from promptlet.serve.encoder import LocalEncoder
from promptlet.serve.http.bodies import Limits
from promptlet.serve.meters import IMAGE_RESULTS, Meters

__all__ = ["gate"]
BAD = b"no image"
MARKED = 1000
"""The picture that the tower fails on."""


class World:
    """An application whose encoder is a real one; each image that it is asked for is known until it ended."""

    def __init__(self, backbone: Any, gate: Gate, seconds: float, **settings: Any) -> None:
        self.gate, self.meters, self.stuck = gate, Meters(), []
        self.marked = play(self._features(backbone, picture(MARKED)))
        gate.instead = self.work
        given: dict[str, Any] = {"meters": self.meters, "on_stuck": self.stuck.append, "recent_bytes": 0}
        self.encoder = LocalEncoder(backbone, **(given | settings))
        self.in_flight = self.requests = 0
        limits = Limits(request_seconds=seconds, allow_urls=True)
        self.server: Server = serve(limits, encoder=self, meters=self.meters)
        self.is_broken = False

    async def _features(self, backbone: Any, image: bytes) -> Any:
        encoder = LocalEncoder(backbone, on_stuck=self.stuck.append)
        [found] = await encoder.encode([image])
        await encoder.close(1)
        return found

    def work(self, pixels: Any) -> Any:
        features = self.gate.own(pixels)
        if self.is_broken or bool(((features.numpy() - self.marked) ** 2).sum(1).min() < 1e-6):
            raise RuntimeError("of the tower")
        return features

    async def encode(self, images: Sequence[bytes], tenant: str, deadline: float) -> Any:
        """As `Encoder.encode`."""
        self.in_flight += len(images)
        try:
            return await self.encoder.encode(images, tenant, deadline)
        finally:
            self.in_flight -= len(images)

    def check(self) -> None:
        """What holds at any moment."""
        asked, ended = value(self.meters, "promptlet_images_asked_total"), sum(counted(self.meters).values())
        assert asked == ended + self.in_flight

    def statuses(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for family in self.meters.requests.collect():
            for one in family.samples:
                if one.name.endswith("_total"):
                    found[one.labels["status"]] += int(one.value)
        return found

    async def ask(self, *images: bytes, prompt: str = "pets", goes: asyncio.Event | None = None) -> int:
        """The status; 499 where nothing was answered. goes: when the client goes away."""
        entries: list[Any] = [{"data": base64.b64encode(one).decode()} for one in images if one != b"url"]
        entries += [{"url": "http://127.0.0.1:1/a.png"} for one in images if one == b"url"]
        body = json.dumps({"images": entries, "prompts": [prompt]}).encode()
        pending, status = [{"type": "http.request", "body": body, "more_body": False}], [499]
        self.requests += 1

        async def receive() -> Any:
            if pending:
                return pending.pop()
            await (goes or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            status[0] = message.get("status", status[0])

        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/predict", "query_string": b""}
        scope["headers"] = [(b"content-type", b"application/json")]
        await self.server.app(scope, receive, send)
        self.check()
        return status[0]


@pytest.fixture
def made(tiny_backbone: Any, gate: Gate) -> Iterator[Any]:
    worlds: list[World] = []

    def make(seconds: float, **settings: Any) -> World:
        worlds.append(World(tiny_backbone, gate, seconds, **settings))
        return worlds[-1]

    yield make
    gate.is_open.set()
    for world in worlds:
        asyncio.run(world.encoder.close(0))


@pytest.mark.slow
def test_each_way_to_end_is_counted_once(made: Any, gate: Gate) -> None:
    world: World = made(1.0, queue_images=4, tenant_share=1.0)
    first, second = picture(1), picture(2)

    async def held(*requests: Any) -> list[asyncio.Task[int]]:
        """They are in the encoder, which does not go on."""
        gate.is_open.clear()
        gate.is_inside.clear()
        tasks = [asyncio.create_task(one) for one in requests]
        await until(gate.is_inside.is_set)
        world.check()
        return tasks

    async def scene() -> None:
        assert await world.ask(first, BAD, b"url") == 200
        assert await world.ask(picture(MARKED), second) == 200
        assert counted(world.meters) == {"encoded": 2, "bad": 1, "unloaded": 1, "failed": 1}

        joined = await held(world.ask(first), world.ask(first))  # of one encoding
        await until(lambda: world.in_flight == 2)
        gate.is_open.set()
        assert await asyncio.gather(*joined) == [200, 200]
        ends = {"encoded": 3, "bad": 1, "unloaded": 1, "failed": 1, "recent": 1}
        assert counted(world.meters) == ends

        gone = asyncio.Event()
        [late, cancelled] = await held(world.ask(first, second), world.ask(picture(3), goes=gone))
        await until(lambda: value(world.meters, "promptlet_queue_images") == 3)
        assert world.in_flight == 3
        assert await world.ask(picture(4), picture(5)) == 503  # there is no room
        assert await world.ask(*map(picture, range(10, 15))) == 413  # there never will be
        gone.set()
        assert await cancelled == 499
        assert await late == 503
        ends |= {"refused": 7, "cancelled": 1, "late": 2}
        assert counted(world.meters) == ends
        gate.is_open.set()
        await until(lambda: value(world.meters, "promptlet_queue_images") == 0)

        assert await world.ask(first, prompt="broken") == 409
        assert await world.ask(first, prompt="none") == 404  # nothing was asked of the encoder
        assert counted(world.meters) == ends | {"encoded": 4}
        world.is_broken = True
        assert await world.ask(first, second) == 503
        assert await world.ask(first) == 503  # it does not answer any more
        assert counted(world.meters) == ends | {"encoded": 4, "failed": 4}

    play(scene())
    play(until(lambda: bool(world.stuck)))
    assert world.in_flight == 0
    assert set(counted(world.meters)) == set(IMAGE_RESULTS)
    expected = {"200": 4, "503": 4, "413": 1, "499": 1, "409": 1, "404": 1}
    assert world.statuses() == expected and sum(expected.values()) == world.requests


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.slow
def test_after_any_mix_what_was_asked_for_has_ended(seed: int, made: Any, gate: Gate) -> None:
    """64 clients, more than there is room for; some go away, and the encoder is stuck now and then."""
    world: World = made(0.3, queue_images=20, tenant_share=1.0, most=4, wait_seconds=0.1, recent_bytes=4000)
    images = [picture(k, (20 + k, 33)) for k in range(12)] + [BAD, b"url", picture(MARKED)]
    statuses: Counter[str] = Counter()

    async def client(own: random.Random) -> None:
        for _ in range(3):
            gone = asyncio.Event()
            if own.random() < 0.3:
                asyncio.get_running_loop().call_later(own.random() / 20, gone.set)
            some = own.choices(images, k=own.randint(1, 4))
            prompt = own.choice(["pets", "pets", "pets", "broken"])
            statuses[str(await world.ask(*some, prompt=prompt, goes=gone))] += 1

    async def watched() -> None:
        while True:
            world.check()
            await asyncio.sleep(0)

    async def gated() -> None:
        while True:
            gate.is_open.clear()
            await asyncio.sleep(0.4)
            gate.is_open.set()
            await asyncio.sleep(0.05)

    async def scene() -> None:
        around = [asyncio.create_task(one) for one in (watched(), gated())]
        await asyncio.gather(*(client(random.Random(64 * seed + k)) for k in range(64)))
        gate.is_open.set()
        for one in around:
            one.cancel()
        for done in await asyncio.gather(*around, return_exceptions=True):
            assert isinstance(done, asyncio.CancelledError)
        await until(lambda: value(world.meters, "promptlet_queue_images") == 0)

    play(scene())
    assert world.in_flight == 0 and world.statuses() == statuses
    assert sum(statuses.values()) == world.requests == 64 * 3
    ends = counted(world.meters)
    assert sum(ends.values()) == value(world.meters, "promptlet_images_asked_total") > 0
    assert len(ends) > 2  # a mix, whichever this machine is quick enough for
