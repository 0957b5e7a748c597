"""Results as an aligned table on the terminal and as one JSON file per benchmark."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCHEMA = 1


def table(columns: Sequence[tuple[str, str, str]], rows: Sequence[Mapping[str, Any]]) -> str:
    """Plain text; ``columns`` are (key, title, format). Columns that no row has are left out."""
    used = [column for column in columns if any(column[0] in row for row in rows)]
    cells = [[title for _, title, _ in used]]
    cells += [[_cell(row.get(key), form) for key, _, form in used] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(used))]
    left = [form == "s" for _, _, form in used]
    lines = []
    for line in cells:
        parts = zip(line, widths, left, strict=True)
        lines.append("  ".join(c.ljust(w) if is_left else c.rjust(w) for c, w, is_left in parts).rstrip())
    return "\n".join(lines)


def _cell(value: Any, form: str) -> str:
    if value is None:
        return ""
    if form == "MiB":
        return f"{value / 2**20:.0f} MiB"
    return format(value, form)


def write(folder: Path, result: Mapping[str, Any]) -> Path:
    """``FOLDER/<benchmark>.json``, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['benchmark']}.json"
    part = path.with_suffix(f".json.{os.getpid()}.part")
    part.write_text(json.dumps(_rounded(result), indent=1) + "\n")
    part.replace(path)
    return path


def _rounded(value: Any) -> Any:
    """Six significant digits: a timing has no more."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
