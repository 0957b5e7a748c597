"""The routes of what is learned: trainings, results, suggestions, and what is taken away."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
import numpy as np
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from promptlet.errors import ExportError, MissingExtraError, PromptFileError, shown
from promptlet.serve.http.bodies import media_type, pieces, read_bytes
from promptlet.serve.http.multipart import read_parts
from promptlet.serve.http.problems import Problem, keys_of, wrong_field
from promptlet.serve.http.prompts import list_facts
from promptlet.serve.http.shared import Endpoint, Shared, json
from promptlet.teach.http.desk import check_fields, json_of
from promptlet.teach.learning.refusals import NothingLearnedError, NotNowError, nothing_learned

if TYPE_CHECKING:
    from promptlet.teach.learning.learning import Learning

T = TypeVar("T")
P: Final = "/v1/projects/{id}"
ASKED: Final = ("method", "rank", "shots", "schedule")
"""What may be said of a training."""
MOST_SUGGESTIONS: Final = 1000
MOST_RESULT: Final = 16 << 20
"""Bytes of a result with its answers."""
CHUNK: Final = 1 << 18
VECTORS: Final = "vectors"
PROMPT_TYPE: Final = "application/octet-stream"


class Routed(NamedTuple):
    """A route: what is asked, by which method, and what answers."""

    path: str
    method: str
    endpoint: Endpoint
    summary: str
    status: int = 200
    problems: tuple[str, ...] = ()


def learning_routes(learning: Learning, shared: Shared) -> list[Routed]:
    """All of them; ``shared`` encodes the image of `nearest` and keeps the prompts."""
    ways = LearningRoutes(learning, shared)
    return [one._replace(endpoint=in_words(one.endpoint)) for one in _all(ways)]


def _all(ways: LearningRoutes) -> list[Routed]:
    return [
        Routed(f"{P}/training", "POST", ways.train, "Begin a training.", 202, ("not-possible-now",)),
        Routed(f"{P}/training", "DELETE", ways.cancel, "Cancel the training."),
        Routed(f"{P}/result", "GET", ways.result, "Of the last training.", problems=("nothing-learned",)),
        Routed(f"{P}/result", "PUT", ways.put_result, "Put a result.", problems=("not-possible-now",)),
        Routed(f"{P}/suggestions", "GET", ways.suggestions, "Classes for images without one."),
        Routed(f"{P}/nearest", "POST", ways.nearest, "The taught images that are like one.", 200),
        Routed(f"{P}/prompt", "GET", ways.prompt, "The prompt file.", problems=("nothing-learned",)),
        Routed(f"{P}/prompt", "PUT", ways.put_prompt, "Put a prompt file in its place."),
        Routed(f"{P}/archive", "GET", ways.archive, "A zip of the project."),
        Routed(f"{P}/report", "GET", ways.report, "A page.", problems=("nothing-learned",)),
        Routed(f"{P}/export", "GET", ways.export, "Vectors, or a zip.", problems=("nothing-learned",)),
    ]


def in_words(endpoint: Endpoint) -> Endpoint:
    """What cannot be done as things are, as problems."""

    @wraps(endpoint)
    async def told(request: Request) -> Any:
        try:
            return await endpoint(request)
        except NothingLearnedError as error:
            raise Problem("nothing-learned", str(error), **keys_of(error)) from None
        except (NotNowError, ExportError) as error:
            raise Problem("not-possible-now", str(error), **keys_of(error)) from error
        except MissingExtraError as error:
            raise Problem("missing-package", str(error)) from error

    return told


class LearningRoutes:
    """What answers. Each takes a moment or goes to a thread."""

    def __init__(self, learning: Learning, shared: Shared) -> None:
        self.learning, self.shared = learning, shared

    async def train(self, request: Request) -> Response:
        """``{"method"?, "rank"?, "shots"?, "schedule"?}`` → 202 and the job:

        ``{"id", "state": "waiting|running|done|failed|cancelled", "stage":
        "looking|encoding|choosing|training|estimating|checking|saving", "done", "total", "word", "seconds",
        "seconds_left": null|float, "error": null|words}``. 409 where there is too little to learn from, or a
        training goes on.
        """
        asked = await _asked(request)
        job = await asyncio.to_thread(self.learning.train, _project(request), asked)
        return json(job.facts(), 202)

    async def cancel(self, request: Request) -> Response:
        """200 and the job, which ends within a second or two; 409 where there is nothing to cancel."""
        job = await asyncio.to_thread(self.learning.cancel, _project(request))
        if job is None:
            raise Problem("not-possible-now", "no training of this project goes on or waits")
        return json(job.facts())

    async def result(self, request: Request) -> Response:
        """Of the last training; all percentages 0 to 100. ``why_key`` and ``why_values``, and those of the
        accuracy's reason and of each of ``notes``, are for pages in any language. ``left_out``: images that
        cannot be read, with reasons. Each of ``suspicious`` has ``repair``: a body for ``POST P/changes``, or
        null."""
        found = await asyncio.to_thread(self.learning.result, _project(request))
        if found is None:
            raise nothing_learned()
        return json(found)

    async def put_result(self, request: Request) -> Response:
        """``{"result", "answers"?}`` as project.json and .answers.json of a project's zip hold them, of the
        prompt that was put → ``{"report": whether the answers were taken, so that there is a report}``."""
        project = _project(request)
        await asyncio.to_thread(self.learning.prompt, project)  # there is such a project
        asked = await json_of(request, min(MOST_RESULT, self.shared.limits.max_body_bytes))
        check_fields(asked, ("result", "answers"))
        put = self.learning.put_result
        taken = await asyncio.to_thread(put, project, asked.get("result"), asked.get("answers"))
        return json({"report": taken})

    async def suggestions(self, request: Request) -> Response:
        """``{"suggestions": [{"image", "class", "probability", "second", "second_probability"}]}``."""
        limit = _limit(request)
        found = await asyncio.to_thread(self.learning.suggestions, _project(request), limit)
        return json({"suggestions": found})

    async def nearest(self, request: Request) -> Response:
        """multipart with one file → ``{"nearest": [{"image", "class", "similarity"}]}``, 8 at most."""
        image = await self._image(request)
        [features] = await self.shared.encoder.encode([image], self.shared.caller(request).name)
        if not isinstance(features, np.ndarray):
            raise Problem("bad-image", str(features), **keys_of(features))
        found = await asyncio.to_thread(self.learning.nearest, _project(request), features)
        return json({"nearest": found})

    async def prompt(self, request: Request) -> Response:
        """The file, as a download."""
        project = _project(request)
        path = await asyncio.to_thread(self.learning.prompt, project)
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError:
            raise nothing_learned() from None
        return Response(data, headers=_download(f"{project}.prompt"), media_type=PROMPT_TYPE)

    async def put_prompt(self, request: Request) -> Response:
        """The bytes of a prompt file → what ``GET /v1/prompts`` tells of it. The result of a training is not
        of this one, so there is none then."""
        project, limits = _project(request), self.shared.limits
        await asyncio.to_thread(self.learning.prompt, project)  # there is such a project
        data = await read_bytes(request, min(limits.max_prompt_bytes, limits.max_body_bytes))
        try:
            listed = await self.shared.bank.put(project, data)
        except PromptFileError as error:
            slug = "not-stored" if isinstance(error.__cause__, OSError) else "wrong-prompt-file"
            raise Problem(slug, f"nothing was changed: {error}", **keys_of(error)) from error
        await asyncio.to_thread(self.learning.put, project)
        return json(list_facts(listed))

    async def archive(self, request: Request) -> Response:
        """The zip, made as it is sent; its size is not known before."""
        project = _project(request)
        parts = await asyncio.to_thread(self.learning.archive, project)
        headers = _download(f"{project}.zip")
        return StreamingResponse(iterate_in_threadpool(parts), headers=headers, media_type="application/zip")

    async def report(self, request: Request) -> Response:
        """One HTML page that loads nothing, as a download."""
        project = _project(request)
        page = await asyncio.to_thread(self.learning.report, project)
        return Response(page, headers=_download(f"{project}.html"), media_type="text/html; charset=utf-8")

    async def export(self, request: Request) -> Response:
        """``?to=vectors`` a .npz, ``?to=onnx`` a zip of the folder."""
        to = request.query_params.get("to", VECTORS)
        path = await _alone(partial(self.learning.export, _project(request), to), _remove)
        headers = {**_download(path.name), "Content-Length": str(path.stat().st_size)}
        return StreamingResponse(iterate_in_threadpool(_sent(path)), headers=headers, media_type=PROMPT_TYPE)

    async def _image(self, request: Request) -> bytes:
        most = self.shared.limits.max_body_bytes
        if media_type(request) != "multipart/form-data":
            return await read_bytes(request, most)
        head = request.headers.get("content-type", "")
        parts = await read_parts(pieces(request, most), head, 1, 4)
        files = [part.data for part in parts if part.file_name]
        if len(files) != 1:
            raise wrong_field("image", f"{len(files)} files were sent; send one, as image")
        return files[0]


async def _alone(work: Callable[[], T], undo: Callable[[T], object]) -> T:
    """In a thread of its own, which a server that ends does not wait for. undo: what came too late."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def fail(error: BaseException) -> None:
        if not done.done():
            done.set_exception(error)

    def give(found: T) -> None:
        if done.done():  # nobody waits any more
            undo(found)
        else:
            done.set_result(found)

    def run() -> None:
        try:
            after = partial(give, work())
        except BaseException as error:
            after = partial(fail, error)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(after)

    threading.Thread(target=run, name="promptlet-export", daemon=True).start()
    return await done


