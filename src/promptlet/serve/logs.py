"""Lines of the log: JSON for machines, or for people, on standard error.

Neither headers nor bodies are ever given to a logger, so that no token, image or name of a file can stand in
it. What looks like a token all the same, such as in a path, is masked.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from promptlet.characters import visible

_TOKEN: Final = re.compile(r"pl_[0-9A-Za-z]+_[0-9A-Za-z]+")
OURS: Final = "promptlet.serve"
THEIRS: Final = "uvicorn.error"
"""uvicorn's own words of its start and of malformed requests are no lines of ours; its errors are."""
_FIRST: Final = ("timestamp", "level", "event")
_LONGEST: Final = 2000


@contextmanager
def logging_to(form: str, level: str, stream: IO[str] | None = None) -> Iterator[None]:
    """Inside, our loggers and uvicorn's write to ``stream``, else standard error; others' warnings as well,
    and what they would write there by `warnings`.

    form: "json", "console", or "auto": console on a terminal. level: of ours. Loggers are put back at the
    end.
    """
    out = stream or sys.stderr
    is_console = form == "console" or (form == "auto" and out is not None and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _safe,
    ]
    last: Processor = _line if is_console else structlog.processors.JSONRenderer(default=str)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
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
        structlog.reset_defaults()


def flush() -> None:
    """All lines are out: before the process ends at once."""
    for handler in logging.getLogger(OURS).handlers:
        handler.flush()


def _safe(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Whatever somebody gave: on one line, not endless, without tokens. What happened comes first."""
    event.pop("color_message", None)  # of uvicorn, the same with colours
    event = {**{key: event[key] for key in _FIRST if key in event}, **event}
    for key, value in event.items():
        if isinstance(value, str):
            text = value if len(value) <= _LONGEST or key == "exception" else f"{value[:_LONGEST]}..."
            if "pl_" in text:
                text = _TOKEN.sub("pl_***", text)
            event[key] = text if key == "exception" else visible(text)
        elif isinstance(value, bytes | bytearray | memoryview):
            event[key] = f"{len(value):,} bytes"
    return event


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """For people: time, level, what happened, and what belongs to it."""
    told: dict[str, Any] = dict(event)
    when, level = told.pop("timestamp", ""), told.pop("level", "")
    what, trace = told.pop("event", ""), told.pop("exception", None)
    facts = "".join(f" {key}={value}" for key, value in told.items())
    return f"{when[11:19]} {level:<8} {what}{facts}" + (f"\n{trace}" if trace else "")
