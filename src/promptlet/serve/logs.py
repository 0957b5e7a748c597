"""Lines of the log: JSON for machines, or for people, on standard error.

Neither headers nor bodies are ever given to a logger, so that no token, image or name of a file can stand in
it. What looks like a token all the same, such as in a path, is masked.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import IO, Any, Final

from promptlet.characters import visible

OURS: Final = "promptlet.serve"
THEIRS: Final = "uvicorn.error"
"""uvicorn's own words of its start and of malformed requests are no lines of ours; its errors are."""
REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Of the request that is answered: it stands in each line that comes of it."""
_TOKEN: Final = re.compile(r"pl_[0-9A-Za-z]+_[0-9A-Za-z]+")
_LONGEST: Final = 2000
_OWN: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"})
"""What every record has; what else it has is told: a logger's ``extra``. Colours are of uvicorn."""


@contextmanager
def logging_to(form: str, level: str, stream: IO[str] | None = None) -> Iterator[None]:
    """Inside, our loggers and uvicorn's write to ``stream``, else standard error; others' warnings as well,
    and what they would write there by `warnings`.

    form: "json", "console", or "auto": console on a terminal. level: of ours. Loggers are put back at the
    end.
    """
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    is_console = form == "console" or (form == "auto" and out is not None and out.isatty())
    handler.setFormatter(_Lines(is_console))
    levels = {
        OURS: level.upper(),
        THEIRS: "DEBUG" if level == "debug" else "ERROR",
        "": "WARNING",
    }
    loggers = {name: logging.getLogger(name or None) for name in levels}
    before = {name: (one.level, one.handlers[:], one.propagate) for name, one in loggers.items()}
    try:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
            logger.handlers = [handler]
            logger.propagate = False
        logging.captureWarnings(True)
        yield
    finally:
        logging.captureWarnings(False)
        for name, (old, handlers, propagate) in before.items():
            loggers[name].setLevel(old)
            loggers[name].handlers, loggers[name].propagate = handlers, propagate


def flush() -> None:
    """All lines are out: before the process ends at once."""
    for handler in logging.getLogger(OURS).handlers:
        handler.flush()


class _Lines(logging.Formatter):
    """A record on one line: when, how grave, what happened, and what belongs to it."""

    def __init__(self, is_console: bool) -> None:
        super().__init__()
        self._is_console = is_console

    def format(self, record: logging.LogRecord) -> str:
        """As `logging` calls it."""
        when = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="microseconds")
        told: dict[str, Any] = {
            "timestamp": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            told["request_id"] = request_id
        told |= {key: value for key, value in vars(record).items() if key not in _OWN and key[0] != "_"}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        told = {key: _safe(value, key == "exception") for key, value in told.items()}
        return _for_people(told) if self._is_console else json.dumps(told, default=str)


def _safe(value: Any, is_long: bool) -> Any:
    """Whatever somebody gave: on one line, not endless, without tokens. is_long: of several lines."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    if not isinstance(value, str):
        return value
    text = value if is_long or len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    if "pl_" in text:
        text = _TOKEN.sub("pl_***", text)
    return text if is_long else visible(text)


def _for_people(told: dict[str, Any]) -> str:
    when, level, what = (told.pop(key) for key in ("timestamp", "level", "event"))
    trace = told.pop("exception", None)
    facts = "".join(f" {key}={value}" for key, value in told.items())
    return f"{when[11:19]} {level:<8} {what}{facts}" + (f"\n{trace}" if trace else "")
