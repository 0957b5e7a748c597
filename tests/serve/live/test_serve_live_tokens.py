"""Every route by everybody, on a live server: what each may, and that nobody learns what others have."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import live_material as material
import pytest
from bank_prompts import drawn, fitted
from live_clients import Told, after, asking, run, together
from live_server import Live, Reply, multipart, predicting, serving
from tools.watching import wait_until

from promptlet.promptfile import dumps
from promptlet.serve.access.keeping import add_token

pytestmark = pytest.mark.slow
WHO = ("nobody", "wrong", "other", "tenant", "admin")


@dataclass
class World:
    live: Live
    tokens: dict[str, str]
    prompts: dict[str, bytes]
    file: Path

    def ask(
        self, who: str, method: str, path: str, body: bytes | None = None, kind: str = "", **head: str
    ) -> Reply:
        return self.live.ask(method, path, body, kind, self.tokens[who], **head)


@pytest.fixture(scope="module")
def world(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("tokens")
    prompts = material.write(
        place / "prompts",
        pets=fitted(mini, "rlp"),
        cars=drawn(mini, 5),
        spare=drawn(mini, 6),
        broken=b"no prompt at all",
    )
    file = place / "tokens.toml"
    tokens = {
        "tenant": add_token(file, "tenant", ("pets", "pet-*"))[0],
        "other": add_token(file, "other", ("cars",))[0],
        "flood": add_token(file, "flood", ("cars",))[0],
        "leaver": add_token(file, "leaver", ("cars",))[0],
        "admin": add_token(file, "admin", admin=True)[0],
        "nobody": "",
    }
    tokens["wrong"] = tokens["tenant"][:-1] + ("a" if tokens["tenant"][-1] != "a" else "b")
    with serving(place / "prompts", f"token_file={file}", token=tokens["admin"]) as live:
        yield World(live, tokens, prompts, file)


BODY, KIND = multipart([material.jpeg(1)], prompts=["pets"])
PREDICT = {"body": BODY, "kind": KIND}
FEATURES = {"body": material.jpeg(1), "kind": "image/jpeg"}
ROUTES: dict[tuple[str, str], tuple[dict[str, Any], tuple[int, int, int, int, int]]] = {
    ("POST", "/v1/predict"): (PREDICT, (401, 401, 404, 200, 200)),
    ("POST", "/v1/features"): (FEATURES, (401, 401, 200, 200, 200)),
    ("GET", "/v1/prompts"): ({}, (401, 401, 200, 200, 200)),
    ("GET", "/v1/prompts/{name}"): ({}, (401, 401, 404, 200, 200)),
    ("GET", "/v1/prompts/{name}/vectors"): ({}, (401, 401, 404, 200, 200)),
    ("PUT", "/v1/prompts/{name}"): ({"body": b""}, (401, 401, 403, 403, 200)),
    ("DELETE", "/v1/prompts/{name}"): ({}, (401, 401, 403, 403, 204)),
    ("GET", "/metrics"): ({}, (401, 401, 200, 200, 200)),
    ("GET", "/healthz"): ({}, (200,) * 5),
    ("GET", "/readyz"): ({}, (200,) * 5),
    ("GET", "/openapi.json"): ({}, (200,) * 5),
    ("GET", "/problems/{slug}"): ({}, (200,) * 5),
}
"""What each of `WHO` is answered; names: pets, which the tenant alone has."""


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_each_route_by_everybody(world: World, route: tuple[str, str]) -> None:
    (method, path), (asked, expected) = route, ROUTES[route]
    if method == "PUT":
        asked = {"body": world.prompts["pets"]}
    path = path.format(name="pets", slug="busy")
    for who, status in zip(WHO, expected, strict=True):
        reply = world.ask(who, method, path, **asked)
        assert (who, reply.status) == (who, status)
        if status == 401:
            assert reply.headers["www-authenticate"] == "Bearer" and b"pets" not in reply.body
    if method == "DELETE":
        assert world.ask("admin", "PUT", path, world.prompts["pets"]).status == 201


def test_there_are_no_other_routes(world: World) -> None:
    paths = world.live.get("/openapi.json").json["paths"]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert told == set(ROUTES) - {("GET", "/openapi.json")}
    for method in ("HEAD", "OPTIONS", "PATCH", "TRACE"):
        assert world.ask("nobody", method, "/v1/prompts/pets").status in (401, 404, 405)
        assert world.ask("nobody", method, "/v1/prompts/none").status in (401, 404, 405)


def bare(reply: Reply, name: str) -> tuple[int, Any, str]:
    """What a reply tells, without its request's id and the name that was asked for."""
    headers = {key: value for key, value in reply.headers.items() if key not in ("x-request-id", "date")}
    headers.pop("content-length", None)  # of the name
    body = re.sub(rb'"request_id":"[^"]*"', b"", reply.body).decode().replace(name, "NAME")
    return reply.status, headers, body


