"""The page's own files, as they lie in the package."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from promptlet.serve.http.problems import Problem
from promptlet.serve.http.shared import Route

FOLDER: Final = Path(__file__).parents[1] / "static"
INDEX: Final = "index.html"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}
"""What is sent, and nothing else that may lie there."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)


def routes(folder: Path = FOLDER) -> Sequence[Route]:
    """The page, and what it loads."""

    async def index(request: Request) -> Response:
        return await asyncio.to_thread(_sent, folder, INDEX, request)

    async def file(request: Request) -> Response:
        return await asyncio.to_thread(_sent, folder, str(request.path_params["path"]), request)

    return [Route("/", "GET", index, {}, tag=""), Route("/static/{path:path}", "GET", file, {}, tag="")]


def _sent(folder: Path, name: str, request: Request) -> Response:
    """Raises Problem. No name leads out of the folder: each of its parts is a plain one."""
    parts = name.split("/")
    path = folder.joinpath(*parts)
    kind = TYPES.get(path.suffix)
    if kind is None or not all(map(_NAME.fullmatch, parts)) or not path.is_file():
        raise Problem("unknown-address", f"the page has no file {name[:200]}; open / and go on from there")
    data = path.read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=kind)
