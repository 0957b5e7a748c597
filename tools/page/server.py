"""`promptlet teach` in a process of its own on a free port: started, killed, started again where it was."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tools.watching import reading, wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS, END_SECONDS = 90.0, 30.0


@dataclass
class Teach:
    """A server over a folder of projects. told: what it said when it listened."""

    projects: Path
    options: Sequence[str] = ()
    backbone: str = "mini"
    environment: Mapping[str, str] = field(default_factory=lambda: {"OMP_NUM_THREADS": "1"})
    told: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    port: int = 0
    process: subprocess.Popen[str] | None = None
    readers: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Teach:
        """On its former port, where it had one."""
        self.port = self.port or free_port()
        self.told.clear()
        words = [
            "teach",
            "--projects",
            str(self.projects),
            "--backbone",
            self.backbone,
            "--no-browser",
            "--json",
        ]
        path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = process = subprocess.Popen(
            [sys.executable, "-m", "promptlet", *words, "--port", str(self.port), *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self.projects.parent,
            env={**os.environ, "PYTHONPATH": path, **self.environment},
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.readers = [
            reading(self.process.stderr, self.lines.append),
            reading(self.process.stdout, self._take),
        ]
        wait_until(lambda: bool(self.told) or process.poll() is not None, START_SECONDS, "it does not start")
        assert self.told, f"the server did not start:\n{self.log()}"
        STARTED.append(self)
        return self

    def _take(self, line: str) -> None:
        """What it says once it listens; anything else is kept beside the log."""
        if not self.told and '"url"' in line:
            self.told.update(json.loads(line))
        else:
            self.lines.append(line)

    def log(self) -> str:
        return "".join(self.lines)

    @property
    def url(self) -> str:
        """With the start-up token, as a user opens it."""
        return str(self.told["url"])

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.url).query)["token"][0]

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """As `curl` would: the JSON of an answer that is one of success."""
        head = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), head)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, (method, path, answer.status, text[:500])
            return json.loads(text) if text else None

    def state(self, project: str) -> dict[str, Any]:
        return dict(self.ask(f"/v1/projects/{project}"))

    def images(self, project: str) -> int:
        """How many a project has, with a class or without."""
        state = self.state(project)
        return sum(len(one["images"]) for one in state["classes"]) + len(state["unlabelled"])

    def resident_mib(self, what: str = "VmRSS") -> float:
        """Of its memory; VmHWM: the most so far."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(text.split(f"{what}:")[1].split()[0]) / 1024

    def kill(self) -> None:
        """As a power cut does: without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self.readers:
            reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        self.process = None


STARTED: list[Teach] = []


@contextmanager
def teaching(projects: Path, *options: str, backbone: str = "mini", **more: Any) -> Iterator[Teach]:
    """Until the block ends."""
    projects.mkdir(parents=True, exist_ok=True)
    teach = Teach(projects, options, backbone, **more)
    try:
        yield teach.start()
    finally:
        teach.stop()


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