def _remove(path: Path) -> None:
    """An export, with the folder that it has for itself."""
    shutil.rmtree(path.parent, ignore_errors=True)


def _project(request: Request) -> str:
    return str(request.path_params["id"])


async def _asked(request: Request) -> dict[str, Any]:
    """What is said of a training; nothing where the body is empty."""
    body = await read_bytes(request, 1 << 16)
    try:
        found = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("malformed-body", f"the body is no JSON ({error}); check what is sent") from None
    if not isinstance(found, dict):
        raise Problem("malformed-body", f"the JSON is {shown(found)}; send one object: {', '.join(ASKED)}")
    for name in found:
        if name not in ASKED:
            raise wrong_field(name, f"{shown(name)} is no field of this; allowed: {', '.join(ASKED)}")
    return found


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "200")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MOST_SUGGESTIONS:
        raise wrong_field("limit", f"limit={shown(text)} is not allowed; give 1 to {MOST_SUGGESTIONS:,}")
    return int(text[:9])


def _download(name: str) -> Mapping[str, str]:
    """Headers of a file to be kept under this name."""
    told = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return {"Content-Disposition": told, "Cache-Control": "no-store"}


def _sent(path: Path) -> Iterator[bytes]:
    """A file in pieces; its folder goes behind the last."""
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece
    finally:
        _remove(path)
