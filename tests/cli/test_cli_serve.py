"""`promptlet serve` and `serve-token`: options, what is said, how they fail; a real process that is ended."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from told import rest_of

from promptlet.cli.serve import command, words
from promptlet.serve import start
from promptlet.serve.access.tokens import Tokens
from promptlet.serve.settings import ServeSettings
from promptlet.serve.start import Started

URL = "http://127.0.0.1:8080"
BACKBONE = {"name": "mini", "fingerprint": "a-b-c", "feature_dim": 4, "device": "cpu", "dtype": "float32"}


def started(ready: int = 2, broken: int = 7, needs_token: bool = False) -> Started:
    reasons = tuple((f"old{k}", "made for another backbone") for k in range(broken))
    example = start.how_to_ask(URL, "cars" if ready else "", needs_token)
    return Started(URL, "prompts", ready, reasons, BACKBONE, needs_token, example, 0.01, "local")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[ServeSettings]:
    """The settings that a command line leads to, instead of a server."""
    seen: list[ServeSettings] = []

    def run(settings: ServeSettings, tell: Any) -> None:
        seen.append(settings)
        tell(started())

    monkeypatch.setattr(start, "run", run)
    return seen


def test_options_reach_the_settings(shell: Any, given: list[ServeSettings], tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nlog_format = "json"\n', encoding="utf-8")
    shell.run(
        *(
            "serve",
            "--prompts",
            tmp_path,
            "--backbone",
            "mini",
            "--port",
            0,
            "--config",
            file,
            "--dtype",
            "mixed",
        ),
        *("--set", "max_images=16", "--set", "max-body-bytes = 32MB"),
    )
    [one] = given
    assert (one.prompts, one.backbone, one.dtype, one.port) == (str(tmp_path), "mini", "mixed", 0)
    assert (one.max_images, one.max_body_bytes, one.log_format) == (16, 32 * 2**20, "json")


def test_what_is_said(shell: Any, given: list[ServeSettings]) -> None:
    said = shell.run("serve").stdout.splitlines()
    assert said[:3] == [
        "serving 2 prompts of prompts",
        "backbone mini (a-b-c), cpu, float32",
        "not served: 7",
    ]
    assert said[3:9] == [
        *(f"  old{k}: made for another backbone" for k in range(5)),
        f"  ... and 2 more: {URL}/v1/prompts",
    ]
    assert said[9] == f"at {URL}, for this machine alone"
    assert said[10] == f"ask: curl -F images=@photo.jpg -F prompts=cars {URL}/v1/predict"
    assert said[11].startswith(f"metrics: {URL}/metrics")
    none = words.lines(started(0, 0, needs_token=True))
    assert none[0] == "serving no prompt yet (a file that comes is noticed) of prompts"
    assert none[3] == f'ask: curl -H "Authorization: Bearer $TOKEN" {URL}/v1/prompts'
    assert words.lines(started(1, 0))[0] == "serving 1 prompt of prompts"


def test_one_line_for_machines(shell: Any, given: list[ServeSettings]) -> None:
    text = shell.run("serve", "--json").stdout
    assert text.count("\n") == 1
    told = json.loads(text)
    assert told["schema"] == 1 and told["url"] == URL and told["ready"] == 2 and told["backbone"] == BACKBONE
    assert told["broken"][0] == {"name": "old0", "reason": "made for another backbone"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "http"), "--port='http' is not allowed"),
        (("--set", "max_image=3"), "--set max_image is no setting. Did you mean 'max_images'?"),
        (("--set", "max_images"), "write NAME=VALUE"),
        (("--set", "port=1", "--port", "2"), "--set port: it was given already"),
    ],
)
def test_wrong_settings(shell: Any, words: tuple[str, ...], said: str) -> None:
    assert said in shell.refuses("serve", *words)


def test_a_server_for_others_needs_tokens(shell: Any, tmp_path: Path) -> None:
    said = shell.refuses("serve", "--host", "0.0.0.0", "--prompts", tmp_path)
    assert "promptlet serve-token tokens.toml --name ME" in said and said.count("\n") == 1
    assert "none.toml cannot be read" in shell.fails("serve", "--token-file", tmp_path / "none.toml")
    assert "none.toml cannot be read" in shell.fails("serve", "--config", tmp_path / "none.toml")
    (tmp_path / "tokens.toml").touch()
    (tmp_path / "tokens.toml").chmod(0o666)
    assert "chmod 600" in shell.refuses("serve", "--token-file", tmp_path / "tokens.toml")


def test_a_port_that_is_taken(shell: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = shell.fails("serve", "--port", other.getsockname()[1])
    assert "is taken by another program" in said and "--port 0" in said


def test_the_engine_ray(
    shell: Any, given: list[ServeSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = pytest.importorskip("promptlet.serve.ray.service")
    seen: list[ServeSettings] = []
    monkeypatch.setattr(service, "run_on_ray", lambda settings, tell: seen.append(settings))
    shell.run("serve", "--engine", "ray", "--ray-address", "auto", "--set", "fronts=2")
    assert given == [] and (seen[0].ray_address, seen[0].fronts) == ("auto", 2)


def test_a_cluster_that_is_not_there(shell: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray.serve")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = ("serve", "--prompts", tmp_path, "--backbone", "mini", "--engine", "ray")
    said = shell.fails(*words, "--ray-address", address)
    assert f"address='{address}': no Ray cluster answers there" in said and "leave --ray-address out" in said
    assert "--ray-address auto goes with --engine ray alone" in shell.refuses(
        "serve", "--ray-address", "auto"
    )
    assert "--engine='rya' is not allowed" in shell.refuses("serve", "--engine", "rya")
    assert "no prompt file in" in shell.refuses(*words[:3], *words[5:])


def test_without_the_extra_it_says_what_to_install(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"fastapi", "uvicorn"}
    found = importlib.util.find_spec
    monkeypatch.setattr(command, "find_spec", lambda name: None if name in missing else found(name))
    said = shell.fails("serve")
    assert "(fastapi, uvicorn): pip install 'promptlet[serve]'" in said


def test_what_is_needed_is_what_the_extra_installs() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extra = text.partition("\nserve = [")[2].partition("\n]")[0]
    installed = set(re.findall(r'"([a-z-]+)>=', extra)) - {"tomli", "httpx"}
    assert set(command.NEEDED.values()) == installed
    assert all(importlib.util.find_spec(name) for name in command.NEEDED)


def test_a_token_is_shown_once_and_kept_as_a_hash(shell: Any, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    ran = shell.run("serve-token", file, "--name", "acme", "--prompts", "acme-*", "--prompts", "pets")
    token = ran.stdout.strip()
    assert "acme may ask acme-*, pets; the hash is in" in ran.stderr and token not in ran.stderr
    told = shell.json("serve-token", file, "--name", "operations", "--admin")
    assert told["admin"] is True and told["file"] == str(file)
    known = Tokens.read(file)
    assert known.caller(f"Bearer {token}").patterns == ("acme-*", "pets")
    assert known.caller(f"Bearer {told['token']}").is_admin
    assert token not in file.read_text(encoding="utf-8")


def test_tokens_that_cannot_be_made(shell: Any, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    assert "give one of the two" in shell.refuses(
        "serve-token", file, "--name", "a", "--admin", "--prompts", "b"
    )
    assert "is no name or pattern" in shell.refuses("serve-token", file, "--name", "a", "--prompts", "../b")
    assert "name='' is not allowed" in shell.refuses("serve-token", file, "--name", "")
    file.write_text("what = 1\n", encoding="utf-8")
    assert "'what' is not known" in shell.refuses("serve-token", file, "--name", "a")


# a real process, whose heavy parts are played

PROGRAM = """
import asyncio
from types import SimpleNamespace as Some
from promptlet.serve import parts
from promptlet.serve.http.limits import HeldBytes, RequestId, layers

