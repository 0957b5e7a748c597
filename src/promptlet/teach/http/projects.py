"""/v1/projects: what there is, made, deleted, brought back; the state of one, and every change of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from promptlet.errors import shown
from promptlet.serve.http.problems import wrong_field
from promptlet.serve.http.shared import json
from promptlet.teach.http.desk import Desk, check_fields, in_thread, json_of
from promptlet.teach.http.following import GONE
from promptlet.teach.learning.settings import FIELDS, checked
from promptlet.teach.projects.project import Project


@dataclass(frozen=True)
class Projects:
    """The routes."""

    desk: Desk

    async def list(self, request: Request) -> Response:  # noqa: ARG002
        """All of them, and those that can be brought back."""
        return json(await in_thread(self._list))

    def _list(self) -> dict[str, Any]:
        shelf = self.desk.shelf
        return {
            "projects": [row for one in shelf.ids() if (row := self._row(one))],
            "removed": shelf.removed(),
        }

    def _row(self, project: str) -> dict[str, Any] | None:
        """As lists tell it; None where it is gone by now, or cannot be read."""
        try:
            found = self.desk.shelf.get(project)
            seen = found.seen()
        except (KeyError, OSError):
            return None
        return {
            "id": project,
            "title": seen.title,
            "images": len(seen.images),
            "classes": len(seen.classes),
            "unlabelled": len(seen.unlabelled),
            "trained": self.desk.shelf.prompt_path(project).is_file(),
            "changed": found.changed,
        }

    async def create(self, request: Request) -> Response:
        """A new one, without images."""
        asked = await json_of(request)
        check_fields(asked, ("title",))
        project = await in_thread(self.desk.shelf.create, asked.get("title"))
        return await self._state(request, project, 201)

    async def delete(self, request: Request) -> Response:
        """Laid aside, with its images and its prompt."""
        project = self.desk.project(request)
        await in_thread(self.desk.shelf.delete, project.id)
        await in_thread(self.desk.learning.forget, project.id)
        self.desk.events.tell(project.id, GONE, {})
        return Response(status_code=204)

    async def restore(self, request: Request) -> Response:
        """Brought back as it was."""
        project = await in_thread(self.desk.shelf.restore, str(request.path_params["id"]))
        return await self._state(request, project)

    async def show(self, request: Request) -> Response:
        """The whole state of one."""
        return await self._state(request, await in_thread(self.desk.project, request))

    async def patch(self, request: Request) -> Response:
        """Another title, other settings."""
        asked = await json_of(request)
        check_fields(asked, ("title", "settings"))
        project = await in_thread(self.desk.project, request)
        settings = _settings(project, asked["settings"]) if "settings" in asked else None
        if "title" in asked:
            await in_thread(project.set_title, asked["title"])
        if settings is not None:
            await in_thread(project.set_settings, settings)
        return await self._state(request, project)

    async def change(self, request: Request) -> Response:
        """One change; what it names and is gone meanwhile is passed over."""
        asked = await json_of(request)
        project = await in_thread(self.desk.project, request)
        skipped = await in_thread(project.change, asked)
        return await self._state(request, project, more={"skipped": skipped})

    async def undo(self, request: Request) -> Response:
        """The last change is taken back; nothing where there is none."""
        project = await in_thread(self.desk.project, request)
        await in_thread(project.undo)
        return await self._state(request, project)

    async def redo(self, request: Request) -> Response:
        """What was taken back last is done again."""
        project = await in_thread(self.desk.project, request)
        await in_thread(project.redo)
        return await self._state(request, project)

    async def _state(
        self, request: Request, project: Project, status: int = 200, more: Mapping[str, Any] | None = None
    ) -> Response:
        return await in_thread(self._told, request, project, status, more or {})

    def _told(self, request: Request, project: Project, status: int, more: Mapping[str, Any]) -> Response:
        state = state_of(self.desk, project)
        body = msgspec.json.encode({**state, **more})
        tag = f'"{state["revision"]}-{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if request.method == "GET" and tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, status, headers, "application/json")


def _settings(project: Project, given: object) -> dict[str, Any]:
    """Raises Problem, OptionError."""
    if not isinstance(given, dict):
        raise wrong_field("settings", f"settings={shown(given)} is not allowed; give an object")
    check_fields(given, FIELDS)
    checked(project.seen().settings, given)
    return given


def state_of(desk: Desk, project: Project) -> dict[str, Any]:
    """All that a page shows of a project."""
    seen, result = project.seen(), project.result()
    done, total = desk.learning.encoded(project.id)
    trained = desk.shelf.prompt_path(project.id).is_file()
    return {
        "id": seen.id,
        "title": seen.title,
        "revision": seen.revision,
        "classes": [{"name": one.name, "images": one.images} for one in seen.classes],
        "unlabelled": seen.unlabelled,
        "names": seen.names,
        "settings": seen.settings,
        "undo": seen.undo,
        "redo": seen.redo,
        "encoded": done,
        "total": total,
        "training": desk.learning.training(project.id),
        "trained": trained,
        "stale": trained and result is not None and result.get(TAUGHT) != seen.taught,
        "backbone": desk.backbone,
    }


TAUGHT: Final = "taught"
"""In a result: which images had which class, as `Seen.taught` tells it."""