@pytest.mark.parametrize("name", ["pets", "broken"])
@pytest.mark.parametrize("who", ["other", "wrong", "nobody"])
def test_what_is_there_for_others_is_not_there(world: World, who: str, name: str) -> None:
    """pets is served, broken is not, and absent is nowhere: all the same to who may ask none of them."""
    digest = material_digest(world)
    for method, path, more in (
        ("GET", "/v1/prompts/{}", {}),
        ("GET", "/v1/prompts/{}", {"If_None_Match": digest}),
        ("GET", "/v1/prompts/{}", {"If_None_Match": "*"}),
        ("GET", "/v1/prompts/{}/vectors", {}),
        ("GET", "/v1/prompts/{}/vectors", {"Accept": "application/x-npy"}),
        ("PUT", "/v1/prompts/{}", {"body": b"x"}),
        ("PUT", "/v1/prompts/{}", {"body": b"x", "If_None_Match": "*"}),
        ("DELETE", "/v1/prompts/{}", {}),
        ("DELETE", "/v1/prompts/{}", {"If_Match": digest}),
        ("POST", "/v1/predict?prompts={}", FEATURES),
        ("POST", "/v1/predict?prompts={}&reject=true&top=9&class_names=x", FEATURES),
        ("POST", "/v1/predict?prompts=cars&prompts={}", FEATURES),
        ("POST", "/v1/predict?prompts={}&top=none", FEATURES),
    ):
        there = world.ask(who, method, path.format(name), **more)  # type: ignore[arg-type]
        absent = world.ask(who, method, path.format("absent"), **more)  # type: ignore[arg-type]
        assert bare(there, name) == bare(absent, "absent")
    listed = world.ask("other", "GET", "/v1/prompts").json
    assert listed["count"] == 1 and [one["name"] for one in listed["prompts"]] == ["cars"]


def material_digest(world: World) -> str:
    tag = world.ask("admin", "GET", "/v1/prompts/pets").headers["etag"]
    assert world.ask("admin", "GET", "/v1/prompts/pets", If_None_Match=tag).status == 304
    return tag


def test_what_was_answered_to_one_is_never_given_to_another(world: World) -> None:
    """The image and the class features are in memory, and the other still gets nothing of them."""
    image = material.unlike(material.jpeg(7), 7)
    for _ in range(2):
        assert world.live.predict([image], ["pets"], world.tokens["tenant"]).status == 200
    results = lambda: {  # noqa: E731
        kind: world.live.metrics()[f'promptlet_images_total{{result="{kind}"}}']
        for kind in ("encoded", "recent")
    }
    before = results()
    reply = world.live.predict([image], ["pets"], world.tokens["other"])
    assert reply.status == 404 and b"probability" not in reply.body and results() == before
    reply = world.live.predict([image], ["cars"], world.tokens["other"])
    assert reply.status == 200 and results() == {"encoded": before["encoded"] + 1, "recent": before["recent"]}
    assert b"pets" not in reply.body


def test_how_long_it_takes_tells_nothing(world: World, figure: Any) -> None:
    """Roughly: neither of a prompt of others, nor of a token whose beginning is right."""
    took: dict[str, list[float]] = {}
    for _ in range(150):
        for kind, who, name in (
            ("forbidden", "other", "pets"),
            ("absent", "other", "nope"),
            ("wrong", "wrong", "pets"),
            ("nobody", "nobody", "pets"),
        ):
            began = time.perf_counter()
            world.ask(who, "POST", f"/v1/predict?prompts={name}", **FEATURES)
            took.setdefault(kind, []).append(time.perf_counter() - began)
    told = {kind: 1000 * median(seconds) for kind, seconds in took.items()}
    figure(", ".join(f"{kind} {ms:.2f} ms" for kind, ms in told.items()))
    assert abs(told["forbidden"] - told["absent"]) < 0.2 * told["absent"] + 0.2


def test_a_token_that_is_taken_away_is_of_no_use_soon(world: World) -> None:
    ask = lambda: world.ask("leaver", "GET", "/v1/prompts/cars").status  # noqa: E731
    assert ask() == 200
    whole = world.file.read_text(encoding="ascii")
    entries = whole.split("[[token]]")
    left = world.file.with_name("left.toml")
    left.write_text(
        "[[token]]".join(one for one in entries if 'name = "leaver"' not in one), encoding="ascii"
    )
    left.chmod(0o600)
    left.replace(world.file)
    wait_until(lambda: ask() == 401, 5, "the token is still known")
    assert world.ask("tenant", "GET", "/v1/prompts/pets").status == 200
    world.file.write_text("[[token]]\nname = 3", encoding="ascii")  # damaged: all stays as it was
    time.sleep(1.5)
    assert world.ask("tenant", "GET", "/v1/prompts/pets").status == 200 and ask() == 401
    world.live.wait_for_log("the tokens stay as they were")
    world.file.write_text(whole, encoding="ascii")
    wait_until(lambda: ask() == 200, 5, "the token is not known again")


