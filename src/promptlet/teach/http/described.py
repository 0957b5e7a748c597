"""What /openapi.json says of the routes of projects: what is sent, what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from promptlet.serve.http.openapi import described
from promptlet.teach.http import schemas
from promptlet.teach.http.images import GESTURE, LONGEST_GESTURE, MOST
from promptlet.teach.http.schemas import IMAGE
from promptlet.teach.projects.changes import ACTIONS
from promptlet.teach.projects.names import LONGEST, LONGEST_TITLE

Schema = dict[str, Any]
ANY: Final = ("unauthorised", "foreign-page", "body-too-slow", "late", "not-ready", "not-kept")
"""Problems that every route of projects may have."""
OF_ONE: Final = ("unknown-project",)
BODY: Final = ("malformed-body", "unknown-form", "wrong-fields")
BINARY: Final[Schema] = {"type": "string", "format": "binary"}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_NAME: Final[Schema] = {**_TEXT, "maxLength": LONGEST}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT, "minItems": 1}
_FIELDS: Final[Mapping[str, Schema]] = {
    "name": _NAME,
    "to": _NAME,
    "names": _TEXTS,
    "images": _TEXTS,
}
NEAREST: Final[Schema] = {
    "type": "object",
    "properties": {"image": BINARY},
    "required": ["image"],
}


def answers(
    path: str,
    model: type[BaseModel] | None,
    problems: Sequence[str] = (),
    status: int = 200,
    media: str | None = None,
) -> dict[int, Schema]:
    """media: of a success that is no JSON."""
    found = described.responses(model, (*ANY, *(OF_ONE if "{id}" in path else ()), *problems), status)
    if media is not None:
        kind = {"type": "string"} if media.startswith("text/") else BINARY
        found[status]["content"] = {media: {"schema": kind}}
    return found


def extra(path: str, body: Schema | None = None, query: Sequence[Schema] = ()) -> Schema:
    """What is sent: the names in the path, the query, the body as JSON or as a form."""
    told: Schema = {"parameters": [*_in_path(path), *query]}
    if body is not None:
        told["requestBody"] = body
    return told


def _in_path(path: str) -> list[Schema]:
    known = {"id": {"type": "string", "pattern": described.NAME_PATTERN}, "image": {"type": "string"}}
    examples = {"id": schemas.ID, "image": IMAGE}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema, "example": examples[name]}
        for name, schema in known.items()
        if f"{{{name}}}" in path
    ]


def query(name: str, description: str, schema: Schema | None = None, where: str = "query") -> Schema:
    """A parameter that may be left out."""
    told = {"name": name, "in": where, "required": False, "description": description}
    return {**told, "schema": schema or {"type": "string"}}


def as_json(schema: Schema, is_needed: bool = True) -> Schema:
    """A body of JSON."""
    return {"required": is_needed, "content": {"application/json": {"schema": schema}}}


def as_form(schema: Schema) -> Schema:
    """A body with files."""
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def an_object(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """With these fields and no others."""
    told: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**told, "required": list(required)} if required else told


SETTINGS: Final[Schema] = an_object(
    {
        "method": {"type": ["string", "null"], "description": "auto, or a method (promptlet methods)."},
        "rank": {"type": ["integer", "null"], "minimum": 1},
        "shots": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "Images of each class; else all.",
        },
        "schedule": {"type": ["string", "null"]},
    }
)
TITLE: Final[Schema] = {**_TEXT, "maxLength": LONGEST_TITLE}
CREATE: Final = as_json(an_object({"title": TITLE}, ["title"]))
PATCH: Final = as_json(an_object({"title": TITLE, "settings": SETTINGS}))
RESULT: Final = as_json(
    an_object(
        {
            "result": {"type": "object", "description": "As project.json of a project's zip has it."},
            "answers": {"type": ["object", "null"], "description": "As its .answers.json has them."},
        },
        ["result"],
    )
)
TRAIN: Final = as_json(SETTINGS, is_needed=False)


def change() -> Schema:
    """One of the actions, each with its fields."""

    def one(action: str, fields: Sequence[str]) -> Schema:
        own = {name: _FIELDS[name] for name in fields}
        if action == "move-images":
            own["to"] = {"anyOf": [_NAME, {"type": "null"}], "description": "null: no class."}
        return an_object({"action": {"const": action}, **own}, ["action", *fields])

    return as_json({"oneOf": [one(action, fields) for action, (_, fields) in ACTIONS.items()]})


UPLOAD: Final = as_form(
    {
        "type": "object",
        "properties": {"images": {"type": "array", "items": BINARY, "minItems": 1, "maxItems": MOST}},
        "required": ["images"],
    }
)
UPLOAD_QUERY: Final = (
    query("class", "That they are put into; made where it is missing. Left out: none.", _NAME),
    query(
        GESTURE,
        "Any text; requests that tell the same are one step of undo.",
        {"type": "string", "maxLength": LONGEST_GESTURE},
        "header",
    ),
)
