"""All routes of projects, as they are added to a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from promptlet.serve.http import described
from promptlet.serve.http.shared import Endpoint, Route, Shared
from promptlet.teach.http import files
from promptlet.teach.http.desk import Desk, in_words
from promptlet.teach.http.following import Events
from promptlet.teach.http.images import images_of
from promptlet.teach.http.learning import learning_routes
from promptlet.teach.http.projects import Projects

ALL: Final = "/v1/projects"
ONE: Final = f"{ALL}/{{id}}"
IMAGE: Final = f"{ONE}/images/{{image}}"
TAG: Final = "projects"


def routes(desk: Desk, shared: Shared) -> Sequence[Route]:
    """Of projects, of what is learned of them, and of the page's files."""
    projects, images = Projects(desk), images_of(desk, shared.limits.max_body_bytes)
    events = Events(desk)
    return [
        _route(ALL, "GET", projects.list),
        _route(ALL, "POST", projects.create, 201),
        _route(ONE, "GET", projects.show),
        _route(ONE, "PATCH", projects.patch),
        _route(ONE, "DELETE", projects.delete, 204),
        _route(f"{ONE}/restore", "POST", projects.restore),
        _route(f"{ONE}/changes", "POST", projects.change),
        _route(f"{ONE}/undo", "POST", projects.undo),
        _route(f"{ONE}/redo", "POST", projects.redo),
        _route(f"{ONE}/images", "POST", images.put),
        _route(IMAGE, "GET", images.show),
        _route(f"{IMAGE}/thumbnail", "GET", images.small),
        _route(f"{ONE}/events", "GET", events.follow),
        *(
            _route(one.path, one.method, one.endpoint, one.status, one.problems)
            for one in learning_routes(desk.learning, shared)
        ),
        *files.routes(),
    ]


def _route(
    path: str, method: str, endpoint: Endpoint, status: int = 200, problems: Sequence[str] = ()
) -> Route:
    answers: dict[int, Any] = described.responses(None, problems, status)
    return Route(path, method, in_words(endpoint), answers, tag=TAG)
