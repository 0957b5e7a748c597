"""/v1/prompts: what prompts there are, one of them, its class features; for admins, to put and delete."""

from __future__ import annotations

import asyncio
import io
import re
from bisect import bisect_right
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from promptlet.errors import OptionError, PromptFileError, shown
from promptlet.serve.http.bodies import media_type, read_bytes
from promptlet.serve.http.problems import Problem, keys_of, wrong_field
from promptlet.serve.http.shared import Shared, Work, json, tell, unknown_prompt

if TYPE_CHECKING:
    from promptlet.serve.access.tokens import Caller
    from promptlet.serve.bank.listing import Listed

PAGE: Final = 10_000
"""Prompts that one answer lists at most, and unless fewer are asked for."""
NUMBERS_AS_JSON: Final = 2_000_000
"""Numbers of class features that are written as JSON: 40 MB."""
IN_PLACE: Final = 50_000
"""Numbers that are written without a thread."""
NPY: Final = "application/x-npy"
_FORMS: Final = ("", "application/octet-stream", "application/vnd.promptlet.prompt")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


@dataclass(frozen=True)
class Prompts:
    """The routes. Prompts are changed one after the other, so that a condition holds until it is done."""

    shared: Shared
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def list(self, request: Request) -> Response:
        """Those that the caller may ask, by name, the broken ones with their reason."""
        caller = self.shared.caller(request)
        after, limit = _page(request)
        seen = sorted((one for one in self.shared.bank.listed() if caller.may(one.name)), key=_name)
        first = bisect_right(seen, after, key=_name) if after else 0
        some = seen[first : first + limit]
        is_more = first + limit < len(seen)
        tell(request, prompts=len(some))
        return json(
            {
                "count": len(seen),
                "prompts": [list_facts(one) for one in some],
                "next": some[-1].name if some and is_more else None,
            }
        )

    async def show(self, request: Request) -> Response | Work:
        """What is known of one; of a broken one, why it is."""
        caller = self.shared.caller(request)
        listed = self._named(request, caller)
        if _is_known(request, listed):
            return Response(status_code=304, headers=_head(listed))
        return lambda _: self._shown(listed)

    async def _shown(self, listed: Listed) -> Response:
        try:
            facts = await asyncio.to_thread(self.shared.bank.facts, listed.name)
        except KeyError:
            raise unknown_prompt([listed.name]) from None
        except PromptFileError as error:
            facts = {"reason": listed.reason or str(error)}
        told = {**list_facts(listed), **facts}
        tag = {"ETag": f'"{told["digest"]}"'} if told["digest"] else {}  # it may be another by now
        return json(told, headers={**_head(listed), **tag})

    async def vectors(self, request: Request) -> Response | Work:
        """Normalised class features (C, D), float32: as JSON, or as a .npy file."""
        caller = self.shared.caller(request)
        listed = self._named(request, caller)
        as_file = NPY in request.headers.get("accept", "").lower()
        if _is_known(request, listed):
            return Response(status_code=304, headers=_head(listed))
        return lambda _: self._vectors(caller, listed, as_file)

    async def _vectors(self, caller: Caller, listed: Listed, as_file: bool) -> Response:
        try:
            answerer = await self.shared.bank.answerer(listed.name, tenant=caller.name)
        except KeyError:
            raise unknown_prompt([listed.name]) from None
        matrix = answerer.matrix
        if matrix is None:
            raise Problem(
                "no-vectors",
                f"{listed.name}: its method, {listed.method}, does not answer by one vector a class; ask "
                "POST /v1/predict",
            )
        head = {**_head(listed), "ETag": f'"{answerer.digest}"'}
        if as_file:
            out = io.BytesIO()
            np.save(out, np.ascontiguousarray(matrix, "<f4"), allow_pickle=False)
            return Response(out.getvalue(), headers=head, media_type=NPY)
        if matrix.size > NUMBERS_AS_JSON:
            raise Problem(
                "not-acceptable",
                f"{matrix.size:,} numbers are too many for JSON; ask with the header Accept: {NPY}",
                allowed=[NPY],
            )
        found = {
            "prompt": listed.name,
            "digest": answerer.digest,
            "model": self.shared.backbone["fingerprint"],
            "class_names": answerer.names,
            "vectors": matrix,
        }
        if matrix.size <= IN_PLACE:
            return json(found, headers=head)
        return await asyncio.to_thread(json, found, headers=head)

    async def put(self, request: Request) -> Work:
        """A prompt file, new or in the place of one; checked whole before anything changes."""
        self.shared.admin(request)
        name = request.path_params["name"]
        if not _NAME.fullmatch(name):
            raise wrong_field(
                "name",
                f"{shown(name)} is no name of a prompt; give up to 100 letters, digits and . _ -, beginning "
                "with a letter or digit",
            )
        kind = media_type(request)
        if kind not in _FORMS:
            raise Problem(
                "unknown-form",
                f"Content-Type {shown(kind)} is no prompt file; send its bytes as they are: curl -T FILE "
                "-H 'Content-Type: application/octet-stream'",
                allowed=_FORMS[1],
            )
        limits = self.shared.limits
        data = await read_bytes(request, min(limits.max_prompt_bytes, limits.max_body_bytes))
        return lambda _: self._alone(partial(self._put, request, name, data))

    async def _put(self, request: Request, name: str, data: bytes) -> Response:
        before = self.shared.bank.get(name)
        _check_expected(request, before)
        try:
            listed = await self.shared.bank.put(name, data)
        except OptionError as error:
            raise wrong_field("name", str(error)) from error
        except PromptFileError as error:
            raise _not_changed(error) from error
        place = {"Location": f"/v1/prompts/{quote(name)}"} if before is None else {}
        return json(list_facts(listed), 201 if before is None else 200, {**_head(listed), **place})

    async def delete(self, request: Request) -> Work:
        """Remove one."""
        caller = self.shared.admin(request)
        return lambda _: self._alone(partial(self._delete, request, caller))

    async def _delete(self, request: Request, caller: Caller) -> Response:
        listed = self._named(request, caller)
        _check_expected(request, listed)
        try:
            await self.shared.bank.delete(listed.name)
        except KeyError:
            raise unknown_prompt([listed.name]) from None
        except OptionError as error:
            raise wrong_field("name", str(error)) from error
        except PromptFileError as error:
            raise _not_changed(error) from error
        return Response(status_code=204)

    async def _alone(self, change: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        """One change after the other. One that has begun is finished, also where nobody waits any more."""
        await self._changing.acquire()
        task = asyncio.ensure_future(change())
        task.add_done_callback(self._changed)
        return await asyncio.shield(task)

    def _changed(self, task: asyncio.Future[Response]) -> None:
        """What failed for somebody who has gone away is nobody's business."""
        self._changing.release()
        if not task.cancelled():
            task.exception()

    def _named(self, request: Request, caller: Caller) -> Listed:
        return self.shared.prompt(caller, request.path_params["name"])


def list_facts(listed: Listed) -> dict[str, Any]:
    """As lists tell it."""
    return {
        "name": listed.name,
        "state": listed.state,
        "reason": listed.reason,
        "digest": listed.digest,
        "method": listed.method,
        "classes": listed.classes,
        "bytes": listed.bytes,
        "modified": listed.modified,
    }


def _name(listed: Listed) -> str:
    return listed.name


def _page(request: Request) -> tuple[str, int]:
    """After which name, and how many."""
    allowed = ("after", "limit")
    for key, _ in request.query_params.multi_items():
        if key not in allowed:
            raise wrong_field(key, f"{shown(key)} is not known here; allowed: {', '.join(allowed)}")
    limit = request.query_params.get("limit", str(PAGE))
    if not re.fullmatch(r"\d{1,9}", limit, re.ASCII) or not 1 <= int(limit) <= PAGE:
        raise wrong_field(
            "limit", f"limit={shown(limit)} is not allowed; give a whole number from 1 to {PAGE:,}"
        )
    return request.query_params.get("after", ""), int(limit)


def _head(listed: Listed) -> dict[str, str]:
    """By which the same is not sent twice, and nobody else's change is lost."""
    tag = {"ETag": f'"{listed.digest}"'} if listed.digest else {}
    return {**tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}


def _tags(header: str) -> set[str]:
    return {"*"} if header.strip() == "*" else set(_TAG.findall(header))


def _is_known(request: Request, listed: Listed) -> bool:
    return bool(listed.digest and _tags(request.headers.get("if-none-match", "")) & {"*", listed.digest})


def _check_expected(request: Request, before: Listed | None) -> None:
    """Raises Problem where a prompt is not as the admin saw it."""
    digest = None if before is None else before.digest
    wanted, unwanted = (request.headers.get(name) for name in ("if-match", "if-none-match"))
    is_as_wanted = wanted is None or (digest is not None and bool(_tags(wanted) & {"*", digest}))
    is_unwanted = unwanted is not None and digest is not None and bool(_tags(unwanted) & {"*", digest})
    if not is_as_wanted or is_unwanted:
        now = "there is none" if digest is None else f"its digest is {digest}"
        raise Problem(
            "changed-meanwhile", f"the prompt is not as you expect it: {now}; read it again, then decide"
        )


def _not_changed(error: PromptFileError) -> Problem:
    """Of the file, or of the place that it was to go to."""
    slug = "not-stored" if isinstance(error.__cause__, OSError) else "wrong-prompt-file"
    return Problem(slug, f"nothing was changed: {error}", **keys_of(error))
