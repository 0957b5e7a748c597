"""`promptlet push`: a prompt file goes to the Hugging Face hub, with a card that says what it is."""

from __future__ import annotations

from typing import Annotated

import typer

from promptlet.cli.given.options import License, Private, Prompt
from promptlet.cli.given.places import command_to_push, facts_of_push, on_disk, tell_pushed
from promptlet.cli.shell import Json, emit_json, examples
from promptlet.cli.streams import emit_document
from promptlet.errors import HubError

EXAMPLES = examples(
    "push pets.prompt jane/pets --license mit",
    "push pets.prompt jane/pets --private",
    "push pets.prompt jane/pets --dry-run",
)


def command(
    file: Prompt,
    hub_id: Annotated[
        str, typer.Argument(metavar="ID", help="Where it goes: OWNER/NAME.", show_default=False)
    ],
    license: License = None,
    private: Private = False,
    message: Annotated[str | None, typer.Option(help="Of the commit.", show_default=False)] = None,
    new_card: Annotated[
        bool, typer.Option("--new-card", help="Write the card anew, also where somebody edited it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the card, and send nothing.")] = False,
    json: Json = False,
) -> None:
    """Put a prompt file on the Hugging Face hub: the file, a card and a config, as one commit.

    The token is that of hf auth login, or of HF_TOKEN.
    """
    from promptlet.hub import CARD, check_push, checked_id, contents_of, push
    from promptlet.promptfile import check_magnitudes, load_prompt_file

    checked_id(hub_id)
    path = on_disk(file)
    prompt = load_prompt_file(path)
    check_magnitudes(prompt, path)
    license = license if dry_run else check_push(hub_id, license=license)
    title = hub_id.split("/")[1]
    contents = contents_of(prompt, prompt.precision, hub_id=hub_id, title=title, license=license)
    files = {name: len(data) for name, data in contents.items()}
    if dry_run:
        card = contents[CARD].decode()
        if json:
            emit_json({"id": hub_id, "files": files, "card": card})
        else:
            emit_document(card)
        return
    try:
        done = push(hub_id, contents, private=private or None, message=message, new_card=new_card)
    except HubError as error:
        again = command_to_push(file, hub_id, license, private)
        raise HubError(f"{error}. {file} is as it was; try again: {again}", error.status) from error
    if json:
        emit_json({"file": str(file), "files": files, **facts_of_push(done)})
    else:
        tell_pushed(done)
