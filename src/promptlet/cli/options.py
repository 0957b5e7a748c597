"""Options that several commands share: `fit`, `bench run`, `analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptlet.numbers import check_number

DEFAULT_BACKBONE = "openai/clip-vit-base-patch16"


def allowed(name: str) -> Any:
    """What the shell checks a number with while it reads the command, before anything else is read."""

    def check(value: Any) -> Any:
        return check_number(f"--{name.replace('_', '-')}", value, name)

    return check


Root = Annotated[Path | None, typer.Option(help="Where data sets known by name lie.", show_default=False)]
BackboneName = Annotated[str, typer.Option(help="See: promptlet backbones.")]
Seeds = Annotated[str, typer.Option(help="As 1,2,3 or 1-3.")]
ScheduleName = Annotated[
    str,
    typer.Option(help="fast (few, large steps), coop, or official (coop as the method's own code runs it)."),
]
Epochs = Annotated[
    int | None,
    typer.Option(help="Instead of the schedule's.", callback=allowed("epochs"), show_default=False),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        help="Instead of the method's or the schedule's.", callback=allowed("lr"), show_default=False
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Instead of the schedule's.", callback=allowed("batch_size"), show_default=False),
]
EngineName = Annotated[
    str, typer.Option(help="inline (one run after the other), processes, or ray (a cluster).")
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Runs at once; else one per processor, or per GPU.",
        callback=allowed("workers"),
        show_default=False,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster, host:port or auto; else one is started here.", show_default=False),
]
