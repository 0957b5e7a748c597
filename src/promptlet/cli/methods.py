"""`promptlet methods`: the methods there are, or one in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.shell import Json, emit_json, examples, say, table

if TYPE_CHECKING:
    from promptlet.methods import MethodInfo

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
        rows = [(info.name, info.summary, info.trains, info.paper) for info in infos]
        table(("method", "what it is", "learns", "paper"), rows)
    else:
        _show(infos[0])


def _document(info: MethodInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "summary": info.summary,
        "trains": info.trains,
        "unseen_classes": info.unseen_classes,
        "options": dict(info.options),
        "learning_rates": dict(info.learning_rates),
        "official": None if info.official is None else dict(info.official),
        "paper": info.paper,
        "bibtex": info.bibtex,
        "notes": info.notes,
    }


def _show(info: MethodInfo) -> None:
    say(f"{info.title} ({info.name}): {info.summary}")
    say(f"learns    {info.trains}")
    say(f"options   {', '.join(f'{name}={value}' for name, value in info.options.items())}")
    if info.learning_rates:
        rates = ", ".join(f"{rate} (schedule {name})" for name, rate in info.learning_rates.items())
        say(f"its rates {rates}")
    if info.official is not None:
        changes = ", ".join(f"{name}={value}" for name, value in info.official.items())
        say(f"official  schedule coop with {changes}")
    say(f"paper     {info.paper}")
    if info.notes:
        say(f"note      {info.notes}")
    say(f"\n{info.bibtex}")
