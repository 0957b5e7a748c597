"""The command line: a thin shell over the library, one file per command. Loads no torch to show its help."""

from __future__ import annotations


def main() -> None:
    """Run the command line.

    Exit code 0, 1 for a failure, 2 for wrong usage, 130 when interrupted, 143 when SIGTERM stopped it.
    """
    from promptlet.cli.stopping import exit_code, stoppable, word
    from promptlet.cli.streams import warn

    with stoppable():
        try:
            from promptlet.cli.app import app

            app(prog_name="promptlet")
        except KeyboardInterrupt:  # before the command began, or behind its end
            warn(f"{word()}: run the same command again")
            raise SystemExit(exit_code()) from None


__all__ = ["main"]
