"""`promptlet methods`: the methods there are, or one in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.characters import visible_lines
from promptlet.cli.shell import Json, emit_json, examples, say, table
from promptlet.cli.streams import emit_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptlet.methods import MethodInfo
    from promptlet.methods.official import Case, Official

HEAD = ("method", "what it is", "learns", "options", "unseen names", "official", "paper")
READS = {
    "features": "features of images: each image is encoded once and cached",
    "images": "the images themselves, at every step: the image tower changes",
}
NO_TEXT = '""'
NEEDS = {
    (False, False): "no tower: features of images and vectors of class names will do (features:FILE)",
    (True, False): "the text tower",
    (False, True): "the image tower",
    (True, True): "both towers",
}
EXAMPLES = examples("methods", "methods rlp", "methods --json")


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this one in detail.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the methods, or show one: what it learns, its options and their defaults, its paper."""
    from promptlet.errors import check_option
    from promptlet.methods import METHODS

    chosen = list(METHODS) if name is None else [check_option("method", name, METHODS)]
    infos = [METHODS[method].info for method in chosen]
    if json:
        emit_json({"methods": [_document(info) for info in infos]})
    elif name is None:
        table(HEAD, [_row(info) for info in infos])
        say("official: where --schedule official knows its code's settings. More: promptlet methods NAME")
    else:
        _show(infos[0])


def _row(info: MethodInfo) -> tuple[str, ...]:
    """A line of the list, under `HEAD`."""
    options = " ".join(name for name in info.options if name != "seed")
    unseen = "yes" if info.unseen_classes else "no"
    official = "-" if info.learns != "by steps" else "yes" if info.official else "no"
    return info.name, info.summary, info.trains, options, unseen, official, _source(info)


def _source(info: MethodInfo) -> str:
    """The paper, without the place in it."""
    return info.paper.split(",")[0].split(";")[0]


def _document(info: MethodInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "summary": info.summary,
        "trains": info.trains,
        "unseen_classes": info.unseen_classes,
        "options": dict(info.options),
        "reads": info.reads,
        "in_text_tower": info.in_text_tower,
        "learns": info.learns,
        "uses_val": info.uses_val,
        "by_class": info.by_class,
        "templates": dict(info.templates),
        "fast": dict(info.fast),
        "fast_whole": dict(info.fast_whole),
        "official": {protocol: _row_document(row) for protocol, row in info.official.items()},
        "paper": info.paper,
        "bibtex": info.bibtex,
        "notes": info.notes,
    }


def _row_document(row: Official) -> dict[str, Any]:
    return {
        "source": row.source,
        **_changes(row),
        "cases": [
            {"datasets": list(case.datasets), "shots": case.shots and list(case.shots), **_changes(case)}
            for case in row.cases
        ],
        "views": row.views,
        "told": row.told,
    }


def _changes(of: Official | Case) -> dict[str, Any]:
    return {"schedule": dict(of.schedule), "options": dict(of.options)}


def _show(info: MethodInfo) -> None:
    say(f"{info.title} ({info.name}): {info.summary}")
    say(f"learns    {info.trains}")
    say(f"options   {', '.join(f'{name}={value}' for name, value in info.options.items())}")
    say(f"reads     {READS[info.reads]}")
    say(f"needs     {NEEDS[info.in_text_tower, info.reads == 'images']}")
    say(f"unseen    {'answers among names it was not trained on' if info.unseen_classes else 'refused'}")
    if info.fast_whole or info.fast:
        say(f"fast      schedule fast with {_in_words(info.fast_whole or info.fast)}")
    if info.fast_whole:
        varied = [option for option in ("dropout", "per_class") if option in info.options]
        when = ", ".join(["several views", "batches", *varied])
        say(f"          with {when} or sampled classes: {_in_words(info.fast) or 'as it is'}")
    _show_official(info)
    lines = [f"{dataset}: {template}" for dataset, template in info.templates.items()]
    for number, line in enumerate([*lines, "elsewhere the data set's own"] if lines else []):
        say(f"{'' if number else 'templates':9} {line}")
    say(f"paper     {info.paper}")
    if info.notes:
        say(f"note      {info.notes}")
    emit_document(f"\n{visible_lines(info.bibtex)}\n")


def _show_official(info: MethodInfo) -> None:
    """The table of official settings, or that there is none."""
    if not info.official and info.learns == "by steps":
        say("official  none: the settings are not public, or are no number of epochs")
    if info.official:
        say("official  schedule coop with, and further options, by protocol:")
    for protocol, row in info.official.items():
        say(f"{'':10}{protocol}: {_told(row)}")
        for case in row.cases:
            say(f"{'':12}{_when(case)}: {_told(case)}")
        say(f"{'':12}reads {_readings(row, info)}")
        say(f"{'':12}from {row.source}")
        if row.told:
            say(f"{'':12}{row.told}")


def _told(of: Official | Case) -> str:
    return _in_words({**of.schedule, **of.options}) or "its defaults"


def _readings(row: Official, info: MethodInfo) -> str:
    """Of which readings of its images."""
    from promptlet.views import CROPS, in_words

    if info.learns == "nothing":
        return "no training images"
    if row.views != CROPS:
        return f"{in_words(row.views)} of each image"
    if info.reads == "images":
        return "a new crop of each image in every epoch"
    return f"{in_words(CROPS)} of each image in turn; its own code a new one in every epoch"


def _when(case: Case) -> str:
    """For which data sets and shots a case is."""
    from promptlet.methods.official import MOST_SHOTS

    shots = ""
    if case.shots is not None:
        least, most = case.shots
        shots = f"{least} to {most} shots" if least < most else f"{most} shot{'s' if most > 1 else ''}"
        shots = f"{least} or more shots" if most == MOST_SHOTS else shots
    return " at ".join(filter(None, (", ".join(case.datasets), shots)))


def _in_words(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value if value != '' else NO_TEXT}" for key, value in changes.items())
