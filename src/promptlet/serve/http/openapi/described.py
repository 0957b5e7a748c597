"""What /openapi.json says of each route: what is sent, what comes back, with examples that work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from promptlet.methods.new_names import RULES
from promptlet.numbers import KINDS as NUMBERS
from promptlet.numbers import Whole
from promptlet.promptfile import SHARES
from promptlet.serve.http.bodies import Limits
from promptlet.serve.http.fields import LONGEST
from promptlet.serve.http.openapi import schemas
from promptlet.serve.http.problems import KINDS, MEDIA_TYPE
from promptlet.serve.http.prompts import NPY, PAGE

Schema = dict[str, Any]
SMALLEST_PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGNsaGhgwAaYsIoOWgkAMBcBkGHHl6YAAAAASUVORK5CYII="
)
"""Of 8 x 8 pixels, in base64."""
_BINARY: Final[Schema] = {"type": "string", "format": "binary"}
_TOP: Final = NUMBERS["top"].most if isinstance(NUMBERS["top"], Whole) else 1
AT_THE_DOOR: Final = ("bad-request", "head-too-slow", "head-too-large", "busy")
"""Problems of a connection, before it is known what is asked."""
ANYWHERE: Final = (*AT_THE_DOOR, "bad-length", "body-too-large", "wrong-host", "internal")
"""Problems that every request may have."""
WORKING: Final = ("late", "not-ready", "body-too-slow")
"""Those of a request that something has to be waited for."""
FEATURES: Final = (*WORKING, "unauthorised", "malformed-body", "unknown-form", "wrong-fields", "bad-image")
PREDICT: Final = (*FEATURES, "unknown-prompt", "broken-prompt", "cannot-answer")
LIST: Final = ("unauthorised", "wrong-fields")
SHOW: Final = (*WORKING, "unauthorised", "unknown-prompt")
VECTORS: Final = (*SHOW, "broken-prompt", "no-vectors", "cannot-answer", "not-acceptable")
CHANGE: Final = (*WORKING, *LIST, "admin-only", "changed-meanwhile", "not-stored")
PUT: Final = (*CHANGE, "unknown-form", "wrong-prompt-file")
DELETE: Final = (*CHANGE, "unknown-prompt")
OR: Final = "; or: "
NAME_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def predict(limits: Limits) -> Schema:
    fields = _fields(limits)
    return {
        "requestBody": _images_body(limits, fields, {"prompts": ["pets"], "top": 3}),
        "parameters": _in_query(fields),
    }


def features(limits: Limits) -> Schema:
    return {"requestBody": _images_body(limits, {}, {})}


def _fields(limits: Limits) -> dict[str, Schema]:
    """As JSON has them."""
    name = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return {
        "prompts": {
            "type": "array",
            "items": name,
            "minItems": 1,
            "maxItems": limits.max_prompts,
            "description": "Names of prompts. Left out: the only one there is.",
        },
        "class_names": {
            "type": "array",
            "items": name,
            "minItems": 2,
            "maxItems": limits.max_class_names,
            "description": "Other names than the prompt's own to answer among. A comma is part of a name.",
        },
        "top": {
            "type": "integer",
            "minimum": 1,
            "maximum": _TOP,
            "description": "How many of the likeliest classes are told; else 1.",
        },
        "threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "A probability below which the answer is none of the classes.",
        },
        "reject": {
            "anyOf": [{"type": "boolean"}, {"type": "number", "minimum": SHARES[0], "maximum": SHARES[-1]}],
            "description": "None of the classes also where an image is not like those that taught: true, "
            "or the percentage of own images that is to pass.",
        },
        "new_names": {
            "type": "string",
            "pattern": rf"^({'|'.join(RULES)}|blend:(0(\.[0-9]{{1,3}})?|1))$",
            "description": "How names that were not taught are answered.",
            "examples": list(RULES),
        },
    }


def _images_body(limits: Limits, fields: Mapping[str, Schema], example: Mapping[str, Any]) -> Schema:
    entry = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Told back."},
            "data": {"type": "string", "format": "byte", "description": "The file of an image, in base64."},
        },
        "required": ["data"],
        "additionalProperties": False,
    }
    if limits.allow_urls:
        url = {"type": "string", "format": "uri", "pattern": "^https?://"}
        address = {**entry, "properties": {"name": {"type": "string"}, "url": url}, "required": ["url"]}
        entry = {"anyOf": [entry, address]}
    most = {"minItems": 1, "maxItems": limits.max_images}
    as_json = {
        "type": "object",
        "properties": {"images": {"type": "array", "items": entry, **most}, **fields},
        "required": ["images"],
        "additionalProperties": False,
    }
    as_form = {**as_json, "properties": {"images": {"type": "array", "items": _BINARY, **most}, **fields}}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": as_form},
            "application/json": {
                "schema": as_json,
                "example": {"images": [{"name": "grey.png", "data": SMALLEST_PNG}], **example},
            },
            "image/*": {"schema": _BINARY},
            "application/octet-stream": {"schema": _BINARY},
        },
    }


def _in_query(fields: Mapping[str, Schema]) -> list[Schema]:
    """Where the body is one image as it is."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {key: value for key, value in schema.items() if key != "description"},
            "description": f"{schema['description']} In the query or in the body.",
        }
        for name, schema in fields.items()
    ]


def listing() -> Schema:
    return {
        "parameters": [
            _query(
                "after", {"type": "string"}, "Only names that come after this one: `next` of the page before."
            ),
            _query("limit", {"type": "integer", "minimum": 1, "maximum": PAGE}, "How many at most."),
        ]
    }


def one_prompt(*headers: str) -> Schema:
    """A route below a prompt's name; headers: of those that the condition may stand in."""
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": NAME_PATTERN},
        "example": schemas.NAME,
    }
    told = {
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "A digest, quoted.",
    }
    return {"parameters": [name, *({**told, "name": header} for header in headers)]}


def put() -> Schema:
    body = {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}
    return {**one_prompt("If-Match", "If-None-Match"), "requestBody": body}


def a_problem() -> Schema:
    schema = {"type": "string", "enum": list(KINDS)}
    return {"parameters": [{"name": "slug", "in": "path", "required": True, "schema": schema}]}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def responses(
    model: type[BaseModel] | None,
    problems: Sequence[str],
    status: int = 200,
    also: Mapping[int, Schema] | None = None,
) -> dict[int, Schema]:
    """model: of a success; problems: by slug, what may go wrong beside what may `ANYWHERE`."""
    good: Schema = {"description": "As asked."}
    if model is not None:
        good["content"] = {"application/json": {"schema": schemas.reference(model)}}
    titles: dict[int, list[str]] = {}
    for slug, kind in KINDS.items():
        if slug in (*ANYWHERE, *problems):
            titles.setdefault(kind.status, []).append(kind.title)
    return {status: good, **(also or {}), **{code: _problem(told) for code, told in titles.items()}}


def _problem(titles: Sequence[str]) -> Schema:
    content = {MEDIA_TYPE: {"schema": schemas.reference(schemas.ProblemDocument)}}
    return {"description": OR.join(titles), "content": content}


VECTORS_AS_FILE: Final[Schema] = {NPY: {"schema": _BINARY}}
NOT_CHANGED: Final[Schema] = {"description": "It is as you know it."}
