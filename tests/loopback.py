"""A small server on this machine that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parts(self) -> list[tuple[str, str | None, bytes]]:
        """(field, file name, content) of each part of a multipart body, by the standard library's reader."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        whole = BytesParser(policy=HTTP).parsebytes(head + self.body)
        assert not whole.defects
        return [
            (
                part.get_param("name", header="content-disposition"),
                part.get_filename(),
                part.get_payload(decode=True),
            )
            for part in whole.iter_parts()  # type: ignore[attr-defined]
        ]

    @property
    def images(self) -> list[tuple[str | None, bytes]]:
        """File names and contents."""
        return [(file, data) for name, file, data in self.parts if name == "images"]

    @property
    def fields(self) -> dict[str, list[str]]:
        """What is said beside the images."""
        told: dict[str, list[str]] = {}
        for name, file, data in self.parts:
            if file is None:
                told.setdefault(name, []).append(data.decode())
        return told


Reply = tuple[int, dict[str, str], bytes]


def as_json(document: Any, status: int = 200, **headers: str) -> Reply:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode()


def problem(slug: str, status: int, title: str, detail: str, headers: Any = None, **more: Any) -> Reply:
    told = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail, **more}
    kind = {"Content-Type": "application/problem+json", **(headers or {})}
    return status, kind, json.dumps(told).encode()


@dataclass
class Loopback:
    """answer: from a request to the reply."""

    url: str
    answer: Callable[[Asked], Reply]
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def listening(answer: Callable[[Asked], Reply]) -> Iterator[Loopback]:
    """On a free port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            head = {key.lower(): value for key, value in self.headers.items()}
            one = Asked(self.command, self.path, head, body)
            place.asked.append(one)
            status, headers, content = place.answer(one)
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":  # of which the length is told all the same
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        place = Loopback(f"http://127.0.0.1:{server.server_port}", answer)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join(10)
