"""The commands, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import promptlet
from promptlet.cli import backbones, cache, check, compare, datasets, evaluate, methods, push
from promptlet.cli.bench import analyze
from promptlet.cli.bench import app as bench
from promptlet.cli.demo import command as demo
from promptlet.cli.ending import ErrorsInWords
from promptlet.cli.export import command as export
from promptlet.cli.fit import command as fit
from promptlet.cli.given.own_methods import import_methods
from promptlet.cli.inspect import command as inspect
from promptlet.cli.predict import command as predict
from promptlet.cli.search import command as search
from promptlet.cli.serve import command as serve
from promptlet.cli.serve import token as serve_token
from promptlet.cli.teach import command as teach

app = typer.Typer(
    name="promptlet",
    cls=ErrorsInWords,
    help="Adapt a frozen vision-language model from a few images by learning half a thousand numbers.",
    epilog="Example: promptlet fit photos --out photos.prompt",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"promptlet {promptlet.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    imports: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            metavar="FILE|MODULE",
            envvar="PROMPTLET_IMPORT",
            help="A Python file or module with methods of your own; may be given again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    for given in imports or ():
        import_methods(str(given))


app.command("demo", epilog=demo.EXAMPLES)(demo.command)
app.command("fit", epilog=fit.EXAMPLES)(fit.command)
app.command("predict", epilog=predict.EXAMPLES)(predict.command)
app.command("search", epilog=search.EXAMPLES)(search.command)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.command)
app.command("compare", epilog=compare.EXAMPLES)(compare.command)
app.command("check", epilog=check.EXAMPLES)(check.command)
app.command("export", epilog=export.EXAMPLES)(export.command)
app.command("inspect", epilog=inspect.EXAMPLES)(inspect.command)
app.command("push", epilog=push.EXAMPLES)(push.command)
app.command("serve", epilog=serve.EXAMPLES)(serve.command)
app.command("serve-token", epilog=serve_token.EXAMPLES)(serve_token.command)
app.command("teach", epilog=teach.EXAMPLES)(teach.command)
app.add_typer(bench.app, name="bench")
app.command("analyze", epilog=analyze.EXAMPLES)(analyze.command)
app.command("methods", epilog=methods.EXAMPLES)(methods.command)
app.command("backbones", epilog=backbones.EXAMPLES)(backbones.command)
app.add_typer(datasets.app, name="datasets")
app.add_typer(cache.app, name="cache")
