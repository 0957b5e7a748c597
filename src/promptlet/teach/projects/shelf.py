"""All projects of a folder, made, deleted and brought back; one server at a time has them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from promptlet.data.files import is_passed_over
from promptlet.data.images.formats import has_image_name
from promptlet.errors import OptionError, ServiceError, why
from promptlet.teach.projects import acts, names
from promptlet.teach.projects.journal import NotKeptError
from promptlet.teach.projects.places import LOCK, PROMPT, RECORD, REMOVED
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.record import Record, read_record, write_record

MOST: Final = 10_000
"""Projects in a folder."""
MAKING: Final = ".making"
"""How the name of a folder ends that is about to be one of a project."""


class UnknownProjectError(KeyError):
    """There is no such project."""


class Shelf:
    """The projects in ``root``, which is made where it is not there. For any thread.

    on_change: told the id and the revision of a project that changed. Raises OptionError where the folder
    cannot be used, ServiceError where another server has it.
    """

    def __init__(self, root: Path, on_change: Callable[[str, int], object] = lambda _id, _now: None) -> None:
        self.root = root
        self.on_change = on_change
        self._open: dict[str, Project] = {}
        self._lock = threading.RLock()
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._owned = FileLock(root / LOCK)
            self._owned.acquire(timeout=0)
        except Timeout:
            raise ServiceError(
                f"another promptlet teach has the projects in {root}; use that one, or end it, or give "
                "another folder: --projects DIR"
            ) from None
        except (OSError, ValueError) as error:
            raise OptionError(
                f"--projects {root}: nothing can be kept there ({why(error)}); give a folder that you may "
                "write"
            ) from error
        self._mend()

    def close(self) -> None:
        """Others may have the folder."""
        with suppress(OSError):
            self._owned.release()

    # -- which there are -------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        """Of all projects: folders whose name may be one of a prompt, and that hold images by class."""
        with suppress(FileNotFoundError), os.scandir(self.root) as entries:
            found = sorted(one.name for one in entries if names.is_id(one.name) and one.is_dir())
            return [name for name in found if _is_project(self.root / name)][:MOST]
        return []

    def get(self, project: str) -> Project:
        """Raises UnknownProjectError, OSError where its folder cannot be read."""
        with self._lock:
            root = self.root / project
            if not names.is_id(project) or not _is_project(root):
                self._open.pop(project, None)
                raise UnknownProjectError(project)
            found = self._open.get(project)
            if found is None:
                found = self._open[project] = Project(root, self._changed)
            return found

    def removed(self) -> list[dict[str, str]]:
        """Those that can be brought back."""
        place = self.root / REMOVED
        with suppress(OSError), os.scandir(place) as entries:
            found = sorted(one.name for one in entries if names.is_id(one.name) and one.is_dir())
            return [{"id": name, "title": _title(place / name)} for name in found[:MOST]]
        return []

    def prompt_path(self, project: str) -> Path:
        """Of its prompt file, which need not be there."""
        return self.root / f"{project}{PROMPT}"

    # -- changing them ---------------------------------------------------------------------------------

    def create(self, title: object) -> Project:
        """A new one, without images. Raises OptionError, NotKeptError."""
        text = names.title(title)
        with self._lock:
            project = names.id_of(text, self._taken())
            making = self.root / f".{project}{MAKING}"
            try:
                making.mkdir(exist_ok=True)
                write_record(making, Record(text))
                acts.rename(making, self.root / project)
            except OSError as error:
                _drop(making)
                raise NotKeptError(
                    f"the project cannot be made ({why(error)}): nothing was changed. Make room on the disk, "
                    f"or let {self.root.name} be written, then try again"
                ) from error
            return self.get(project)

    def delete(self, project: str) -> None:
        """Lay it aside, with its prompt. Raises UnknownProjectError, NotKeptError."""
        with self._lock, self.get(project).lock:
            aside = self.root / REMOVED
            try:
                aside.mkdir(exist_ok=True)
                if self.prompt_path(project).is_file():  # at first: half of it is undone at the next start
                    acts.rename(self.prompt_path(project), aside / f"{project}{PROMPT}")
                acts.rename(self.root / project, aside / project)
            except OSError as error:
                self._mend()
                raise NotKeptError(
                    f"the project cannot be deleted ({why(error)}): it is still there, with all its images"
                ) from error
            self._open.pop(project, None)

    def restore(self, project: str) -> Project:
        """Bring one back. Raises UnknownProjectError, NotKeptError."""
        with self._lock:
            aside = self.root / REMOVED / project
            if not names.is_id(project) or not aside.is_dir() or (self.root / project).exists():
                raise UnknownProjectError(project)
            try:
                acts.rename(aside, self.root / project)
                self._mend()
            except OSError as error:
                raise NotKeptError(
                    f"the project cannot be brought back ({why(error)}): it is still kept"
                ) from error
            return self.get(project)

    # -- inside ----------------------------------------------------------------------------------------

    def _changed(self, project: str, revision: int) -> None:
        self.on_change(project, revision)

    def _taken(self) -> list[str]:
        """Ids and names of prompts that a new project cannot have."""
        found = [one.name for place in (self.root, self.root / REMOVED) for one in _entries(place)]
        return [name.removesuffix(PROMPT) for name in found]

    def _mend(self) -> None:
        """Prompts of projects that are there lie beside them: half of a deletion is undone, and half of a
        restoration is finished."""
        for one in _entries(self.root):
            if one.name.endswith(MAKING):
                _drop(Path(one.path))
        for one in _entries(self.root / REMOVED):
            project = one.name.removesuffix(PROMPT)
            target = self.prompt_path(project)
            if one.name.endswith(PROMPT) and (self.root / project).is_dir() and not target.exists():
                with suppress(OSError):
                    acts.rename(Path(one.path), target)


def _is_project(root: Path) -> bool:
    """Whether it was made here, or is a folder of images per class."""
    if (root / RECORD).is_file():
        return True
    folders = [Path(one.path) for one in _entries(root) if one.is_dir() and not is_passed_over(one.name)]
    return any(has_image_name(one.name) for folder in folders for one in _entries(folder))


def _drop(making: Path) -> None:
    """What is left of a project that was not made."""
    with suppress(OSError):
        acts.remove(making / RECORD)
        making.rmdir()


def _entries(place: Path) -> list[Any]:
    with suppress(OSError), os.scandir(place) as entries:
        return list(entries)
    return []


def _title(root: Path) -> str:
    try:
        return read_record(root).title
    except OSError:
        return root.name
