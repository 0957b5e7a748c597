"""A prompt file from the hub, by way of its library's cache; from that alone where it cannot be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from promptlet.errors import HubError
from promptlet.hub.places import PROMPT, HubPlace
from promptlet.hub.refusals import need_library, refusing, unreachable
from promptlet.promptfile.container import MAX_FILE_BYTES

Token = str | bool | None
"""A token, False for none, None or True for the one of this machine: as `huggingface_hub` has it."""
TIMEOUT = 10.0
"""Seconds in which the hub has to answer at all."""


@dataclass(frozen=True)
class Fetched:
    """path: the prompt file in the hub's cache; commit: which version of ``place`` it is; note: what its
    reader should know, or nothing."""

    path: Path
    place: HubPlace
    commit: str
    note: str = ""


def fetch(place: HubPlace, token: Token = None) -> Fetched:
    """The prompt file of a place. Raises HubError with what to do next.

    A commit that is cached needs no network. Of a branch or tag, the hub is asked; where it cannot be, the
    version of last time is taken, and the note says so.
    """
    need_library()
    from huggingface_hub import constants

    known = _cached(place)
    if known is not None and place.is_fixed:
        return known
    if constants.HF_HUB_OFFLINE:
        return _of_cache(place, known, "HF_HUB_OFFLINE is set")
    with refusing(place, "read"):
        try:
            _check_size(place, token)
            return _fetched(place, _download(place, token))
        except Exception as error:
            reason = "" if isinstance(error, HubError) else unreachable(error)
            if not reason:
                raise
            return _of_cache(place, known, f"the hub cannot be reached ({reason})", error)


def _cached(place: HubPlace) -> Fetched | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(place.id, PROMPT, revision=place.revision)
    return _fetched(place, found) if isinstance(found, str) else None


def _fetched(place: HubPlace, path: str) -> Fetched:
    return Fetched(Path(path), place, Path(path).parent.name)


def _of_cache(place: HubPlace, known: Fetched | None, why: str, cause: Exception | None = None) -> Fetched:
    if known is None:
        at = f" --revision {place.revision}" if place.revision else ""
        raise HubError(
            f"{place}: {why}, and the cache on this machine does not have it; where there is a network: hf "
            f"download {place.id} {PROMPT}{at} --local-dir FOLDER; copy it here and give FOLDER/{PROMPT}"
        ) from cause
    note = f"{why}: {place} is taken as it was last fetched, at {known.commit[:12]}"
    return Fetched(known.path, place, known.commit, note)


def _check_size(place: HubPlace, token: Token) -> None:
    """Before anything is loaded: no disk is filled."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(place.id, PROMPT, revision=place.revision)
    size = get_hf_file_metadata(url, token=token, timeout=TIMEOUT).size
    if size is not None and size > MAX_FILE_BYTES:
        raise HubError(
            f"{place}: its {PROMPT} has {size:,} bytes, which no prompt file has; it is not loaded"
        )


def _download(place: HubPlace, token: Token) -> str:
    from huggingface_hub import hf_hub_download

    return hf_hub_download(place.id, PROMPT, revision=place.revision, token=token, etag_timeout=TIMEOUT)
