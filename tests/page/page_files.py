"""What a project is on the disk, read without the library."""

from __future__ import annotations

from pathlib import Path


def images_of(projects: Path, project: str) -> dict[str, int]:
    """How many image files lie in each folder of a project that has any."""
    folders = [path for path in (projects / project).iterdir() if path.is_dir()]
    counts = {folder.name: sum(path.is_file() for path in folder.iterdir()) for folder in folders}
    return {name: count for name, count in counts.items() if count}


def strays(projects: Path) -> list[str]:
    """Files that look half-written."""
    ends = (".part", ".tmp", ".temp")
    return [path.name for path in projects.rglob("*") if path.is_file() and path.name.endswith(ends)]
