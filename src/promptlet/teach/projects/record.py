"""What project.json says: title, order of classes, names of files, settings, result of the last training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptlet.teach.projects import acts
from promptlet.teach.projects.places import RECORD

SCHEMA: Final = 1
SETTINGS: Final[dict[str, Any]] = {"method": "auto", "rank": None, "shots": None, "schedule": None}
DAMAGED: Final = "project-damaged.json"


@dataclass
class Record:
    """classes: names in their order, also of those without images. names: by id, the file as it was dropped,
    in the order in which images came. more: what else stands there, which is kept."""

    title: str
    classes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    result: dict[str, Any] | None = None
    more: dict[str, Any] = field(default_factory=dict)


def read_record(folder: Path) -> Record:
    """Of a folder without one, or with a damaged one, what the folder itself says. Raises OSError."""
    found = acts.read_json(folder / RECORD)
    if not isinstance(found, dict):
        return Record(folder.name)
    known = {"schema", "title", "classes", "names", "settings", "result"}
    title, classes, names = found.get("title"), found.get("classes"), found.get("names")
    settings, result = found.get("settings"), found.get("result")
    return Record(
        title if isinstance(title, str) and title.strip() else folder.name,
        [one for one in classes if isinstance(one, str)] if isinstance(classes, list) else [],
        {key: str(name) for key, name in names.items()} if isinstance(names, dict) else {},
        {**SETTINGS, **(settings if isinstance(settings, dict) else {})},
        result if isinstance(result, dict) else None,
        {key: value for key, value in found.items() if key not in known},
    )


def write_record(folder: Path, record: Record) -> None:
    """A damaged one is kept beside it. Raises OSError."""
    if (folder / RECORD).is_file() and acts.read_json(folder / RECORD) is None:
        acts.move(folder, RECORD, DAMAGED)
    acts.write_json(folder / RECORD, told(record))


def told(record: Record) -> dict[str, Any]:
    """As the file has it."""
    known = {
        "schema": SCHEMA,
        "title": record.title,
        "classes": record.classes,
        "names": record.names,
        "settings": record.settings,
        "result": record.result,
    }
    return {**known, **record.more}
