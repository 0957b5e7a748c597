"""The page docs/reference/cli.md, made from the commands' own help.

python -m promptlet.cli.reference > docs/reference/cli.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

WIDTH = 100
HEAD = """# The command line

Made from the commands' own `--help` by `python -m promptlet.cli.reference > docs/reference/cli.md`. A test
fails when it is out of date.

Every command takes `--json` and then prints exactly one JSON document on standard output; progress, notes and
errors go to standard error. Exit code 0 means done, 1 a failure (said in one line), 2 wrong usage, 130
interrupted, 143 stopped by SIGTERM; [more](../how-to/command-line.md).
"""


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with its words, the root first."""
    from promptlet.cli.app import app

    yield from _below((), typer.main.get_command(app))


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _below((*words, name), child)


def help_of(words: tuple[str, ...]) -> str:
    """The help of one command as it is printed on a terminal of `WIDTH` columns."""
    from typer.testing import CliRunner

    from promptlet.cli.app import app

    columns = {"COLUMNS": str(WIDTH), "TERM": "dumb", "NO_COLOR": "1"}
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="promptlet", env=columns, terminal_width=WIDTH
    )
    return "\n".join(line.rstrip() for line in result.stdout.splitlines())


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for words, _ in commands():
        title = " ".join(("promptlet", *words))
        parts.append(f"## {title}\n\n```text\n{help_of(words)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
