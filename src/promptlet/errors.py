"""Every error the library raises on purpose.

    PromptletError
    ├── BackboneError          a model that cannot be loaded or used as a dual encoder
    │   └── WrongBackboneError a prompt file made for another backbone
    ├── DataError              images, folders, tables, splits, class names
    │   ├── ImageError         one image file that cannot be read
    │   └── PackError          a pack of results that cannot be read, or made
    ├── PromptFileError        a prompt file that cannot be read or written
    ├── ExportError            an exported file or folder that cannot be made, read or used
    ├── AnswerError            answers that are no numbers
    ├── TrainingError          a loss that is not finite, a schedule that cannot run
    ├── EngineError            workers or a cluster that cannot be used
    ├── ServiceError           a server that cannot be reached, or that refuses; a server that cannot start
    │   ├── BusyError          more is asked than is answered in time: ask again later
    │   └── HubError           the Hugging Face hub, that refuses or cannot be reached
    ├── OptionError            an argument outside its allowed values
    └── MissingExtraError      an optional dependency that is not installed

A message says what was given, what is allowed, and what to do next. The command line prints it
without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

Self = TypeVar("Self", bound="PromptletError")


class PromptletError(Exception):
    """Base of every expected error.

    key, values: what is wrong, for who says it in another language; the key is empty where nobody does.
    """

    key: str = ""
    values: Mapping[str, Any] = MappingProxyType({})

    def keyed(self: Self, key: str, **values: Any) -> Self:
        """The same, with a key and plain values."""
        self.key, self.values = key, values
        return self


class BackboneError(PromptletError):
    """A model that cannot be loaded, or is no dual encoder."""


class WrongBackboneError(BackboneError):
    """A prompt file made for another backbone."""


class DataError(PromptletError, ValueError):
    """Images, labels, folders, tables or splits that do not fit together."""


class ImageError(DataError):
    """One image file that cannot be read, or several. ``lines``: the message, a line for each of several."""

    def __init__(self, message: str, reasons: Iterable[str] = ()) -> None:
        self.lines = (message, *reasons)
        super().__init__("\n  ".join(self.lines))


class PackError(DataError):
    """A pack of results that is damaged, hostile or of a newer format, or that cannot be made."""


class PromptFileError(PromptletError):
    """A prompt file that is damaged, hostile, or of a version this library does not know."""


class ExportError(PromptletError):
    """An exported file or folder that is damaged, hostile, of another kind or version, or cannot be made."""


class AnswerError(PromptletError):
    """Answers that are no numbers, or absurd ones. ``rows``: of which inputs, in the order given."""

    def __init__(self, message: str, rows: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class TrainingError(PromptletError):
    """Training that cannot go on."""


class EngineError(PromptletError):
    """Workers, or a cluster, that cannot be used."""


class ServiceError(PromptletError):
    """A server that cannot start, cannot be reached, or refuses.

    status: of its HTTP answer, 0 where there is none. problem: what it said, an RFC 9457 document.
    """

    def __init__(self, message: str, status: int = 0, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = dict(problem or {})


class BusyError(ServiceError):
    """More is asked than can be answered in time. ``retry_after``: seconds until it is worth asking again."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message, status=503)
        self.retry_after = retry_after


class HubError(ServiceError):
    """The Hugging Face hub refuses, cannot be reached, or does not have what was asked for."""


class OptionError(PromptletError, ValueError):
    """An argument outside its allowed values."""


class MissingExtraError(PromptletError, ImportError):
    """An optional dependency that is not installed."""


def shown(value: object, limit: int = 60) -> str:
    """A value in a message: its `repr`, cut where it is long; of a number too long to write, its size."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes
        return (
            f"a number of {value.bit_length():,} bits" if isinstance(value, int) else object.__repr__(value)
        )
    except RecursionError:
        return f"a {type(value).__name__} nested too deeply to be shown"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def listed(names: Iterable[object], most: int = 5) -> str:
    """``"cat, dog and 3 more"``: the first of several names in a message."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def with_path(path: str, reason: str) -> str:
    """A reason with the path of what went wrong, which it may tell by itself."""
    return reason if path in reason else f"{path}: {reason}"


def why(error: Exception) -> str:
    """The reason of a system's error in words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """``" Did you mean 'rlp'?"`` when one of the allowed names is close, else the empty string: also where
    what was given is one of them, and failed for another reason."""
    names = list(allowed)
    close = [] if given in names else get_close_matches(str(given)[:100], names, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def check_option(name: str, given: str, allowed: Iterable[str]) -> str:
    """Return ``given`` when it is allowed, else raise an `OptionError` that lists what is."""
    names = list(allowed)
    if given in names:
        return given
    raise OptionError(
        f"{name}={shown(given)} is not known; allowed: {', '.join(names)}.{did_you_mean(given, names)}"
    )
