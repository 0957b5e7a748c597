"""Images that come: checked one by one, written beside, then put into their class by one change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from promptlet.errors import ImageError, why
from promptlet.teach.projects import acts
from promptlet.teach.projects.changes import View, placed
from promptlet.teach.projects.checking import Checked, checked
from promptlet.teach.projects.journal import NotKeptError
from promptlet.teach.projects.looking import Found
from promptlet.teach.projects.names import class_name
from promptlet.teach.projects.places import REMOVED, own_name

if TYPE_CHECKING:
    from PIL import Image

    from promptlet.teach.projects.project import Project

THREADS: Final = min(4, os.cpu_count() or 1)


class Dropped(NamedTuple):
    """A file as it was dropped."""

    name: str
    data: bytes


@dataclass
class Came:
    """added: id and name of each image; known: of those that are there already, with their class; errors: of
    files that are no images, with the reason. class_name: as it is kept; None for none."""

    class_name: str | None
    added: list[dict[str, Any]] = field(default_factory=list)
    known: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


def add(
    project: Project,
    files: Sequence[Dropped],
    to: str | None,
    gesture: str = "",
    on_small: Callable[[str, Image.Image], object] = lambda _image, _small: None,
) -> Came:
    """Put files into a class, which is made where it is missing; one that cannot be read costs itself alone.

    gesture: of requests that are one step of undo. on_small: told a small picture of each that came. Raises
    OptionError for the class, NotKeptError where the disk takes nothing; nothing has come then.
    """
    came = Came(None if to is None else class_name(to))
    with ThreadPoolExecutor(THREADS) as pool:
        looked = list(pool.map(_checked, files))
    with project.changing() as view:
        _put(project, view, came, list(zip(files, looked, strict=True)), gesture, on_small)
    return came


def _checked(file: Dropped) -> Checked | ImageError:
    try:
        return checked(file.data, file.name)
    except ImageError as error:
        return error


def _put(
    project: Project,
    view: View,
    came: Came,
    looked: Sequence[tuple[Dropped, Checked | ImageError]],
    gesture: str,
    on_small: Callable[[str, Image.Image], object],
) -> None:
    there = {image: one.name for one in view.classes for image in one.images}
    images, names, written = dict(view.images), {}, list[str]()
    try:
        for file, found in looked:
            if isinstance(found, ImageError):
                told = {"name": file.name, "detail": str(found)}
                came.errors.append({**told, "detail_key": found.key, "detail_values": dict(found.values)})
                continue
            image = hashlib.sha256(file.data).hexdigest()[:16]
            own = {"id": image, "name": file.name}
            if image in images:
                known = came.class_name if image in names else there.get(image)
                came.known.append({**own, "class": known})
                continue
            images[image] = Found(REMOVED, own_name(image, found.ending))
            written += _written(project, images[image], file.data)
            names[image] = file.name
            came.added.append(own)
            on_small(image, found.small)
        if names:
            made = placed(View(view.root, view.classes, images), "add-images", list(names), came.class_name)
            came.class_name = made.name
            project.carry_out(made, gesture, names)
    except OSError as error:
        for path in written:
            with suppress(OSError):
                acts.remove(project.root / path)
        if isinstance(error, NotKeptError):
            raise
        raise NotKeptError(
            f"the images cannot be written ({why(error)}): none of these was taken, and all that were there "
            "are kept. Make room on the disk, then drop them again"
        ) from error


def _written(project: Project, found: Found, data: bytes) -> list[str]:
    """Among what was removed, from where it is taken: nothing where it lies there already."""
    path = project.root / found.path
    if path.is_file() and path.stat().st_size == len(data):
        return []
    path.parent.mkdir(exist_ok=True)
    acts.write(path, data)
    return [found.path]
