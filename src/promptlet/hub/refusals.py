"""What the hub's library raises, as errors that say what to do next. A token is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from promptlet.errors import HubError, MissingExtraError, PromptletError
from promptlet.hub.places import HubPlace
from promptlet.hub.quiet import quiet

LOG_IN = "log in (hf auth login), or set HF_TOKEN"
AGAIN_LATER = (408, 425, 429)
"""Answers that say nothing of what was asked."""


def need_library() -> None:
    """Raise MissingExtraError where the hub's library is not here: transformers brings it, and torch-less
    machines have neither."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "the hub is asked by the package huggingface_hub: pip install huggingface_hub"
        ) from error


@contextmanager
def refusing(place: HubPlace, doing: str) -> Iterator[None]:
    """Inside a block the hub is asked, without noise. Raises HubError; doing: "read" or "write"."""
    try:
        with quiet():
            yield
    except PromptletError:
        raise
    except Exception as error:  # whichever HTTP client it uses has its own errors
        status = status_of(error)
        raise HubError(
            f"cannot {doing} {place.id} on the hub: {_why(error, place, doing)}", status
        ) from error


def status_of(error: Exception) -> int:
    """Of the hub's answer; 0 where there is none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def unreachable(error: Exception) -> str:
    """Why the hub could not be asked, or could not answer, in a few words; nothing where it did answer."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    status = status_of(error)
    if isinstance(error, OfflineModeIsEnabled):
        return "it is set to be offline: HF_HUB_OFFLINE"
    if 400 <= status < 500 and status not in AGAIN_LATER:
        return ""
    return f"it answers {status}" if status else f"{type(error).__name__}: {_first_line(error)}"


def _why(error: Exception, place: HubPlace, doing: str) -> str:
    return _of_place(error, place, doing) or _of_status(error, place, doing)


def _of_place(error: Exception, place: HubPlace, doing: str) -> str:
    """Where it says that what was asked for is not there, or not for everybody."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return f"access is given on request: ask for it on the page of {place.id}, and {LOG_IN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"it has no {place.id} that you may {doing}; check the id; what is private needs a token: "
            f"{LOG_IN}"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {place.revision or 'main'!r} of it; check its branches and tags"
    if isinstance(error, errors.EntryNotFoundError):
        return "it holds no prompt.safetensors, and so no prompt; promptlet push FILE ID makes one"
    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"no token was found; {LOG_IN}"
    return ""


def _of_status(error: Exception, place: HubPlace, doing: str) -> str:
    status = status_of(error)
    said = _first_line(error)
    known = {
        401: f"your token is not valid; make another one on the hub, and {LOG_IN}",
        403: f"your token may not {doing} there; take one with that right, or another owner than "
        f"{place.id.partition('/')[0]!r}",
        409: "somebody else changes it at the same time; try again",
        412: "somebody else changed it at the same time; try again",
        429: "it was asked too often; try again in some minutes",
    }
    if status in known:
        return known[status]
    reason = unreachable(error)
    return f"it cannot be reached ({reason}); try again later" if reason else f"it answers {status}: {said}"


def _first_line(error: Exception) -> str:
    """What it says, cut; addresses that a person could sign with are not in its first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
