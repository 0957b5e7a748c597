"""`promptlet teach`: a page in the browser, on which images become a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.given.options import BACKBONES, DEFAULT_BACKBONE, Port
from promptlet.cli.serve.command import check_extra
from promptlet.cli.shell import Device, Dtype, Json, examples

EXAMPLES = examples("teach", "teach --projects photos --backbone mini", "teach --port 0 --no-browser --json")
FOLDER = Path("promptlet-projects")


def command(
    projects: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Where projects lie, each a folder of images per class; made if missing."
        ),
    ] = FOLDER,
    backbone: Annotated[
        str | None,
        typer.Option(
            help=f"{BACKBONES}; else the one that prompts in DIR name, or {DEFAULT_BACKBONE}.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    port: Port = None,
    host: Annotated[
        str | None,
        typer.Option(help="Where to listen; else 127.0.0.1, for this machine alone.", show_default=False),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address, and open no browser.")
    ] = False,
    json: Json = False,
) -> None:
    """Teach a classifier on a page in the browser, from images that are dropped there. Ends with Ctrl-C."""
    check_extra("teach")
    given = {
        "backbone": backbone,
        "device": device,
        "dtype": dtype,
        "port": port,
        "host": host,
    }
    from promptlet.cli.teach.words import tell, tell_json
    from promptlet.teach.start import run

    run(projects, given, (tell_json if json else tell), DEFAULT_BACKBONE, not no_browser)
