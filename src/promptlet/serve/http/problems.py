"""All that can go wrong, as problem documents of RFC 9457: what was given, what is allowed, what to do next.

`KINDS` is the whole list; docs/reference/problems.md shows it, and ``GET /problems/{slug}`` tells one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Message, Scope

from promptlet.characters import visible
from promptlet.errors import (
    AnswerError,
    BusyError,
    DataError,
    ImageError,
    OptionError,
    PromptFileError,
    PromptletError,
    ServiceError,
    WrongBackboneError,
)

MEDIA_TYPE: Final = "application/problem+json"
ADDRESS: Final = "/problems/"
"""What the address of a kind begins with."""


@dataclass(frozen=True)
class Kind:
    """slug: the end of its address, which stays what it is; meaning: why it happens and what helps."""

    slug: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        return f"{ADDRESS}{self.slug}"


_ALL: Final = (
    Kind(
        "malformed-body",
        400,
        "The body cannot be read",
        "It is no JSON, or no multipart body, or it ends too early. Nothing was done.",
    ),
    Kind(
        "bad-length",
        400,
        "Content-Length is wrong",
        "The header must be there once at most, and be a whole number.",
    ),
    Kind(
        "bad-request",
        400,
        "This is no HTTP/1.1",
        "What came on the connection is no request; it was closed.",
    ),
    Kind(
        "unauthorised",
        401,
        "A valid token is needed",
        "Send the header `Authorization: Bearer TOKEN` with a token that this server knows.",
    ),
    Kind(
        "admin-only",
        403,
        "Only an admin may do this",
        "Prompts are put and deleted with an admin token. A server without tokens changes no prompt.",
    ),
    Kind(
        "unknown-address",
        404,
        "There is nothing at this address",
        "Check the path; /openapi.json lists every address.",
    ),
    Kind(
        "unknown-prompt",
        404,
        "There is no such prompt",
        "No prompt has this name, or your token does not allow it: the two are not told apart. "
        "`GET /v1/prompts` lists those that you may ask.",
    ),
    Kind(
        "nothing-learned",
        404,
        "Nothing was learned here yet",
        "The project was not trained, or its prompt is gone. Train it, then ask again.",
    ),
    Kind(
        "wrong-method",
        405,
        "This address does not take this method",
        "The header `Allow` and the member `allowed` say which it takes.",
    ),
    Kind(
        "not-acceptable",
        406,
        "This is too much for this form",
        "Ask for another form by the header `Accept`; the member `allowed` says which.",
    ),
    Kind(
        "body-too-slow",
        408,
        "The body comes too slowly",
        "It was not here in time. Send fewer or smaller images, or try again on a better connection.",
    ),
    Kind(
        "head-too-slow",
        408,
        "The request comes too slowly",
        "Its head did not come in time; the connection was closed.",
    ),
    Kind(
        "broken-prompt",
        409,
        "This prompt is not served",
        "Its file is damaged, made for another backbone, or of a method that is not served. "
        "The detail says which.",
    ),
    Kind(
        "not-possible-now",
        409,
        "This is not possible as things are",
        "Something has to be there or to end before. The detail says what.",
    ),
    Kind(
        "no-vectors",
        409,
        "This prompt has no class features",
        "The answers of its method are not made of one vector a class, so there are none to give.",
    ),
    Kind(
        "changed-meanwhile",
        412,
        "The prompt is not as you expect it",
        "It was put or deleted meanwhile: its digest is not that of `If-Match`, or `If-None-Match: *` was "
        "given and it is there. Read it again, then decide.",
    ),
    Kind(
        "body-too-large",
        413,
        "The body is too large",
        "Send fewer or smaller images in a request; the detail says how much is taken.",
    ),
    Kind(
        "unknown-form",
        415,
        "The body has no form that is read here",
        "Send multipart/form-data, application/json, or one image as it is with its own Content-Type; no "
        "Content-Encoding.",
    ),
    Kind(
        "wrong-host",
        421,
        "This server does not answer for this host",
        "The header `Host` names none of its names. It protects a server on this machine from pages of "
        "others.",
    ),
    Kind(
        "wrong-fields",
        422,
        "What is asked is not possible",
        "The member `errors` tells for each field what was given, what is allowed, and what to do.",
    ),
    Kind(
        "bad-image",
        422,
        "This image cannot be read",
        "It is damaged, too large, or no image. Others of the same request are answered.",
    ),
    Kind(
        "cannot-answer",
        422,
        "This prompt cannot answer what is asked",
        "Its method cannot answer over these names, by this rule, or reject. Other prompts of the same "
        "request are answered.",
    ),
    Kind(
        "wrong-prompt-file",
        422,
        "This is no prompt file for this server",
        "It is damaged, made for another backbone, or of a method that is not served. Nothing was changed.",
    ),
    Kind(
        "head-too-large",
        431,
        "The head is too large",
        "Send fewer or shorter headers, and fields in the body in place of the address.",
    ),
    Kind(
        "internal",
        500,
        "The server made a mistake",
        "Its log tells what happened under `request_id`; give that to whoever runs it.",
    ),
    Kind(
        "missing-package",
        501,
        "An optional package is missing",
        "It is to be installed where the server runs; the detail says how.",
    ),
    Kind(
        "busy",
        503,
        "More is asked than can be answered now",
        "There is no room, or no turn in time. Nothing is answered; ask again after `Retry-After` seconds.",
    ),
    Kind(
        "late",
        503,
        "The answer took too long",
        "It was given up. Ask for less in one request, or again after `Retry-After` seconds. A prompt that "
        "was being put or deleted may be changed all the same: look at it.",
    ),
    Kind(
        "not-ready",
        503,
        "The server is not ready",
        "It starts, ends, or its encoder does not answer. Ask another one, or wait.",
    ),
    Kind(
        "not-stored",
        507,
        "The prompt cannot be stored",
        "The place of the prompts takes nothing: it is full, or may only be read. Nothing was changed.",
    ),
)
KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.slug: kind for kind in _ALL})


class Problem(Exception):  # noqa: N818 - what RFC 9457 calls it
    """What is answered instead: its kind by ``slug``, and in ``detail`` what was given and what to do.

    headers: of the answer. members: further ones of the document, plain values.
    """

    def __init__(
        self, slug: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[slug]
        self.detail = visible(detail)
        self.headers = dict(headers or {})
        self.members = members

    def document(self, request_id: str = "") -> dict[str, Any]:
        kind = self.kind
        told = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": self.detail}
        return {**told, **({"request_id": request_id} if request_id else {}), **self.members}

    def response(self, request_id: str = "") -> Response:
        """The answer, which is an ASGI application too."""
        return Response(
            msgspec.json.encode(self.document(request_id)),
            self.kind.status,
            {"Cache-Control": "no-store", **self.headers},
            MEDIA_TYPE,
        )


def closing(problem: Problem, request_id: str = "") -> tuple[Message, Message]:
    """The two messages of ASGI that answer it, and end the connection behind them."""
    answer = problem.response(request_id)
    headers = [*answer.raw_headers, (b"connection", b"close")]
    start = {"type": "http.response.start", "status": answer.status_code, "headers": headers}
    return start, {"type": "http.response.body", "body": answer.body}


def request_id_of(scope: Scope) -> str:
    """The id of a request, which all problems of it tell; empty where it was given none."""
    return str(scope.get("state", {}).get("request_id", ""))


def slug_of(document: Mapping[str, Any]) -> str:
    """Of a document of ours."""
    return str(document["type"]).removeprefix(ADDRESS)


def busy(slug: str, detail: str, seconds: float) -> Problem:
    """One after which it is worth asking again after so many seconds."""
    wait = max(1, math.ceil(seconds))
    return Problem(slug, detail, {"Retry-After": str(wait)}, retry_after=wait)


def wrong_field(field: str, detail: str) -> Problem:
    return wrong_fields([(field, detail)])


def wrong_fields(errors: list[tuple[str, str]]) -> Problem:
    """errors: field and detail of each."""
    told = [{"field": visible(field), "detail": visible(detail)} for field, detail in errors]
    return Problem("wrong-fields", "; ".join(detail for _, detail in errors[:3]), errors=told)


def problem_of(error: Exception) -> Problem | None:
    """An expected error as a problem; None for one that was not, of which nothing is told outside."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BusyError):
        return busy("busy", str(error), error.retry_after)
    if isinstance(error, ServiceError):
        return _of_service(error)
    kinds: tuple[tuple[type[PromptletError], str], ...] = (
        (ImageError, "bad-image"),
        (PromptFileError, "broken-prompt"),
        (WrongBackboneError, "broken-prompt"),
        (OptionError, "cannot-answer"),
        (DataError, "cannot-answer"),
        (AnswerError, "cannot-answer"),
    )
    slug = next((slug for kind, slug in kinds if isinstance(error, kind)), None)
    return Problem(slug, str(error)) if slug else None


def _of_service(error: ServiceError) -> Problem:
    if error.status == 401:
        return Problem("unauthorised", str(error), {"WWW-Authenticate": "Bearer"})
    return Problem("internal", str(error)) if error.status == 500 else busy("not-ready", str(error), 5)