def test_one_who_floods_does_not_keep_others_waiting(world: World, figure: Any) -> None:
    """p99 of one who asks for an image after the other, alone and beside one who asks for all there is."""
    size = (640, 480)

    def one(number: int, token: str = "other") -> bytes:
        return predicting([material.unlike(material.jpeg(3, *size), number)], ["cars"], world.tokens[token])

    def many(client: int, number: int) -> bytes:
        first = (client + 2 << 32) + 32 * number
        images = [material.unlike(material.jpeg(place % 4, *size), first + place) for place in range(32)]
        return predicting(images, ["cars"], world.tokens["flood"])

    alone, beside, flood = Told(), Told(), Told()
    run(asking(world.live.port, one, 1, after(2), alone))
    before = world.live.idle()
    stop = after(6)
    floods = [asking(world.live.port, lambda n, c=c: many(c, n), 32, stop, flood, pace=0.1) for c in range(8)]
    light = asking(world.live.port, lambda n: one(1 << 30 | n), 1, stop, beside, pace=0.02)
    run(together(light, *floods))
    now = world.live.idle()
    batches = now["promptlet_encode_seconds_count"] - before["promptlet_encode_seconds_count"]
    batch = 32 * 6 / max(flood.images[200], 1)
    ms = {f"p{share}": [1000 * one.percentile(share) for one in (alone, beside, flood)] for share in (50, 99)}
    figure(
        f"alone, beside a flood, and the flood itself: p50 {ms['p50'][0]:.0f}, {ms['p50'][1]:.0f} and "
        f"{ms['p50'][2]:.0f} ms, p99 {ms['p99'][0]:.0f}, {ms['p99'][1]:.0f} and {ms['p99'][2]:.0f} ms "
        f"({ms['p99'][1] / ms['p99'][0]:.1f} x); {flood.images[200] / 6:.0f} images/s in {batches:.0f} "
        f"batches, {dict(flood.statuses)}; 32 images take {1000 * batch:.0f} ms"
    )
    assert set(beside.statuses) == {200} and flood.statuses[503] > 0 and flood.statuses[200] > 5
    assert beside.percentile(99) < 6 * batch + 0.3
    assert beside.percentile(50) < flood.percentile(50)


def test_one_who_asks_for_ever_new_names_does_not_keep_others_waiting(world: World, figure: Any) -> None:
    """The same of class features: who gives new class names each time, alone and beside one of thousands."""
    photo = material.jpeg(3)

    def asked(token: str, number: int, names: int) -> bytes:
        given = [f"the {number * 10_000 + place} kind" for place in range(names)]
        return predicting([photo], ["cars"], world.tokens[token], class_names=given)

    alone, beside, flood = Told(), Told(), Told()
    run(asking(world.live.port, lambda n: asked("other", n, 5), 1, after(3), alone))
    stop = after(8)
    floods = [
        asking(world.live.port, lambda n, c=c: asked("flood", 1000 * (c + 1) + n, 2000), 1, stop, flood, 0.1)
        for c in range(12)
    ]
    light = asking(world.live.port, lambda n: asked("other", 1 << 30 | n, 5), 1, stop, beside, 0.02)
    run(together(light, *floods))
    ms = [1000 * one.percentile(share) for share in (50, 99) for one in (alone, beside, flood)]
    figure(
        f"5 new names alone, beside 12 clients with 2,000 each, and these: p50 {ms[0]:.0f}, {ms[1]:.0f} and "
        f"{ms[2]:.0f} ms, p99 {ms[3]:.0f}, {ms[4]:.0f} and {ms[5]:.0f} ms; {dict(flood.statuses)}"
    )
    assert set(beside.statuses) == {200} and flood.statuses[200] > 0
    assert beside.percentile(50) < flood.percentile(50) / 4


def test_the_log_has_neither_tokens_nor_images_nor_names_of_files(world: World) -> None:
    world.ask("tenant", "POST", "/v1/predict", **PREDICT)
    log = world.live.log()
    lines = [json.loads(line) for line in log.splitlines()]
    assert "tenant" in {line.get("caller") for line in lines}
    for who, token in world.tokens.items():
        assert not token or token.rpartition("_")[2] not in log, who
    assert "JFIF" not in log and "filename" not in log
    errors = [line["event"] for line in lines if line["level"] in ("error", "critical")]
    assert all("the tokens stay as they were" in event for event in errors)


def test_a_server_for_others_needs_tokens(world: World, tmp_path: Path, mini: Any) -> None:
    shutil.copytree(world.file.parent / "prompts", tmp_path / "prompts")
    with pytest.raises(AssertionError, match="did not start"), serving(tmp_path / "prompts", "host=0.0.0.0"):
        pass
    assert dumps(drawn(mini, 5)) == world.prompts["cars"]
