"""Standard output and error: any text on any terminal, documents in UTF-8 where they are piped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from promptlet.characters import visible
from promptlet.errors import OptionError


def bear_any_text() -> None:
    """From now on, what a terminal or pipe has no sign for is shown as its escape, and raises nothing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at it; a stream that was closed before the command began is none."""
    return stream is not None and stream.isatty()


@contextmanager
def results() -> Iterator[None]:
    """Around what is written to standard output. Raises OptionError where it cannot be, as on a full disk; a
    reader that has gone is none of ours to complain about."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OptionError(not_written(error)) from error


def not_written(error: OSError) -> str:
    """What is said where standard output cannot be written."""
    return f"standard output cannot be written ({error.strerror or error}); send it elsewhere"


def put_out(text: str) -> None:
    """Write a result to standard output as it is, line feeds included."""
    with results():
        _write(sys.stdout, text)


def say(text: str = "") -> None:
    """A line for people, on standard output."""
    put_out(f"{visible(text)}\n")


def warn(text: str) -> None:
    """A line on standard error. Where nobody reads that any more, the work goes on."""
    with suppress(OSError):
        _write(sys.stderr, f"{visible(text)}\n")


def emit_document(text: str) -> None:
    """A document of several lines (a table, a report), on standard output: UTF-8 wherever it is piped, since
    that is what such files are; else in what the terminal can show."""
    stream = sys.stdout
    if is_terminal(stream) or not hasattr(stream, "buffer"):
        put_out(text)
        return
    with results():
        stream.flush()
        stream.buffer.write(text.encode("utf-8", "backslashreplace"))
        stream.buffer.flush()


def _write(stream: Any, text: str) -> None:
    """To a stream that is there: a command may be started with none."""
    if stream is not None:
        stream.write(text)
        stream.flush()


def finish_output() -> str:
    """Write what is waiting; why that cannot be done, or nothing. A reader that has gone is no problem."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _to_nowhere()
        return "" if isinstance(error, BrokenPipeError) else not_written(error)
    return ""


def _to_nowhere() -> None:
    """So that Python does not try again when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
