"""A prompt goes to the hub: what can be checked is checked before, and what others wrote there stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.errors import HubError, OptionError, listed
from promptlet.hub.card import check_license, front_matter, is_own_card
from promptlet.hub.fetching import TIMEOUT, Token
from promptlet.hub.folder import CARD
from promptlet.hub.places import PROMPT, HubPlace, checked_id
from promptlet.hub.refusals import LOG_IN, need_library, refusing, status_of

MESSAGE = "A prompt of Promptlet"
WRITERS = ("admin", "write", "contributor")
"""What a person may be in an organisation to put things there."""
_NEUTRAL = {CARD, ".gitattributes", ".gitignore", "LICENSE"}


@dataclass(frozen=True)
class Pushed:
    """id: where it is; url: of its page; commit: which version it became; kept_card: whether the card that
    was there was edited by somebody, and so stays."""

    id: str
    url: str
    commit: str
    kept_card: bool = False


def check_push(hub_id: str, token: Token = None, license: str | None = None) -> str | None:
    """All that would refuse a push and can be known before there is a prompt: the id, the licence, the token
    and what it may do, what is there already.

    The licence that the card will have: the one given, or else that of the card that is there. Raises
    OptionError, HubError.
    """
    need_library()
    from huggingface_hub import constants

    place = HubPlace(checked_id(hub_id))
    check_license(license)
    if constants.HF_HUB_OFFLINE:
        raise HubError(f"cannot write {hub_id} on the hub: HF_HUB_OFFLINE is set; unset it, or push later")
    with refusing(place, "write"):
        _check_owner(place, token)
        there = _there(place, token)
        if license is not None:
            _check_front_matter(place, license)
        return license or _license_of(there)


def push(
    hub_id: str,
    contents: Mapping[str, bytes],
    *,
    token: Token = None,
    private: bool | None = None,
    message: str | None = None,
    new_card: bool = False,
) -> Pushed:
    """Write files into a repository of the hub, which is made where it is missing, as one commit.

    private: of a new repository; None leaves it to its owner's setting. new_card: also over a card that
    somebody edited. Raises HubError; what could not be pushed is as it was.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    place = HubPlace(checked_id(hub_id))
    with refusing(place, "write"):
        there, api = _there(place, token), HfApi(token=token)
        made = api.create_repo(hub_id, private=private, exist_ok=True)
        kept = there is not None and not new_card and not is_own_card(there)
        files = {name: data for name, data in contents.items() if not (kept and name == CARD)}
        done = api.create_commit(
            hub_id,
            [CommitOperationAdd(name, data) for name, data in files.items()],
            commit_message=message or MESSAGE,
        )
    return Pushed(hub_id, str(made), done.oid, kept)


def _check_owner(place: HubPlace, token: Token) -> None:
    """The token is there, may write, and belongs to somebody who may do so there."""
    from huggingface_hub import HfApi

    if token is False:
        raise HubError(f"cannot write {place.id} on the hub without a token: {LOG_IN}")
    try:
        who: dict[str, Any] = HfApi(token=token).whoami()
    except Exception as error:
        if status_of(error) == 429:  # it may seldom be asked, and the push itself will tell
            return
        raise
    owner, name = place.id.split("/")[0], str(who.get("name"))
    teams = {str(team.get("name")): team.get("roleInOrg") for team in who.get("orgs") or ()}
    own = [name, *(team for team, role in teams.items() if role is None or role in WRITERS)]
    if (who.get("auth") or {}).get("accessToken", {}).get("role") == "read":
        raise HubError(
            f"cannot write {place.id} on the hub: your token may only read; make one that may write"
        )
    if owner.casefold() not in {one.casefold() for one in own}:
        raise HubError(
            f"cannot write {place.id} on the hub: you are {name!r} there, and may write to {listed(own)}; "
            f"give {name}/{place.id.split('/')[1]}, or the token of another account"
        )


def _there(place: HubPlace, token: Token) -> bytes | None:
    """The card that is there, None where there is none. Raises OptionError where something else than a prompt
    is there: config.json and the card of another model are not written over."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = HfApi(token=token).model_info(place.id, timeout=TIMEOUT)
    except RepositoryNotFoundError:
        return None
    names = {sibling.rfilename for sibling in found.siblings or ()}
    others = sorted(names - _NEUTRAL)
    if others and PROMPT not in names:
        raise OptionError(
            f"{place.id} is on the hub already and is no prompt: it holds {listed(others)}; give another name"
        )
    if CARD not in names:
        return None
    return Path(hf_hub_download(place.id, CARD, token=token, etag_timeout=TIMEOUT)).read_bytes()


def _license_of(card: bytes | None) -> str | None:
    """What its lines for the hub say; None where they cannot be read."""
    from huggingface_hub import ModelCard

    try:
        told = None if card is None else getattr(ModelCard(card.decode()).data, "license", None)
        check_license(told)
    except Exception:  # of a card that somebody wrote
        return None
    return told


def _check_front_matter(place: HubPlace, license: str) -> None:
    """The hub itself says whether the licence is one of its."""
    from huggingface_hub import ModelCard

    try:
        ModelCard(f"{front_matter(license)}\n# {place.id}\n").validate()
    except ValueError as error:
        raise OptionError(
            f"license={license!r} is none of the hub's: give apache-2.0, mit, cc-by-4.0, other, or another "
            "of its short names"
        ) from error
