"""Whatever a library raises while it reads somebody's model, as one kind of error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from promptlet.backbones.libraries.no_code import check_no_code
from promptlet.errors import BackboneError, PromptletError

PANIC = "PanicException"
"""What the libraries written in Rust (tokenizers, safetensors) raise; it is no `Exception`."""
REASON = "{reason}"
SHOWN = 200


@contextmanager
def refusing(source: str, message: str) -> Iterator[None]:
    """Raise BackboneError for whatever is raised inside the block: ``message`` with its reason at REASON.

    Errors of this project pass as they are, and so does what ends a program (interrupts, exits).
    """
    try:
        yield
    except PromptletError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        check_no_code(source, error)
        raise BackboneError(message.replace(REASON, reason(error))) from error


def reason(error: BaseException) -> str:
    """Kind and text of an error, in one line that is not long."""
    text = " ".join(str(error).split())
    text = text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
