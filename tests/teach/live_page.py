"""The whole application with the page, in this process: a tiny backbone, a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dropped import photo
from starlette.testclient import TestClient

from promptlet.backbones import load_backbone
from promptlet.serve import parts as made
from promptlet.serve.access.tokens import Tokens
from promptlet.serve.addresses import address_of
from promptlet.serve.http.problems import KINDS
from promptlet.serve.settings import read_settings
from promptlet.teach.http.names import names_of
from promptlet.teach.projects.shelf import Shelf
from promptlet.teach.start import adding

PORT = 8765
URL = f"http://127.0.0.1:{PORT}"
KNOWN: dict[str, Any] = {}


@dataclass
class Page:
    """client: of nobody; token: of the start; reasons: why the server ends, none while it does not."""

    client: TestClient
    token: str
    shelf: Shelf
    reasons: list[str]

    @property
    def cookie(self) -> str:
        return f"promptlet-teach-{PORT}={self.token}"

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """As a program with the token does."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def browse(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        """As the page does in a browser that has the cookie."""
        own = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if method not in ("GET", "HEAD"):
            own["Origin"] = URL
        sent = {**own, **(headers or {})}
        return self.client.request(method, path, headers={k: v for k, v in sent.items() if v}, **more)

    def upload(self, project: str, numbers: list[int], to: str | None = None, **headers: str) -> Any:
        files = [("images", (f"{one}.png", photo(one), "image/png")) for one in numbers]
        params = {} if to is None else {"class": to}
        return self.ask("POST", f"/v1/projects/{project}/images", files=files, params=params, headers=headers)


@contextmanager
def page_over(
    root: Path, is_whole: bool = True, tokens: Tokens | None = None, host: str = "127.0.0.1", **given: Any
) -> Iterator[Page]:
    settings = read_settings({"prompts": str(root), "backbone": "mini", "class_cache": "off", **given})
    shelf, reasons = Shelf(root), list[str]()
    backbone = KNOWN.setdefault("mini", load_backbone("mini") if "mini" not in KNOWN else None)
    meters = made.make_meters()
    bank = made.make_bank(settings, made.open_place(settings), backbone, meters)
    encoder = made.make_encoder(settings, backbone, meters)
    parts = made.Parts(backbone, bank, encoder, meters, tokens, made.backbone_facts(backbone))
    more, address = adding(shelf, is_whole), address_of(host, PORT)
    added = more.make(parts, address, URL)
    names = names_of(address).alone if is_whole else None
    app = made.make_app(settings, parts, names, lambda: "".join(reasons), added)
    [token] = parse_qs(urlsplit(added.page).query)["token"]
    try:
        with TestClient(app, base_url=URL, follow_redirects=False) as client:
            yield Page(client, token, shelf, reasons)
    finally:
        bank.close()
        shelf.close()


def problem(answer: Any, slug: str) -> str:
    """Its words."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert (told["type"], answer.status_code) == (f"/problems/{slug}", KINDS[slug].status), told
    assert told["detail"] and told["request_id"]
    return str(told["detail"])
