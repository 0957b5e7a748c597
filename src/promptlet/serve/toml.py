"""Files in TOML, read with a bound: settings, and tokens."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from promptlet.data.files import read_text
from promptlet.errors import OptionError, why

_PARSER = "tomllib" if sys.version_info >= (3, 11) else "tomli"


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The table of a file. what: the option that names it. Raises OptionError with the reason, and what to
    do."""
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise OptionError(f"{what} {path}: it is not in UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise OptionError(
            f"{what} {path} cannot be read ({why(error)}); check the path and its permissions"
        ) from error
    parser = import_module(_PARSER)
    try:
        return dict(parser.loads(text))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{what} {path} is no TOML: {error or type(error).__name__}") from error
