"""Options that several commands share: `fit`, `bench run`, `analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[Path | None, typer.Option(help="Where data sets known by name lie.", show_default=False)]
BackboneName = Annotated[str, typer.Option(help="See: promptlet backbones.")]
Seeds = Annotated[str, typer.Option(help="As 1,2,3 or 1-3.")]
ScheduleName = Annotated[
    str,
    typer.Option(help="fast (few, large steps), coop, or official (coop as the method's own code runs it)."),
]
Epochs = Annotated[int | None, typer.Option(help="Instead of the schedule's.", show_default=False)]
LearningRate = Annotated[
    float | None, typer.Option(help="Instead of the method's or the schedule's.", show_default=False)
]
BatchSize = Annotated[int | None, typer.Option(help="Instead of the schedule's.", show_default=False)]
EngineName = Annotated[
    str, typer.Option(help="inline (one run after the other), processes, or ray (a cluster).")
]
Workers = Annotated[
    int | None,
    typer.Option(help="Runs at once; else one per processor, or per GPU.", min=1, show_default=False),
]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster, host:port or auto; else one is started here.", show_default=False),
]
