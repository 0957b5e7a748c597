"""What the routes of projects share: where projects are kept, who is told, and errors as problems."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from starlette.requests import Request

from promptlet.errors import OptionError, shown, why
from promptlet.serve.http.bodies import media_type, read_bytes
from promptlet.serve.http.problems import Problem, keys_of, wrong_field
from promptlet.teach.events import Events
from promptlet.teach.learning.refusals import NothingLearnedError, NotNowError
from promptlet.teach.projects.journal import NotKeptError
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf, UnknownProjectError
from promptlet.teach.projects.smalls import Smalls

if TYPE_CHECKING:
    from promptlet.serve.http.shared import Endpoint
    from promptlet.teach.learning.learning import Learning

T = TypeVar("T")
MOST_JSON: Final = 8 << 20
"""Bytes of a body that names images: a hundred thousand."""


@dataclass(frozen=True)
class Desk:
    """backbone: its name and the pixels that it reads, for pages that make images smaller."""

    shelf: Shelf
    smalls: Smalls
    events: Events
    learning: Learning
    backbone: Mapping[str, Any]

    def project(self, request: Request) -> Project:
        """The one that the address names. Raises UnknownProjectError."""
        return self.shelf.get(str(request.path_params["id"]))


def in_words(endpoint: Endpoint) -> Endpoint:
    """What goes wrong with projects, as problems."""

    @wraps(endpoint)
    async def told(request: Request) -> Any:
        try:
            return await endpoint(request)
        except UnknownProjectError as error:
            raise Problem(
                "unknown-project",
                f"there is no project {shown(str(error.args[0])[:100])}; it may have been deleted in another "
                "tab: look at the list of projects, which brings it back",
            ) from None
        except NotNowError as error:
            raise Problem("not-possible-now", str(error), **keys_of(error)) from error
        except NothingLearnedError as error:
            raise Problem("nothing-learned", str(error), **keys_of(error)) from error
        except OptionError as error:
            raise wrong_field("", str(error), **keys_of(error)) from error
        except NotKeptError as error:
            raise Problem("not-kept", str(error), **_of_disk("not-kept", error)) from error
        except OSError as error:
            raise Problem(
                "not-kept",
                f"the project's folder cannot be used ({why(error)}); look whether it is there, and may be "
                "read and written",
                **_of_disk("disk", error),
            ) from error

    return told


def _of_disk(key: str, error: OSError) -> dict[str, Any]:
    """Members by which a page says in any language what a disk refused, with its own reason."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return {"detail_key": key, "detail_values": {"reason": why(cause)}}


async def json_of(request: Request, most: int = MOST_JSON) -> dict[str, Any]:
    """The object that a body holds; an empty body is an empty one. Raises Problem."""
    kind = media_type(request)
    if kind not in ("", "application/json"):
        raise Problem("unknown-form", f"Content-Type {shown(kind)} is not read here; send application/json")
    body = await read_bytes(request, most)
    try:
        found = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("malformed-body", f"the body is no JSON ({error}); check what is sent") from None
    if not isinstance(found, dict):
        raise Problem("malformed-body", f"the JSON is {shown(found)}; send one object with fields")
    return found


def check_fields(asked: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    """Raises Problem for others."""
    for name in asked:
        if name not in allowed:
            raise wrong_field(name, f"{shown(name)} is no field of this; allowed: {', '.join(allowed)}")


async def in_thread(work: Callable[..., T], *given: Any) -> T:
    """What reads or writes the disk; begun, it is finished, also where nobody waits any more."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *given))
    task.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
    return await asyncio.shield(task)
