"""/v1/projects/{id}/images: images that come, as they are, and as small pictures."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from promptlet.data.files import open_regular
from promptlet.errors import ImageError, shown
from promptlet.serve.http.bodies import media_type, pieces, told_name
from promptlet.serve.http.multipart import read_parts
from promptlet.serve.http.problems import Problem, keys_of, wrong_field
from promptlet.serve.http.shared import json
from promptlet.teach.http.desk import Desk, in_thread
from promptlet.teach.http.headers import IMAGE_POLICY
from promptlet.teach.projects.adding import Dropped, add
from promptlet.teach.projects.checking import TYPES, small_of

if TYPE_CHECKING:
    from PIL import Image

    from promptlet.teach.projects.project import Project

MOST: Final = 32
"""Files of a request."""
GESTURE: Final = "x-promptlet-gesture"
LONGEST_GESTURE: Final = 100
FOR_GOOD: Final = "private, max-age=31536000, immutable"
"""An image's address is made of its content."""
SMALL_AT_ONCE: Final = max(2, os.cpu_count() or 2)


@dataclass(frozen=True)
class Images:
    """The routes."""

    desk: Desk
    most_bytes: int
    turns: asyncio.Semaphore

    async def put(self, request: Request) -> Response:
        """Files into a class, or into none; each that is none costs itself alone."""
        project = await in_thread(self.desk.project, request)
        to, gesture = _class(request), request.headers.get(GESTURE, "")[:LONGEST_GESTURE]
        files = await self._files(request)
        smalls = self.desk.smalls

        def keep(image: str, small: Image.Image) -> None:
            smalls.keep((project.id, image), small)

        came = await in_thread(add, project, files, to, gesture, keep)
        told = {"revision": project.revision, "class": came.class_name}
        return json({**told, "added": came.added, "known": came.known, "errors": came.errors})

    async def _files(self, request: Request) -> list[Dropped]:
        kind = media_type(request)
        if kind != "multipart/form-data":
            raise Problem(
                "unknown-form",
                f"Content-Type {shown(kind)} is not read here; send multipart/form-data with files as images",
            )
        head = request.headers.get("content-type", "")
        parts = await read_parts(pieces(request, self.most_bytes), head, MOST, MOST)
        files = []
        for part in parts:
            if part.name != "images" or not part.file_name:
                raise wrong_field(part.name, f"{shown(part.name)} is no field of this; send files as images")
            files.append(Dropped(told_name(part.file_name), part.data))
        if not files:
            raise wrong_field("images", "no file was sent; send up to 32, as images")
        return files

    async def show(self, request: Request) -> Response:
        """The file as it is; ``?download=1``: to be kept under the name that it was dropped with."""
        project = await in_thread(self.desk.project, request)
        return await in_thread(_shown, project, _image(request), "download" in request.query_params)

    async def small(self, request: Request) -> Response:
        """Upright, as JPEG."""
        project, image = await in_thread(self.desk.project, request), _image(request)
        tag = f'"{image}"'
        headers = {"Cache-Control": FOR_GOOD, "ETag": tag, "Content-Security-Policy": IMAGE_POLICY}
        path = await in_thread(_path, project, image)
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        async with self.turns:
            try:
                make = self.desk.smalls.get
                data = await in_thread(make, (project.id, image), lambda: small_of(str(path), path.name))
            except ImageError as error:
                words = str(error).replace(str(path), path.name)
                raise Problem("bad-image", words, **keys_of(error)) from error
        return Response(data, headers=headers, media_type="image/jpeg")


def _class(request: Request) -> str | None:
    for name, _ in request.query_params.multi_items():
        if name != "class":
            raise wrong_field(name, f"{shown(name)} is not known here; allowed: class")
    return request.query_params.get("class")


def _image(request: Request) -> str:
    return str(request.path_params["image"])


def _path(project: Project, image: str) -> Path:
    try:
        return project.seen().path(image)
    except KeyError:
        raise Problem(
            "unknown-image",
            f"there is no image {shown(image[:100])} in this project; it may have been removed in another "
            "tab",
        ) from None


def _shown(project: Project, image: str, is_kept: bool) -> Response:
    path = _path(project, image)
    with open_regular(path) as file:
        data = file.read()
    headers = {"Cache-Control": FOR_GOOD, "ETag": f'"{image}"', "Content-Security-Policy": IMAGE_POLICY}
    if is_kept:
        name = quote(project.seen().names.get(image, path.name), safe="", errors="replace")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
    return Response(data, headers=headers, media_type=kind)


def images_of(desk: Desk, most_bytes: int) -> Images:
    """The routes, with turns for small pictures."""
    return Images(desk, most_bytes, asyncio.Semaphore(SMALL_AT_ONCE))


Told = dict[str, Any]
