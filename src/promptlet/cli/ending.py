"""How a command ends: with an exit code and one sentence, whatever happened."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from promptlet.characters import visible
from promptlet.cli.shell import emit_json
from promptlet.cli.stopping import Interrupted, exit_code, is_stopped, word
from promptlet.cli.streams import bear_any_text, finish_output, not_written, warn
from promptlet.disk import is_full
from promptlet.errors import ImageError, OptionError, PromptletError, did_you_mean, shown

STOPPED = 130
"""What typer ends with where a command was stopped before it began."""
AGAIN = "run the same command again"
WHOLE = frozenset(("torch", "transformers", "safetensors", "sentencepiece", "sklearn", "scipy", "matplotlib"))
WHOLE |= {"filelock", "jinja2", "msgspec", "platformdirs", "rich"}
"""Of what the package needs, all but what is imported before: it may be installed without them."""


class Suggesting(TyperGroup):
    """A group of commands that says which ones there are where another is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; the name that is meant, or all names, beside one that is not there."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            known = self.list_commands(ctx)
            hint = did_you_mean(args[0], known) or f" Commands: {', '.join(known)}."
            ctx.fail(f"No such command {shown(args[0])}.{hint}")
        return super().resolve_command(ctx, args)


class ErrorsInWords(Suggesting):
    """The root of the commands: expected errors become one line on standard error and an exit code."""

    _told = False
    """Whether it was said that the command was stopped."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line on streams that bear any text. Ends with 1 where its results could not be
        written, quietly where nobody reads them."""
        self._told = False
        bear_any_text()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # of typer's own, such as the help
            if not is_full(error):
                raise
            problem = finish_output() or not_written(error)
            warn(f"error: {problem}")
            raise SystemExit(1) from None
        except SystemExit as error:
            problem = finish_output()
            if problem:
                warn(f"error: {problem}")
                raise SystemExit(error.code or 1) from None
            if error.code != STOPPED:
                raise
            if not self._told:
                warn(f"{word()}: {AGAIN}")
            raise SystemExit(exit_code()) from None

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """As typer does, with the words of a wrong usage shown safely."""
        with _usage_in_words():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Exits with 2 for a wrong option, 1 for another expected error, 130 for Ctrl-C, 143
        for SIGTERM.

        Anything else is a bug and shows as one.
        """
        try:
            with _usage_in_words():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            self._stopped(str(error) if isinstance(error, Interrupted) else AGAIN)
        except OSError as error:
            if is_stopped():
                self._stopped(AGAIN)
            told = _of_system(error)
            if not told:
                raise
            warn(f"error: {told}")
            _emit(told, type(error).__name__)
            raise typer.Exit(1) from None
        except ModuleNotFoundError as error:
            name = (error.name or "").partition(".")[0]
            if name not in WHOLE:
                raise
            told = (
                f"this needs {name}, which is not installed here: pip install promptlet. Without it, "
                "promptlet predict answers from folders that promptlet export made"
            )
            warn(f"error: {told}")
            _emit(told, type(error).__name__)
            raise typer.Exit(1) from None
        except PromptletError as error:
            if is_stopped():  # a library made an error of it
                self._stopped(AGAIN)
            first, *further = error.lines if isinstance(error, ImageError) else [str(error)]
            warn(f"error: {first}")
            for line in further:
                warn(f"  {line}")
            _emit(str(error), type(error).__name__)
            raise typer.Exit(_exit_code(error)) from None
        except Exception:
            if is_stopped():
                self._stopped(AGAIN)
            raise

    def _stopped(self, hint: str) -> NoReturn:
        self._told = True
        warn("")
        warn(f"{word()}: {hint}")
        raise typer.Exit(exit_code()) from None


@contextmanager
def _usage_in_words() -> Iterator[None]:
    """A wrong usage repeats what was given; where something is missing, an example shows it."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ == "MissingParameter":
            error.message = _example(getattr(error, "ctx", None))  # type: ignore[attr-defined]
        is_usage = hasattr(error, "format_message") and isinstance(getattr(error, "message", None), str)
        if is_usage and type(error).__name__ != "NoArgsIsHelpError":  # whose message is the help, in lines
            error.message = visible(error.message)  # type: ignore[attr-defined]
            _emit(error.format_message(), OptionError.__name__)  # type: ignore[attr-defined]
        raise


def _example(ctx: Any) -> str:
    """The first example of a command's help."""
    lines = ((getattr(ctx, "command", None) and ctx.command.epilog) or "").splitlines()
    found = [line.strip() for line in lines if line.strip().startswith("promptlet ")]
    return f"Example: {found[0]}" if found else ""


def _of_system(error: OSError) -> str:
    """What the system refuses of a file or folder, such as one that this person may not enter; nothing where
    it is of none."""
    if is_full(error):
        return f"{error.filename or 'a file'} cannot be written ({error.strerror}); free some space"
    if error.filename is None or error.errno is None:
        return ""
    return f"{error.filename}: {error.strerror}; check the path, its folders and their permissions"


def _emit(error: str, kind: str) -> None:
    """The same for machines that ask for it, unless it is that nothing can be written."""
    if "--json" in sys.argv:
        with suppress(OSError, OptionError):
            emit_json({"error": error, "kind": kind})


def _exit_code(error: PromptletError) -> int:
    """2 for a wrong option, as typer has it; 1 where work failed, also when the system refused a file."""
    is_usage = isinstance(error, OptionError) and not isinstance(error.__cause__, OSError)
    return 2 if is_usage else 1