class Encoder:
    async def probe(self):
        return 0.01
    async def close(self, seconds):
        print("encoder closed", flush=True)

def make_parts(settings, tokens):
    backbone = Some(name="mini", fingerprint="a-b-c", feature_dim=4, device="cpu", arithmetic="float32")
    meters = Some(held_body_bytes=Some(set=lambda _: None))
    bank = Some(listed=lambda: [Some(name="pets", state="ready", reason="")], close=lambda: None)
    return parts.Parts(backbone, bank, Encoder(), meters, tokens, parts.backbone_facts(backbone))

def make_app(settings, made, names, reason, added=None):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep({"/slow": 1, "/slower": 20}.get(scope["path"], 0))
        status = 503 if scope["path"] == "/readyz" and reason() else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
    for layer in reversed(layers(settings, HeldBytes(settings.max_held_bytes), names)):
        app = layer.cls(app, *layer.args, **layer.kwargs)
    return RequestId(app)

parts.make_parts, parts.make_app = make_parts, make_app
from promptlet.cli import main
main()
"""


class Process:
    """A server in a process of its own, on a free port."""

    def __init__(self, folder: Path, *words: object) -> None:
        line = [sys.executable, "-c", PROGRAM, "serve", "--port", "0", "--json", *map(str, words)]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=log, preexec_fn=at_a_terminal, text=True
            )
        assert self.process.stdout is not None
        line_said = self.process.stdout.readline()
        assert line_said, self.log.read_text()
        self.url = json.loads(line_said)["url"]

    def get(self, path: str) -> int:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return int(answer.status)

    def connect(self) -> closing[socket.socket]:
        return closing(socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=10))

    def ended(self, seconds: float) -> tuple[int, str, str]:
        said = rest_of(self.process, seconds)
        return self.process.returncode, said, self.log.read_text()


def at_a_terminal() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def process(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Process]:
    made = Process(tmp_path, *getattr(request, "param", ()))
    yield made
    assert made.process.stdout is not None
    if not made.process.stdout.closed:  # the test failed on its way
        made.process.kill()
        rest_of(made.process, 10)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_under_load_loses_no_request(number: signal.Signals, process: Process) -> None:
    """Clients that keep their connections: each request that was sent is answered, until one is closed."""
    lost: list[str] = []
    answered = [0] * 8

    def client(k: int) -> None:
        ask = b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with process.connect() as sock:
            while True:
                try:
                    sock.sendall(ask)
                    data = b""
                    while not data.endswith(b"ok"):
                        part = sock.recv(4096)
                        if not part:
                            lost.append(f"{k}: closed after {data!r}")
                            return
                        data += part
                except OSError as error:
                    lost.append(f"{k}: {error}")
                    return
                answered[k] += 1
                if b"connection: close" in data.lower():
                    return

    slow: list[int] = []
    threads = [threading.Thread(target=client, args=(k,)) for k in range(8)]
    threads.append(threading.Thread(target=lambda: slow.append(process.get("/slow"))))
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    process.process.send_signal(number)
    code, said, log = process.ended(15)
    for thread in threads:
        thread.join(10)
    assert (code, slow, lost) == (0, [200], [])
    assert min(answered) > 10 and "encoder closed" in said
    assert "Traceback" not in log and f"stopping: {number.name}" in log


@pytest.mark.slow
def test_a_second_ctrl_c_ends_it_at_once(process: Process) -> None:
    with process.connect() as sock:
        sock.sendall(b"GET /slower HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        process.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.process.send_signal(signal.SIGINT)
        code, _, log = process.ended(10)
    assert code == 130 and time.monotonic() - began < 10  # of the 20 seconds that the answer takes
    assert "Traceback" not in log and "ended at once" in log


def kibibytes(process: Process, kind: str) -> int:
    """Of its memory: VmRSS now, VmHWM at most."""
    found = re.search(rf"{kind}:\s+(\d+)", Path(f"/proc/{process.process.pid}/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize("process", [("--set", "head_seconds=5")], indirect=True)
def test_stalled_clients_cost_nothing(process: Process) -> None:
    process.get("/quick")
    before = kibibytes(process, "VmRSS")
    socks = [socket.create_connection(("127.0.0.1", int(process.url.rpartition(":")[2]))) for _ in range(200)]
    try:
        for k, sock in enumerate(socks):
            if k % 2:
                sock.sendall(b"POST /quick HTTP/1.1\r\nHost: local")
        began = time.monotonic()
        assert all(process.get("/quick") == 200 for _ in range(20))
        assert time.monotonic() - began < 4  # before the first of them is given up
        assert kibibytes(process, "VmRSS") - before < 8 * 1024
        time.sleep(5.2)
        for sock in socks:
            sock.settimeout(5)
            assert sock.recv(4096)[:12] in (b"", b"HTTP/1.1 408")
    finally:
        for sock in socks:
            sock.close()
    process.process.terminate()
    assert process.ended(10)[0] == 0


@pytest.mark.slow
def test_a_gigabyte_with_and_without_a_length(process: Process) -> None:
    before = kibibytes(process, "VmHWM")
    for head in (b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"):
        chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
        with process.connect() as sock:
            sock.sendall(b"POST /quick HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")
            sent = 0
            try:
                while sent < 1000:
                    sock.sendall(chunk)
                    sent += 1
            except ConnectionError:
                pass
            assert sock.recv(4096).startswith(b"HTTP/1.1 413") and sent < 100
    assert kibibytes(process, "VmHWM") - before < 16 * 1024
    process.process.terminate()
    assert process.ended(10)[0] == 0
