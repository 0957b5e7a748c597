"""Images by address: loaded by few threads, in turns, within the memory for bodies; cut when nobody waits."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections import Counter
from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from fakes import PNG, image, serve
from starlette.testclient import TestClient
from test_serve_predict_route import PREDICT, by_url
from test_serve_problems import check

from promptlet.errors import BusyError, ImageError
from promptlet.serve.http.bodies import Limits, Sent
from promptlet.serve.http.limits import HeldBytes
from promptlet.serve.http.urls import AT_ONCE, THREADS, THREADS_OF_TENANT, Urls
from promptlet.serve.meters import Meters
from promptlet.web.loading import Loader, Stop

LIMITS = Limits(allow_urls=True, max_urls=16)


class Loading(Loader):
    """What an address gives is in its words; what lasts, lasts until it is stopped or ``go_on`` is set."""

    def __init__(self) -> None:
        super().__init__()
        state: dict[str, Any] = {"lock": threading.Lock(), "active": Counter(), "most": Counter(), "begun": 0}
        self.__dict__ |= state | {"go_on": threading.Event()}

    def chunks(
        self, address: str, stop: Stop | None = None, seconds: float | None = None
    ) -> Generator[bytes, None, None]:
        own: Any = self.__dict__
        who = address.split("/")[2]
        with own["lock"]:
            own["begun"] += 1
            own["active"].update((who, "all"))
            own["most"] |= own["active"]
        try:
            yield PNG
            while "lasts" in address and not own["go_on"].wait(0.002):
                assert stop is not None
                stop.check()
            if "missing" in address:
                raise ImageError(f"{address}: the server answers 404 Not Found; check the address")
            if "odd" in address:
                raise RuntimeError("a secret of the inside")
            yield b"x" * 96 if "large" in address else b"\x01"
        finally:
            with own["lock"]:
                own["active"].subtract((who, "all"))


def sent(*urls: str) -> list[Sent]:
    return [Sent(url, url=url) for url in urls]


def ends(meters: Meters) -> dict[str, float]:
    """Images, by how they ended."""
    found = {
        sample.labels["result"]: sample.value
        for family in meters.registry.collect()
        for sample in family.samples
        if sample.name == "promptlet_images_total"
    }
    return {result: count for result, count in found.items() if count}


def play(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 30))


async def until(is_so: Any) -> None:
    while not is_so():
        await asyncio.sleep(0.001)


async def hold(urls: Urls, images: list[Sent], tenant: str = "acme") -> dict[int, str]:
    async with urls.loaded(images, tenant) as reasons:
        return reasons


def test_addresses_are_loaded_beside_other_images() -> None:
    limits, meters = Limits(allow_urls=True, max_urls=3), Meters()
    server = serve(limits, urls=Urls(limits, Loading(), meters=meters))
    given = by_url("https://a.example/x.png", "https://a.example/missing")
    given["images"].append({"name": "own", "data": base64.b64encode(image(2)).decode()})
    with TestClient(server.app) as client:
        first, second, third = client.post(PREDICT, json=given).json()["results"]
        many = client.post(PREDICT, json=by_url(*["https://a.example/x"] * 4))
    assert first["name"] == "https://a.example/x.png" and first["predictions"][0]["class_name"] == "dog"
    assert "404 Not Found" in second["error"]["detail"] and third["predictions"][0]["class_name"] == "cow"
    assert server.encoder.calls == [([PNG + b"\x01", image(2)], "local")]
    assert "3 are loaded in one request" in check(many, "body-too-large")["detail"]
    assert ends(meters) == {"unloaded": 1}  # the encoder counts those that it is given


def test_after_the_end_nothing_is_loaded() -> None:
    server = serve(LIMITS, urls=Urls(LIMITS, Loading()))
    with TestClient(server.app):
        pass
    assert TestClient(server.app).post(PREDICT, json=by_url("https://a.example/x")).status_code == 503


def test_what_nobody_expected_costs_its_image_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        urls, images = Urls(LIMITS, Loading()), sent("https://a/odd", "https://a/x", "https://a/x")
        reasons = await hold(urls, images)
        assert list(reasons) == [0] and "the server's log says why" in reasons[0]
        assert "secret" not in reasons[0] and "a secret of the inside" in caplog.text
        assert [one.data for one in images] == [b"", PNG + b"\x01", PNG + b"\x01"]
        urls.close()

    play(scene())


def test_who_goes_away_leaves_no_thread_and_no_bytes() -> None:
    loading, meters, held = Loading(), Meters(), HeldBytes(10_000)
    state: Any = loading.__dict__

    async def scene() -> None:
        urls = Urls(LIMITS, loading, held=held, meters=meters)
        for round_ in range(20):
            images = sent(*(f"https://acme/lasts/{round_}/{number}" for number in range(16)))
            task = asyncio.create_task(hold(urls, images))
            await until(lambda: held.held >= 4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert held.held == 0
        await until(lambda: state["active"]["all"] == 0)  # cut, though nothing came any more
        assert not urls._loading._jobs and urls._loading.room.held == 0
        urls.close()

    play(scene())
    assert state["most"]["all"] <= THREADS_OF_TENANT and state["begun"] <= 20 * AT_ONCE
    assert ends(meters) == {"cancelled": 320}


def test_a_tenant_with_slow_addresses_does_not_keep_others_waiting() -> None:
    loading, meters = Loading(), Meters()
    state: Any = loading.__dict__

    async def scene() -> None:
        urls = Urls(LIMITS, loading, meters=meters, tenant_share=0.5)
        slow = [
            asyncio.create_task(hold(urls, sent(*(f"https://acme/lasts/{k}/{n}" for n in range(16)))))
            for k in range(4)
        ]
        await until(lambda: state["active"]["acme"] == THREADS_OF_TENANT)
        with pytest.raises(BusyError, match=r"32 addresses wait, 32 of them yours") as error:
            await hold(urls, sent("https://acme/x"))
        assert error.value.retry_after >= 1
        assert await hold(urls, sent("https://globex/x", "https://globex/missing"), "globex") != {}
        assert state["most"]["all"] <= THREADS
        state["go_on"].set()
        assert await asyncio.gather(*slow) == [{}] * 4
        urls.close()

    play(scene())
    assert state["most"]["acme"] == THREADS_OF_TENANT
    assert ends(meters) == {"refused": 1, "unloaded": 1}


def test_what_is_loaded_counts_as_a_body_does() -> None:
    meters, held = Meters(), HeldBytes(250, tenant_share=0.5)

    async def scene() -> None:
        urls = Urls(LIMITS, Loading(), held=held, meters=meters)
        async with urls.loaded(sent("https://a/large"), "acme") as reasons:
            assert reasons == {} and held.held == 100
            with pytest.raises(BusyError, match="The bodies of your requests, and images loaded for them"):
                await hold(urls, sent("https://a/large"))
            assert held.held == 100
            assert await hold(urls, sent("https://b/large"), "globex") == {}
        assert held.held == 0
        assert await hold(urls, sent("https://a/missing", "https://a/x")) != {}
        assert held.held == 0
        urls.close()

    play(scene())
    assert ends(meters) == {"refused": 1, "unloaded": 1}
