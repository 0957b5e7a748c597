"""The kinds of problems that a server tells of, each with its address, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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


ALL: Final = (
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
        "foreign-page",
        403,
        "Another page asked this",
        "A browser says that a page of others sent the request. Only the page of this server may use its "
        "cookie; programs send `Authorization: Bearer TOKEN`.",
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
        "unknown-project",
        404,
        "There is no such project",
        "It was deleted, or never made. `GET /v1/projects` lists those that there are, and those that can be "
        "brought back.",
    ),
    Kind(
        "unknown-image",
        404,
        "There is no such image",
        "It was removed from the project, perhaps in another tab; undo brings it back.",
    ),
    Kind(
        "nothing-learned",
        404,
        "Nothing was learned yet",
        "The project was not trained, or has no result. Train it, then ask again.",
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
        "not-possible-now",
        409,
        "This is not possible now",
        "Something is missing, or goes on already; the detail says what. Nothing was changed.",
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
        "This needs an optional package",
        "The detail says how it is installed. Nothing was changed.",
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
    Kind(
        "not-kept",
        507,
        "The project cannot be written",
        "The disk is full, or the folder of the projects may only be read. Nothing was changed, and all "
        "images are where they were.",
    ),
)
