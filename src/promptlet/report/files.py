"""Writing what a user asked for: whole, or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from promptlet.errors import OptionError, why


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it. Raises OptionError where that cannot be."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105 (atomic on every system, and named for it)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = why(error)
        raise OptionError(f"{path} cannot be written ({reason}); write elsewhere") from error
