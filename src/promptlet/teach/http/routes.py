"""All routes of projects, as they are added to a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from promptlet.serve.http.shared import Endpoint, Route, Shared
from promptlet.teach.http import described, files, schemas
from promptlet.teach.http.described import BODY
from promptlet.teach.http.desk import Desk, in_words
from promptlet.teach.http.following import Events
from promptlet.teach.http.images import images_of
from promptlet.teach.http.learning import learning_routes
from promptlet.teach.http.projects import Projects

if TYPE_CHECKING:
    from pydantic import BaseModel

ALL: Final = "/v1/projects"
ONE: Final = f"{ALL}/{{id}}"
EVENTS: Final = "/v1/events"
IMAGE: Final = f"{ONE}/images/{{image}}"
TAG: Final = "projects"


def routes(desk: Desk, shared: Shared) -> Sequence[Route]:
    """Of projects, of what is learned of them, and of the page's files."""
    return [
        *_of_projects(desk, shared),
        *_of_images(desk, shared),
        *_of_learning(desk, shared),
        *files.routes(),
    ]


def _of_projects(desk: Desk, shared: Shared) -> list[Route]:
    ways, state = Projects(desk), schemas.ProjectState
    events = Events(desk, lambda: bool(shared.reason()))
    return [
        _route(ALL, "GET", ways.list, schemas.ProjectList),
        _route(ALL, "POST", ways.create, state, BODY, 201, body=described.CREATE),
        _route(ONE, "GET", ways.show, state),
        _route(ONE, "PATCH", ways.patch, state, BODY, body=described.PATCH),
        _route(ONE, "DELETE", ways.delete, None, status=204),
        _route(f"{ONE}/restore", "POST", ways.restore, state),
        _route(f"{ONE}/changes", "POST", ways.change, state, BODY, body=described.change()),
        _route(f"{ONE}/undo", "POST", ways.undo, state),
        _route(f"{ONE}/redo", "POST", ways.redo, state),
        _route(f"{ONE}/events", "GET", events.follow, None, media="text/event-stream"),
        _route(
            EVENTS,
            "GET",
            events.follow_several,
            None,
            ("wrong-fields",),
            media="text/event-stream",
            query=[described.query("project", "Which; it may be given again, for several.")],
        ),
    ]


def _of_images(desk: Desk, shared: Shared) -> list[Route]:
    ways = images_of(desk, shared.limits.max_body_bytes)
    return [
        _route(
            f"{ONE}/images",
            "POST",
            ways.put,
            schemas.AddedImages,
            BODY,
            body=described.UPLOAD,
            query=described.UPLOAD_QUERY,
        ),
        _route(
            IMAGE,
            "GET",
            ways.show,
            None,
            ("unknown-image",),
            media="image/*",
            query=[described.query("download", "Given: it is sent as a file to be kept.")],
        ),
        _route(
            f"{IMAGE}/thumbnail", "GET", ways.small, None, ("unknown-image", "bad-image"), media="image/jpeg"
        ),
    ]


def _of_learning(desk: Desk, shared: Shared) -> list[Route]:
    """Each as its own room tells it; what is sent and comes back stands here."""
    sent: dict[str, dict[str, Any]] = {
        f"{ONE}/training POST": {"body": described.TRAIN},
        f"{ONE}/nearest POST": {"body": described.as_form(described.NEAREST)},
        f"{ONE}/result PUT": {"body": described.RESULT},
        f"{ONE}/prompt PUT": {
            "body": {"required": True, "content": {"application/octet-stream": {"schema": described.BINARY}}}
        },
        f"{ONE}/suggestions GET": {"query": [described.query("limit", "How many.", {"type": "integer"})]},
        f"{ONE}/export GET": {
            "query": [described.query("to", "Of what.", {"type": "string", "enum": ["vectors", "onnx"]})]
        },
    }
    models: dict[str, type[BaseModel]] = {
        f"{ONE}/training POST": schemas.TrainingJob,
        f"{ONE}/training DELETE": schemas.TrainingJob,
        f"{ONE}/result GET": schemas.TrainingResult,
        f"{ONE}/result PUT": schemas.PutResult,
        f"{ONE}/suggestions GET": schemas.Suggestions,
        f"{ONE}/nearest POST": schemas.NearestImages,
        f"{ONE}/prompt PUT": schemas.PutPrompt,
    }
    files_sent = {
        f"{ONE}/prompt GET": "application/octet-stream",
        f"{ONE}/archive GET": "application/zip",
        f"{ONE}/report GET": "text/html",
        f"{ONE}/export GET": "application/octet-stream",
    }
    found = []
    for one in learning_routes(desk.learning, shared):
        key = f"{one.path} {one.method}"
        told = sent.get(key, {})
        problems = (*one.problems, *(BODY if told else ()))
        model, media = models.get(key), files_sent.get(key)
        found.append(_route(one.path, one.method, one.endpoint, model, problems, one.status, media, **told))
    return found


def _route(
    path: str,
    method: str,
    endpoint: Endpoint,
    model: type[BaseModel] | None,
    problems: Sequence[str] = (),
    status: int = 200,
    media: str | None = None,
    body: dict[str, Any] | None = None,
    query: Sequence[dict[str, Any]] = (),
) -> Route:
    return Route(
        path,
        method,
        in_words(endpoint),
        described.answers(path, model, problems, status, media),
        described.extra(path, body, query),
        TAG,
    )
