"""Where a prompt is: a file, a folder that holds one as the hub has it, or a place of the hub."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from promptlet.cli.streams import say, warn
from promptlet.errors import OptionError
from promptlet.hub.places import PROMPT, SCHEME, is_place, place_of

if TYPE_CHECKING:
    from promptlet.hub import Pushed


def on_disk(file: Path) -> Path:
    """The prompt file on this disk that is meant; what is on the hub is fetched. Raises OptionError and
    HubError."""
    if is_place(file):
        from promptlet.hub import fetch

        found = fetch(place_of(file))
        if found.note:
            warn(f"note: {found.note}")
        return found.path
    _check_not_exported(file)
    inside = file / PROMPT
    if str(file).startswith("hf:") and not file.exists():
        raise OptionError(f"{file}: there is no such file; a prompt of the hub is written {SCHEME}OWNER/NAME")
    return inside if inside.is_file() else file


def _check_not_exported(file: Path) -> None:
    """Raise OptionError for what was exported of a prompt file, where that file is needed."""
    from promptlet.exported.files.choosing import is_vectors_name
    from promptlet.exported.folder import is_exported

    if is_exported(file):
        raise OptionError(
            f"{file} is an exported folder, which promptlet predict answers from and promptlet inspect "
            "shows; give the prompt file that it was made of"
        )
    if is_vectors_name(file):
        raise OptionError(
            f"{file} is no prompt file by its name, but class vectors; give the prompt file that they were "
            "exported from"
        )


def command_to_push(file: Path, hub_id: str, license: str | None, private: bool) -> str:
    """What puts a prompt file there."""
    options = f"{f' --license {license}' if license else ''}{' --private' if private else ''}"
    return f"promptlet push {quote(str(file))} {hub_id}{options}"


def tell_pushed(done: Pushed) -> None:
    """For people."""
    say(f"pushed to {done.url}, version {done.commit[:12]}")
    if done.kept_card:
        warn("note: its card was edited by somebody and stays; promptlet push --new-card writes it anew")
    say(f"next: promptlet predict {SCHEME}{done.id} IMAGE...")


def facts_of_push(done: Pushed) -> dict[str, Any]:
    """For ``--json``."""
    return asdict(done)
