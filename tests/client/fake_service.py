"""A server in this process, by httpx's own transport for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from loopback import Asked, Reply, as_json

from promptlet.client import Client


def items(asked: Asked, prompt: str = "pets") -> list[dict[str, Any]]:
    """Of each image what names its own bytes, the last first: who relies on the order is found out."""
    told = [
        {
            "index": i,
            "name": name,
            "predictions": [
                {
                    "prompt": prompt,
                    "digest": "d1",
                    "class_name": data.decode("latin-1"),
                    "top": [{"class_name": data.decode("latin-1"), "probability": 0.75}],
                }
            ],
        }
        for i, (name, data) in enumerate(asked.images)
    ]
    return told[::-1]


class Fake:
    """asked: requests in order. answer: changed by tests."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = lambda asked: as_json({"results": items(asked)})

    def handle(self, request: httpx.Request) -> httpx.Response:
        one = Asked(request.method, request.url.raw_path.decode(), request.headers, request.read())
        self.asked.append(one)
        status, headers, body = self.answer(one)
        return httpx.Response(status, headers=headers, content=body)

    def client(self, url: str = "http://127.0.0.1:8080", token: str | None = None, **more: Any) -> Client:
        return Client(url, token, transport=httpx.MockTransport(self.handle), **more)
