"""All that can go wrong, as problem documents of RFC 9457: what was given, what is allowed, what to do next.

`KINDS` is the whole list; docs/reference/problems.md shows it, and ``GET /problems/{slug}`` tells one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from promptlet.serve.http.kinds import ADDRESS, ALL, Kind

MEDIA_TYPE: Final = "application/problem+json"
KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.slug: kind for kind in ALL})


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


def wrong_field(field: str, detail: str, **members: Any) -> Problem:
    return wrong_fields([(field, detail)], **members)


def wrong_fields(errors: list[tuple[str, str]], **members: Any) -> Problem:
    """errors: field and detail of each. members: further ones of the document."""
    told = [{"field": visible(field), "detail": visible(detail)} for field, detail in errors]
    return Problem("wrong-fields", "; ".join(detail for _, detail in errors[:3]), errors=told, **members)


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
    return Problem(slug, str(error), **keys_of(error)) if slug else None


def keys_of(error: object) -> dict[str, Any]:
    """Members of a problem by which a page says it in any language; none where the error has no key."""
    key = getattr(error, "key", "")
    return {"detail_key": key, "detail_values": dict(getattr(error, "values", {}))} if key else {}


def _of_service(error: ServiceError) -> Problem:
    if error.status == 401:
        return Problem("unauthorised", str(error), {"WWW-Authenticate": "Bearer"})
    return Problem("internal", str(error)) if error.status == 500 else busy("not-ready", str(error), 5)
