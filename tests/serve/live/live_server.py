"""`promptlet serve` in a process of its own on a free port, and ways to ask it, look at it and end it."""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.watching import reading, wait_until

ROOT = Path(__file__).parents[3]
START_SECONDS, END_SECONDS = 90.0, 60.0
BOUNDARY = "live-boundary"
_SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


@dataclass
class Reply:
    """Headers by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Live:
    """told: what it said when it listened."""

    process: subprocess.Popen[str]
    told: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    token: str = ""
    """Sent with `get`, `ask` and `metrics` where nothing else is said."""

    @property
    def port(self) -> int:
        return int(self.told["url"].rsplit(":", 1)[1]) if self.told else 0

    def log(self) -> str:
        """What it wrote to standard error so far."""
        return "".join(self.lines)

    # -- asking

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        token: str | None = None,
        timeout: float = 60.0,
        **headers: str,
    ) -> Reply:
        """One request on a connection of its own."""
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        head |= {"Content-Type": kind} if kind else {}
        own = self.token if token is None else token
        head |= {"Authorization": f"Bearer {own}"} if own else {}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())

    def get(self, path: str, token: str | None = None, **headers: str) -> Reply:
        return self.ask("GET", path, token=token, **headers)

    def predict(
        self,
        images: Sequence[bytes],
        prompts: Sequence[str],
        token: str | None = None,
        **fields: str | Sequence[str],
    ) -> Reply:
        body, kind = multipart(images, prompts=prompts, **fields)
        return self.ask("POST", "/v1/predict", body, kind, token)

    def metrics(self) -> dict[str, float]:
        """Values by name and labels, as they stand there."""
        answer = self.get("/metrics")
        assert answer.status == 200
        return {name: float(value) for name, value in _SAMPLE.findall(answer.body.decode())}

    def connect(self, receive_bytes: int = 0) -> socket.socket:
        """A connection on which a test says what it wants."""
        sock = socket.socket()
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(30)
        sock.connect(("127.0.0.1", self.port))
        return sock

    # -- looking

    def resident(self, what: str = "VmRSS") -> int:
        """Bytes of its memory; VmHWM: the most since `forget_peak`."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(text.split(f"{what}:")[1].split()[0]) * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def idle(self, within: float = 10.0) -> dict[str, float]:
        """The metrics once nothing is queued or held any more."""
        found: dict[str, float] = {}

        def is_idle() -> bool:
            found.clear()
            found.update(self.metrics())
            return found["promptlet_queue_images"] == 0 and found["promptlet_held_body_bytes"] == 0

        wait_until(is_idle, within, "the queue is not empty, or bodies are held")
        return found

    def limit_files(self, most_bytes: int) -> None:
        """No file that it writes grows beyond; -1: as far as it likes."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (most_bytes, -1))

    # -- ending

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, within: float = END_SECONDS) -> int:
        """Its exit code."""
        return self.process.wait(within)

    def wait_for_log(self, text: str, within: float = 10.0) -> None:
        wait_until(lambda: text in self.log(), within, f"{text!r} is not in the log")


STARTED: list[Live] = []


@contextmanager
def serving(
    prompts: Path,
    *options: str,
    program: Sequence[str] = ("-m", "promptlet"),
    environment: Mapping[str, str] | None = None,
    token: str = "",
    code: int | None = 0,
) -> Iterator[Live]:
    """Until the block ends; then it is told to stop, if it runs. code: what it is to exit with; None: any.

    options: NAME=VALUE for settings.
    """
    given = [word for one in options for word in ("--set", one)]
    words = ["serve", "--prompts", str(prompts), "--backbone", "mini", "--port", "0", "--json", *given]
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, *program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=prompts.parent,
        env={**os.environ, "PYTHONPATH": path, **(environment or {})},
    )
    live = Live(process, token=token)
    STARTED.append(live)
    assert process.stdout is not None and process.stderr is not None
    readers = [reading(process.stderr, live.lines.append), reading(process.stdout, _taking(live))]
    try:
        wait_until(lambda: bool(live.told) or process.poll() is not None, START_SECONDS, "it does not start")
        assert live.told, f"the server did not start:\n{live.log()}"
        yield live
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        found = process.wait(END_SECONDS)
        assert code is None or found == code, f"exit code {found}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for reader in readers:
            reader.join(10)
        process.stdout.close()
        process.stderr.close()


def _taking(live: Live) -> Callable[[str], None]:
    """Of the line that it writes once it listens; what it writes otherwise is that it does not."""

    def take(line: str) -> None:
        if not live.told and '"url"' in line:
            live.told.update(json.loads(line))

    return take


def multipart(images: Sequence[bytes], **fields: str | Sequence[str]) -> tuple[bytes, str]:
    """A body of images, called 0, 1, ..., and fields, and its type."""
    parts = []
    for place, data in enumerate(images):
        head = f'Content-Disposition: form-data; name="images"; filename="{place}"\r\n'
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n".encode() + data + b"\r\n")
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            parts.append(f"{head}{value}\r\n".encode())
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()]), f"multipart/form-data; boundary={BOUNDARY}"


def request(method: str, path: str, body: bytes = b"", kind: str = "", token: str = "") -> bytes:
    """A request of HTTP/1.1, byte for byte."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    head += [f"Content-Type: {kind}"] if kind else []
    head += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*head, "", ""]).encode() + body


def predicting(
    images: Sequence[bytes], prompts: Sequence[str], token: str = "", **fields: str | Sequence[str]
) -> bytes:
    """A request for answers, byte for byte."""
    body, kind = multipart(images, prompts=prompts, **fields)
    return request("POST", "/v1/predict", body, kind, token)
