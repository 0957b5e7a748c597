"""A server that is asked everything at once for a long time: its memory does not grow, and nothing adds up.

PROMPTLET_SOAK_SECONDS says how long, 300 unless given, up to 1800.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import live_material as material
import numpy as np
import pytest
from bank_prompts import drawn, fitted
from live_clients import Connection, LostError, run, together
from live_server import Live, predicting, request, serving

from promptlet.promptfile import dumps
from promptlet.serve.access.keeping import add_token

pytestmark = pytest.mark.slow
SECONDS = min(1800.0, float(os.environ.get("PROMPTLET_SOAK_SECONDS", "300")))
MIB = 2**20
ALLOWED = (200, 201, 204, 400, 401, 403, 404, 409, 413, 415, 422, 503)


class Traffic:
    """Questions of every kind, drawn."""

    def __init__(self, seed: int, tokens: dict[str, str], versions: list[bytes]) -> None:
        self.draw, self.seed, self.number = random.Random(seed), seed, 0
        self.tokens, self.versions = tokens, versions

    def fresh(self, count: int) -> list[bytes]:
        self.number += count
        first = (self.seed << 40) + self.number
        size = self.draw.choice([(96, 72), (320, 240), (500, 375)])
        return [material.unlike(material.jpeg(place % 4, *size), first + place) for place in range(count)]

    def next(self) -> bytes:
        kind = self.draw.choices(list(self.kinds), weights=[weight for weight, _ in self.kinds.values()])[0]
        made: bytes = self.kinds[kind][1](self)
        return made

    def _predict(self) -> bytes:
        return predicting(self.fresh(self.draw.choice([1, 1, 2, 8])), ["a", "b"], self.tokens["tenant"])

    def _hostile(self) -> bytes:
        some = self.draw.choices(list(material.hostile().values()), k=3)
        return predicting([*some, *self.fresh(1)], ["a"], self.tokens["tenant"])

    def _names(self) -> bytes:
        names = [f"thing {self.draw.randrange(10**6)}", "other"]
        return predicting(self.fresh(1), ["a"], self.tokens["tenant"], class_names=names)

    def _again(self) -> bytes:
        return predicting([material.jpeg(1)], ["a", "nowhere"], self.tokens["tenant"])

    def _features(self) -> bytes:
        return request("POST", "/v1/features", self.fresh(1)[0], "image/jpeg", self.tokens["tenant"])

    def _wrong(self) -> bytes:
        return self.draw.choice(
            [
                predicting(self.fresh(1), ["a"], "pl_abcd_" + "x" * 43),
                predicting(self.fresh(1), ["a"]),
                request(
                    "POST",
                    "/v1/predict",
                    b"\x00" * 5000,
                    "multipart/form-data; boundary=x",
                    self.tokens["tenant"],
                ),
                request("POST", "/v1/predict", b"[" * 5000, "application/json", self.tokens["tenant"]),
                request("GET", f"/nowhere/{self.draw.randrange(10**9)}", token=self.tokens["tenant"]),
                request("DELETE", "/v1/prompts/a", token=self.tokens["tenant"]),
                predicting(self.fresh(1), ["a"], self.tokens["tenant"], top="many"),
            ]
        )

    def _put(self) -> bytes:
        data = self.draw.choice([*self.versions, b"damaged"])
        name = self.draw.choice(["b", "c", f"new{self.draw.randrange(20)}"])
        return request("PUT", f"/v1/prompts/{name}", data, "application/octet-stream", self.tokens["admin"])

    def _delete(self) -> bytes:
        return request("DELETE", f"/v1/prompts/new{self.draw.randrange(20)}", token=self.tokens["admin"])

    def _look(self) -> bytes:
        path = self.draw.choice(
            ["/v1/prompts", "/v1/prompts/a", "/v1/prompts/a/vectors", "/metrics", "/readyz"]
        )
        return request("GET", path, token=self.tokens["tenant"])

    kinds: dict[str, tuple[float, Any]] = {  # noqa: RUF012
        "predict": (10, _predict),
        "hostile": (2, _hostile),
        "names": (1, _names),
        "again": (2, _again),
        "features": (2, _features),
        "wrong": (2, _wrong),
        "put": (0.5, _put),
        "delete": (0.3, _delete),
        "look": (2, _look),
    }


async def patient(live: Live, traffic: Traffic, end: float, statuses: Counter[int], odd: list[str]) -> None:
    async with Connection(live.port) as connection:
        while time.monotonic() < end:
            asked = traffic.next()
            reply = await connection.ask(asked)
            statuses[reply.status] += 1
            if reply.status not in ALLOWED:
                odd.append(f"{reply.status} {reply.body[:200]!r} to {asked[:80]!r}")


async def impatient(live: Live, traffic: Traffic, end: float) -> None:
    """Goes away in the middle of what it sends, or before it is answered."""
    while time.monotonic() < end:
        asked = traffic.next()
        _, writer = await asyncio.open_connection("127.0.0.1", live.port)
        with suppress(ConnectionError):
            writer.write(asked[: traffic.draw.choice([len(asked), len(asked) // 2, 20])])
            await writer.drain()
            await asyncio.sleep(traffic.draw.choice([0, 0.005, 0.05]))
        writer.transport.abort()
        await asyncio.sleep(0.05)


async def watch(live: Live, end: float, seen: list[tuple[float, float]]) -> None:
    while time.monotonic() < end:
        seen.append((time.monotonic(), live.resident() / MIB))
        await asyncio.sleep(0.25)


def test_memory_stays_where_it_is(mini: Any, tmp_path: Path, figure: Any) -> None:
    versions = [dumps(drawn(mini, seed)) for seed in range(4)]
    material.write(tmp_path / "prompts", a=fitted(mini, "rlp"), b=versions[0], c=fitted(mini, "tip_adapter"))
    file = tmp_path / "tokens.toml"
    tokens = {"tenant": add_token(file, "tenant")[0], "admin": add_token(file, "admin", admin=True)[0]}
    statuses: Counter[int] = Counter()
    odd: list[str] = []
    seen: list[tuple[float, float]] = []
    small = ["recent_bytes=262144", "class_bytes=65536", "max_body_bytes=8MB", "log_level=warning"]
    small += [f"token_file={file}", f"class_cache={tmp_path / 'classes'}"]

    async def play(live: Live) -> None:
        end = time.monotonic() + SECONDS
        clients = [patient(live, Traffic(seed, tokens, versions), end, statuses, odd) for seed in range(1, 5)]
        await together(*clients, impatient(live, Traffic(9, tokens, versions), end), watch(live, end, seen))

    with serving(tmp_path / "prompts", *small, token=tokens["admin"]) as live:
        with suppress(LostError):
            run(play(live), SECONDS + 60)
        now = live.idle()
        log = [json.loads(line) for line in live.log().splitlines()]
    assert odd == [] and statuses[200] > 5 * SECONDS
    moments, resident = np.array(seen).T
    half = moments > moments[0] + SECONDS / 2
    slope = 60 * np.polyfit(moments[half], resident[half], 1)[0]
    images = sum(value for name, value in now.items() if name.startswith("promptlet_images_total"))
    figure(
        f"{SECONDS:g} s, {sum(statuses.values())} answers {dict(sorted(statuses.items()))}, {images:.0f} "
        f"images; memory {resident[0]:.0f} MiB at first, {resident[half][0]:.0f} at half, {resident[-1]:.0f} "
        f"at the end; slope of the second half {slope:+.2f} MiB a minute"
    )
    assert slope < 10 + 600 / SECONDS
    assert resident[half].max() < resident[~half].max() + 48
    assert [one for one in log if one["level"] in ("error", "critical")] == []
    assert now["process_open_fds"] < 60
    assert now["promptlet_recent_bytes"] <= 262144 and now["promptlet_class_features_bytes"] <= 65536
