"""`promptlet serve-token`: a token for somebody who may ask a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.shell import Json, emit_json, examples, say, warn
from promptlet.errors import OptionError

EXAMPLES = examples(
    'serve-token tokens.toml --name acme --prompts "acme-*" --prompts pets',
    "serve-token tokens.toml --name operations --admin --json",
)


def command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.toml", help="The token file; made where it is not there.", show_default=False
        ),
    ],
    name: Annotated[
        str, typer.Option(help="Whose it is: stands in the log, and shares the queue.", show_default=False)
    ],
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|PATTERN",
            help='A prompt that it may ask, or several, as "acme-*"; may be given again; else all.',
            show_default=False,
        ),
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="It may ask all prompts, and put and delete prompt files.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a token, show it once, and add its hash to the token file. A running server takes it by itself."""
    if admin and prompts:
        raise OptionError("--admin may ask all prompts, and --prompts names some; give one of the two")
    from promptlet.serve.access.keeping import add_token

    token, entry = add_token(file, name, tuple(prompts or ("*",)), admin)
    if json:
        emit_json(
            {
                "token": token,
                "id": entry.id,
                "name": entry.name,
                "prompts": list(entry.prompts),
                "admin": entry.admin,
                "file": str(file),
            }
        )
        return
    say(token)
    what = "all prompts, and change them" if admin else ", ".join(prompts or ("all prompts",))
    warn(f"{name} may ask {what}; the hash is in {file}")
    warn("this is the only time it is shown; send it as the header Authorization: Bearer TOKEN")
