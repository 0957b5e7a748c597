"""Arguments and options that several commands share, each with its one help text."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from promptlet.numbers import check_number
from promptlet.views import check_views


def allowed(name: str, kind: str = "") -> Any:
    """What the shell checks a number with while it reads the command, before anything else is read. kind: of
    `promptlet.numbers.KINDS`, where it is not ``name``."""

    def check(value: Any) -> Any:
        return check_number(f"--{name.replace('_', '-')}", value, kind or name)

    return check


def checked_views(value: Any) -> Any:
    """The same for readings of images, a number or a word."""
    is_number = isinstance(value, str) and re.fullmatch("-?[0-9]{1,12}", value)
    return check_views("--views", int(value) if is_number else value)


DEFAULT_BACKBONE = "openai/clip-vit-base-patch16"
"""That of `promptlet.backbones`, which would load torch for every help."""
BACKBONES = "A hub id, a folder, open_clip:NAME/PRETRAINED or features:FILE (see: promptlet backbones)"

Data = Annotated[Path, typer.Argument(metavar="DATA", help="What promptlet fit takes.", show_default=False)]
Prompt = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A prompt file; of the hub: hf://OWNER/NAME[@REVISION].", show_default=False
    ),
]
Inspected = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A prompt file, or hf://OWNER/NAME[@REVISION]; class vectors, or an exported folder.",
        show_default=False,
    ),
]
Port = Annotated[
    str | None,
    typer.Option(metavar="PORT", help="Else 8080; 0 takes a free one and says which.", show_default=False),
]
License = Annotated[
    str | None,
    typer.Option(
        help="Of the prompt, by its short name on the hub: apache-2.0, mit, cc-by-4.0, ...",
        show_default=False,
    ),
]
Private = Annotated[bool, typer.Option("--private", help="A new repository is seen by its owner alone.")]
Page = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Write a page with pictures: NAME.html.", show_default=False),
]
Root = Annotated[Path | None, typer.Option(help="Where data sets known by name lie.", show_default=False)]
BackboneName = Annotated[str, typer.Option(help=f"{BACKBONES}.")]
OtherBackbone = Annotated[
    str | None, typer.Option(help="Instead of the one the file names.", show_default=False)
]
Classes = Annotated[
    str | None,
    typer.Option(help='Answer among these names, taught or not: "a,b,c".', show_default=False),
]
ClassesFile = Annotated[
    Path | None, typer.Option(help="The same from a text file, one name a line.", show_default=False)
]
Shots = Annotated[
    int | None,
    typer.Option(
        help="Images per class drawn for training; else all.", callback=allowed("shots"), show_default=False
    ),
]
Seed = Annotated[int, typer.Option(help="For the draw, the start and the order.", callback=allowed("seed"))]
Views = Annotated[
    str | None,
    typer.Option(
        help="Readings of each image: 1 is the plain one, more add random crops; crops:16 is so many crops "
        "alone. Else 1, or the method's own with official.",
        callback=checked_views,
        show_default=False,
    ),
]
Seeds = Annotated[str, typer.Option(help="As 1,2,3 or 1-3.")]
ScheduleName = Annotated[
    str,
    typer.Option(
        help="fast (few, large steps), adamw (fast by AdamW alone), coop, or official (as the method's own "
        "code runs the protocol, or another one: official:few-shot)."
    ),
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
SampledClasses = Annotated[
    int | None,
    typer.Option(
        help="Classes that each step is over, drawn by chance, where there are thousands: faster, and not "
        "the same; else all.",
        callback=allowed("sampled_classes"),
        show_default=False,
    ),
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


def same_again(data: Path, backbone: str | None) -> str:
    """What another command is to be given for the same images and backbone."""
    named = "" if backbone in (None, DEFAULT_BACKBONE) else f" --backbone {quote(str(backbone))}"
    return f"{quote(str(data))}{named}"
