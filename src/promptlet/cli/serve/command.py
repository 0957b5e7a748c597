"""`promptlet serve`: prompt files over one backbone, by HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from promptlet.cli.given.options import BACKBONES, Port
from promptlet.cli.shell import Device, Dtype, Json, examples
from promptlet.errors import MissingExtraError, OptionError, shown

EXAMPLES = examples(
    "serve",
    "serve --prompts prompts/ --port 9000",
    "serve --prompts prompts/ --host 0.0.0.0 --token-file tokens.toml",
    "serve --engine ray --ray-address auto --set fronts=2 --set max_encoders=8",
    "serve --config serve.toml --set max_images=16 --set max_body_bytes=32MB --json",
)
NEEDED = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
    "pydantic_settings": "pydantic-settings",
    "watchfiles": "watchfiles",
    "fsspec": "fsspec",
}
"""Modules of the extra, and the packages they come in."""


def command(
    prompts: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Where prompt files lie: a folder, or an address of fsspec (s3://...); else this folder.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help=f"{BACKBONES}; else the one that the prompt files name.", show_default=False),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Where to listen; else 127.0.0.1, for this machine alone. Others need --token-file.",
            show_default=False,
        ),
    ] = None,
    port: Port = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Hashes of tokens, as promptlet serve-token writes them.", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="local|ray",
            help="In this process, or on a Ray cluster (docs/how-to/serve-on-ray.md); else local.",
            show_default=False,
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|auto",
            help="Of the cluster; else one is started on this machine.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Settings in a file.", show_default=False),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting (docs/reference/serve-settings.md); may be given again. Each is also "
            "read from the environment: PROMPTLET_SERVE_NAME.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Answer over HTTP: images in, answers of any number of prompts out. Ends with Ctrl-C or SIGTERM."""
    check_extra()
    options: dict[str, Any] = {
        "prompts": prompts,
        "backbone": backbone,
        "device": device,
        "dtype": dtype,
        "host": host,
        "port": port,
        "token_file": token_file,
        "engine": engine,
        "ray_address": ray_address,
    }
    given = {name: value for name, value in options.items() if value is not None}
    from promptlet.serve.settings import read_settings

    settings = read_settings(_with(given, more or ()), config)
    from promptlet.cli.serve.words import tell, tell_json

    said = tell_json if json else tell
    if settings.projects is not None:
        from promptlet.teach.start import run_beside

        run_beside(settings, said)
    elif settings.engine == "ray":
        from promptlet.serve.ray.service import run_on_ray

        run_on_ray(settings, said)
    else:
        from promptlet.serve.start import run

        run(settings, said)


def check_extra(command: str = "serve") -> None:
    """Raise MissingExtraError, with all that is missing, before anything is loaded."""
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"promptlet {command} needs optional packages ({', '.join(missing)}): pip install "
            "'promptlet[serve]'"
        )


def _with(given: dict[str, Any], more: Sequence[str]) -> dict[str, Any]:
    """The settings of options, and those of ``--set``. Raises OptionError."""
    settings = dict(given)
    for one in more:
        name, equals, value = one.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise OptionError(f"--set {shown(one)}: write NAME=VALUE, as in --set max_images=16")
        if name in settings:
            raise OptionError(f"--set {name}: it was given already; give it once")
        settings[name] = value.strip()
    return settings
