"""How a server begins: what it refuses, in which order, what it says; and how it ends. Its heavy parts are
played here."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import re
import resource
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptlet.errors import BackboneError, OptionError, ServiceError
from promptlet.promptfile import PromptFile, dumps
from promptlet.serve import parts, server, signals, start
from promptlet.serve.access.keeping import add_token
from promptlet.serve.addresses import address_of, bound, url_of
from promptlet.serve.http.limits import HeldBytes, RequestId, layers
from promptlet.serve.logs import logging_to
from promptlet.serve.named import backbone_of, named_by
from promptlet.serve.settings import ServeSettings
from promptlet.serve.start import Started


@dataclass
class Encoder:
    fails: bool = False
    probes: int = 0
    closed: list[float] = field(default_factory=list)

    async def probe(self) -> float:
        self.probes += 1
        if self.fails:
            raise ServiceError("no image was encoded within 10 s")
        return 0.01

    async def close(self, drain_seconds: float) -> None:
        self.closed.append(drain_seconds)


def listed(name: str, reason: str = "") -> Any:
    return SimpleNamespace(name=name, reason=reason, state="broken" if reason else "ready")


class World:
    """Everything that a server needs of others."""

    def __init__(self) -> None:
        self.encoder = Encoder()
        self.prompts = [
            listed("pets"),
            listed("cars"),
            *(listed(f"old{k}", "made for another") for k in range(7)),
        ]
        self.said: list[Started] = []
        self.steps: list[str] = []
        self.reason: Callable[[], str] = lambda: ""
        self.after: Callable[[], Any] | None = None
        """Called once it listens, in a thread; then the server is ended."""
        self.running: server.Server | None = None
        self.failed: list[BaseException] = []

    def play(self, monkeypatch: pytest.MonkeyPatch) -> None:
        backbone = SimpleNamespace(
            name="/home/me/models/clip",
            fingerprint="a-b-c",
            feature_dim=4,
            device="cpu",
            arithmetic="float32",
        )
        bank = SimpleNamespace(listed=lambda: self.prompts, close=lambda: None)
        meters = SimpleNamespace(held_body_bytes=SimpleNamespace(set=lambda _: None))

        def make_parts(settings: ServeSettings, tokens: Any) -> parts.Parts:
            self.steps.append("parts")
            facts = parts.backbone_facts(backbone)  # type: ignore[arg-type]
            return parts.Parts(backbone, bank, self.encoder, meters, tokens, facts)  # type: ignore[arg-type]

        def make_app(settings: ServeSettings, made: Any, names: Any, reason: Any, added: Any = None) -> Any:
            self.reason = reason
            app: Any = self.app
            for layer in reversed(layers(settings, HeldBytes(settings.max_held_bytes), names)):
                app = layer.cls(app, *layer.args, **layer.kwargs)
            return RequestId(app)

        monkeypatch.setattr(parts, "make_parts", make_parts)
        monkeypatch.setattr(parts, "make_app", make_app)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            self.steps.append("life")
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            self.steps.append("end")
            await send({"type": "lifespan.shutdown.complete"})
            return
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
        logging.getLogger("promptlet.serve").info("asked of %s", scope["path"])
        if scope["path"] == "/slow":
            await asyncio.sleep(0.5)
        if scope["path"] == "/endless":
            await asyncio.sleep(60)
        reason = self.reason()
        status = 503 if scope["path"] == "/readyz" and reason else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": reason.encode() or b"ready"})

    def run(self, settings: ServeSettings) -> Started:
        """In this thread, as a command runs it; it is asked and ended from another."""

        def tell(started: Started) -> None:
            self.said.append(started)
            threading.Thread(target=self._ask, args=(started,), daemon=True).start()

        start.run(settings, tell)
        if self.failed:
            raise self.failed[0]
        return self.said[0]

    def _ask(self, started: Started) -> None:
        try:
            if self.after is not None:
                self.after()
        except BaseException as error:
            self.failed.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.play(monkeypatch)
    return made


@pytest.fixture(autouse=True)
def files_may_be_open() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def settings(**given: Any) -> ServeSettings:
    return ServeSettings(**{"port": 0, "log_level": "error", **given})


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.slow
def test_it_begins_says_how_to_ask_and_ends(world: World) -> None:
    before = signal.getsignal(signal.SIGTERM)
    answers: list[tuple[int, str]] = []
    world.after = lambda: answers.append(get(f"{world.said[0].url}/readyz"))
    told = world.run(settings())
    assert answers == [(200, "ready")]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told.url)
    assert told.example == f"curl -F images=@photo.jpg -F prompts=cars {told.url}/v1/predict"
    assert (told.ready, len(told.broken), told.broken[0]) == (2, 7, ("old0", "made for another"))
    assert told.backbone["name"] == "clip" and not told.needs_token
    assert json.loads(json.dumps(told.facts()))["metrics"] == f"{told.url}/metrics"
    assert (world.steps, world.encoder.probes, len(world.encoder.closed)) == (["parts", "life", "end"], 1, 1)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_with_tokens_the_line_has_one_and_any_name_is_answered_to(world: World, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    add_token(file, "acme")
    answers: list[tuple[int, str]] = []
    world.prompts = []
    world.after = lambda: answers.append(get(f"{world.said[0].url}/readyz", Host="example.org"))
    told = world.run(settings(host="0.0.0.0", token_file=file))
    assert answers == [(200, "ready")] and told.needs_token and told.ready == 0
    assert told.example == f'curl -H "Authorization: Bearer $TOKEN" {told.url}/v1/prompts'
    assert told.url.startswith("http://127.0.0.1:")


def test_without_tokens_only_names_of_this_machine_are_answered_to(world: World) -> None:
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        url = world.said[0].url
        answers.extend(get(f"{url}/readyz", Host=host) for host in ("evil.example", "localhost:1"))

    world.after = ask
    world.run(settings())
    assert [status for status, _ in answers] == [421, 200]


@pytest.mark.slow
def test_it_is_not_ready_from_the_signal_on_and_finishes_what_it_took(world: World) -> None:
    answers: dict[str, tuple[int, str]] = {}

    def ask() -> None:
        url = world.said[0].url
        slow = threading.Thread(target=lambda: answers.__setitem__("slow", get(f"{url}/slow")))
        slow.start()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        answers["ready"] = get(f"{url}/readyz")
        slow.join()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            for _ in range(200):
                get(f"{url}/readyz")
                time.sleep(0.01)
            pytest.fail("it goes on listening")

    world.after = ask
    began = time.monotonic()
    world.run(settings(leave_seconds=0.4))
    assert time.monotonic() - began < 5
    assert answers["ready"] == (503, "the server is being stopped")
    assert answers["slow"][0] == 200


def test_what_lasts_too_long_is_told_that_the_server_ends(world: World, capsys: Any) -> None:
    answers: list[tuple[int, str]] = []
    asked: list[threading.Thread] = []

    def ask() -> None:
        url = world.said[0].url
        asked.append(threading.Thread(target=lambda: answers.append(get(f"{url}/endless"))))
        asked[0].start()
        time.sleep(0.2)

    world.after = ask
    world.run(settings(drain_seconds=0))
    asked[0].join(5)
    [(status, body)] = answers
    assert status == 503 and json.loads(body)["type"] == "/problems/not-ready"
    assert "Traceback" not in capsys.readouterr().err


def test_a_second_ctrl_c_ends_at_once_and_a_second_sigterm_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(signals.os, "_exit", ended.append)
    config = start.config_of(settings(), lambda *_: None)  # type: ignore[arg-type, return-value]
    one = server.Server(config, address_of("127.0.0.1", 0), 0, lambda: None)
    before = {one: signal.signal(one, signal.default_int_handler) for one in (signal.SIGINT, signal.SIGHUP)}
    try:  # whoever runs the tests may have them ignored, as shells do of what goes on in the background
        with one.capture_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            assert one.should_exit and not ended
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            assert not ended
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended == [130]


def test_others_are_not_let_in_without_tokens(world: World) -> None:
    with pytest.raises(OptionError, match=r"--host 0\.0\.0\.0 can be reached by others.*serve-token"):
        world.run(settings(host="0.0.0.0"))
    assert world.steps == []


@pytest.mark.parametrize("host", ["::", "0.0.0.0"])
def test_all_addresses_are_others(host: str) -> None:
    assert not address_of(host, 0).is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert address_of(host, 0).is_loopback


def test_places_that_cannot_be_listened_at_are_told_before_anything_is_loaded(world: World) -> None:
    with pytest.raises(OptionError, match=r"--host 'no\.such\.name\.invalid' is not found"):
        world.run(settings(host="no.such.name.invalid"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} of 127.0.0.1 is taken .*--port 0"):
            world.run(settings(port=port))
    with pytest.raises(ServiceError, match="is no address of this machine"):
        bound(address_of("192.0.2.1", 0))
    assert world.steps == []


def test_a_port_that_is_taken_meanwhile_is_told(world: World) -> None:
    place = address_of("127.0.0.1", 0)
    with bound(place) as sock:
        again = address_of("127.0.0.1", sock.getsockname()[1])
        with bound(again) as second:
            sock.listen()
            config = start.config_of(settings(), world.app)
            with pytest.raises(ServiceError, match="is taken by another program"):
                asyncio.run(server.Server(config, again, 0, lambda: None).serve(sockets=[second]))
        assert url_of(sock).endswith(f":{again.sockaddr[1]}")


def test_an_encoder_that_does_not_answer_is_no_start(world: World) -> None:
    world.encoder.fails = True
    with pytest.raises(ServiceError, match="no image was encoded"):
        world.run(settings())
    assert world.said == [] and len(world.encoder.closed) == 1


def test_an_application_that_does_not_begin_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world, "app", broken)
    with pytest.raises(ServiceError, match="did not start; the log above says why"):
        world.run(settings())
    assert len(world.encoder.closed) == 1


def test_files_that_may_be_open_are_raised_or_told(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 600), hard))
    start.room_for(200)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 712
    if hard != resource.RLIM_INFINITY:
        start.room_for(hard)
        assert f"--set connections={hard - 512} fits" in caplog.text


def test_who_is_stuck_leaves(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []
    monkeypatch.setattr(parts.os, "_exit", ended.append)
    monkeypatch.setattr(parts, "LEAVE_SECONDS", 0.05)
    parts.leave("a batch lasts for 120 s")
    assert ended == []  # those who wait hear why
    for thread in threading.enumerate():
        if thread.name == "promptlet-leave":
            thread.join(5)
    assert ended == [1] and "to be started anew: a batch lasts for 120 s" in caplog.text


# the backbone that prompt files name


def prompt(backbone: str, fingerprint: str) -> bytes:
    tensors = {"U": np.ones((4, 1), np.float32), "V": np.ones((1, 8), np.float32)}
    return dumps(
        PromptFile(
            method="rlp",
            rank=1,
            n_ctx=4,
            dim=8,
            init="words:a photo of a",
            backbone=backbone,
            fingerprint=fingerprint,
            class_names=("cat", "dog"),
            training={},
            tensors=tensors,
        )
    )


A, B = "-".join(["a" * 12] * 3), "-".join(["b" * 12] * 3)


def test_the_backbone_is_the_one_that_files_name() -> None:
    files = [
        named_by("x", b"damaged"),
        named_by("a", prompt("mini", A)),
        named_by("b", prompt("/tmp/clip", A)),
        named_by("c", prompt("mini", A)),
    ]
    assert backbone_of(files, "here") == "mini"
    with pytest.raises(OptionError, match=r"no prompt file in here names a backbone.*--backbone NAME"):
        backbone_of([named_by("x", b"damaged")], "here")
    with pytest.raises(OptionError) as error:
        backbone_of([*files, named_by("d", prompt("openai/clip-vit-base-patch16", B))], "here")
    assert "are of 2 backbones: mini (3 prompts, such as a), openai/clip" in str(error.value).replace(
        "/tmp/", ""
    )
    with pytest.raises(BackboneError, match=r"name the backbone '/tmp/clip'.*name it yourself"):
        backbone_of([named_by("b", prompt("/tmp/clip", A))], "here")


# the log


def test_the_log_of_a_session_holds_no_token_and_no_image(world: World, tmp_path: Path, capsys: Any) -> None:
    token, _ = add_token(tmp_path / "tokens.toml", "acme")
    secret, image = token.rpartition("_")[2], b"IMAGEBYTES" * 20

    def ask() -> None:
        url = world.said[0].url
        head = {"Authorization": f"Bearer {token}", "X-Request-ID": "id-1"}
        asked = urllib.request.Request(f"{url}/v1/prompts/{token}", data=image, headers=head)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            assert answer.headers["X-Request-ID"] == "id-1"
        asked.add_header("X-Request-ID", token)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            answer.read()
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as sock:
            sock.sendall(b"\x00" + image + token.encode() + b"\r\n\r\n")
            sock.recv(1000)

    world.after = ask
    told = settings(token_file=tmp_path / "tokens.toml", log_level="debug", log_format="json")
    world.run(told)
    text = capsys.readouterr().err
    records = [json.loads(line) for line in text.splitlines()]
    asked = [one for one in records if one["event"].startswith("asked of")]
    assert asked[0]["event"] == "asked of /v1/prompts/pl_***" and asked[0]["request_id"] == "id-1"
    assert asked[1]["request_id"] == "pl_***"
    assert any("SIGTERM" in one["event"] for one in records)
    assert secret not in text and "IMAGEBYTES" not in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_are_one_each_whatever_stands_in_them(form: str) -> None:
    stream = io.StringIO()
    with logging_to(form, "info", stream):
        facts = {"a": "one\ntwo\x1b[2J", "b": b"bytes", "c": 3, "d": "y" * 5000}
        logging.getLogger("promptlet.serve").info("x", extra=facts)
        logging.getLogger("promptlet.serve.bank").info("of %s", "pl_abcd_secret")
        logging.getLogger("promptlet.serve").debug("not this")
        logging.getLogger("other").info("nor this")
        logging.getLogger("uvicorn.error").warning("nor this")
        logging.getLogger("other").warning("but this")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("of\nsomebody", stacklevel=1)
    lines = stream.getvalue().splitlines()
    assert (
        len(lines) == 4
        and "somebody" in lines[3]
        and "\x1b" not in lines[0]
        and "5 bytes" in lines[0]
        and len(lines[0]) < 2400
    )
    assert "of pl_***" in lines[1] and "but this" in lines[2]
    if form == "json":
        assert json.loads(lines[0])["c"] == 3 and json.loads(lines[0])["level"] == "info"


def test_an_error_is_logged_with_its_place_and_loggers_are_put_back() -> None:
    root = logging.getLogger()
    before = (root.level, root.handlers[:], logging.getLogger("promptlet.serve").propagate)
    for form in ("json", "console"):
        stream = io.StringIO()
        with logging_to(form, "info", stream):
            try:
                raise ValueError("pl_abcd_secret")
            except ValueError:
                logging.getLogger("promptlet.serve").exception("failed")
        assert "ValueError: pl_***" in stream.getvalue() and "test_serve_start.py" in stream.getvalue()
    assert before == (root.level, root.handlers[:], logging.getLogger("promptlet.serve").propagate)


def test_prompt_files_of_a_store_are_read_side_by_side() -> None:
    together = threading.Barrier(4)

    class Store:
        at_once = 4

        def look(self) -> dict[str, Any]:
            return {
                **{name: SimpleNamespace(problem="") for name in "abcdefgh"},
                "x": SimpleNamespace(problem="!"),
            }

        def read(self, name: str) -> bytes:
            together.wait(20)
            if name == "b":
                raise OSError
            return prompt("mini", A)

    store: Any = Store()
    assert parts.backbone_name(ServeSettings(), store) == "mini"


def test_facts_of_the_backbone_are_computed_once(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    own = parts.backbone_facts
    monkeypatch.setattr(parts, "backbone_facts", lambda backbone: calls.append(1) or own(backbone))
    settings = ServeSettings(
        prompts=str(tmp_path), backbone=tiny_backbone.name, device="cpu", class_cache="off"
    )
    made = parts.make_parts(settings, None)
    parts.make_app(settings, made, None, lambda: "")
    with contextlib.closing(bound(address_of("127.0.0.1", 0))) as sock:
        assert start.told(settings, made, sock, 0.1).backbone["fingerprint"] == tiny_backbone.fingerprint
    asyncio.run(made.encoder.close(0))
    made.bank.close()
    assert calls == [1]
