"""Files as people drop them, and what lies in a folder of projects."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image

from promptlet.teach.projects.adding import Came, Dropped, add
from promptlet.teach.projects.project import Project


def photo(number: int, form: str = "PNG", size: tuple[int, int] = (24, 16)) -> bytes:
    """Another one for each number up to 16 million."""
    out = io.BytesIO()
    Image.new("RGB", size, (number & 255, number >> 8 & 255, number >> 16 & 255)).save(out, form)
    return out.getvalue()


def id_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def image(number: int) -> str:
    """The id of `photo`."""
    return id_of(photo(number))


def drop(project: Project, numbers: list[int], to: str | None, gesture: str = "") -> Came:
    return add(project, [Dropped(f"{one}.png", photo(one)) for one in numbers], to, gesture)


def classes(project: Project) -> dict[str, list[str]]:
    """By name the ids of each class, in order; unlabelled ones under the empty name."""
    seen = project.seen()
    return {**{one.name: list(one.images) for one in seen.classes}, "": list(seen.unlabelled)}


def contents(root: Path) -> set[str]:
    """Of all images below a folder, also of those that were removed."""
    return {
        id_of(path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and path.suffix in (".png", ".jpg")
    }
