"""One project: what it holds now, and every way to change it. For any thread; one change at a time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.data.items import clean_class_name
from promptlet.teach.projects.changes import Class, Plan, View, plan
from promptlet.teach.projects.journal import Journal, NotKeptError
from promptlet.teach.projects.looking import Found, Looking
from promptlet.teach.projects.names import key_of
from promptlet.teach.projects.names import title as checked_title
from promptlet.teach.projects.places import HISTORY, LOOSE, RECORD, UNLABELLED
from promptlet.teach.projects.record import read_record


@dataclass(frozen=True)
class Seen:
    """A project at one moment. classes: in their order; unlabelled: ids of images without one."""

    id: str
    title: str
    revision: int
    root: Path
    classes: tuple[Class, ...]
    unlabelled: tuple[str, ...]
    images: Mapping[str, Found]
    names: Mapping[str, str]
    settings: Mapping[str, Any]
    undo: dict[str, object] | None
    redo: dict[str, object] | None

    def path(self, image: str) -> Path:
        """Of its file. Raises KeyError for one that is not there."""
        return self.root / self.images[image].path

    def class_of(self, image: str) -> str | None:
        """The name of its class."""
        return next((one.name for one in self.classes if image in one.images), None)

    @property
    def taught(self) -> str:
        """Another one whenever other images have a class, or another class."""
        digest = hashlib.sha256()
        for one in sorted(self.classes, key=lambda one: one.name):
            digest.update(f"{one.name}\n{' '.join(sorted(one.images))}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:32]


class Project:
    """A folder of a person. on_change: told the revision after each change, also one by hand.

    Raises OSError where its folder cannot be read.
    """

    def __init__(self, root: Path, on_change: Callable[[str, int], object] = lambda _id, _now: None) -> None:
        self.root, self.id = root, root.name
        self._on_change = on_change
        self.lock = threading.RLock()
        self._record = read_record(root)
        self._journal = Journal(root, self._record)
        self._looking = Looking(root)
        self._seen: Seen | None = None
        self._is_looked = False

    # -- what there is ---------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What people call it."""
        return self._record.title

    @property
    def revision(self) -> int:
        """One more with each change."""
        return self._journal.revision

    @property
    def changed(self) -> float:
        """When it was changed last, in seconds since 1970."""
        times = [0.0]
        for path in (self.root, self.root / RECORD, self.root / HISTORY):
            with suppress(OSError):
                times.append(path.stat().st_mtime)
        return max(times)

    def seen(self) -> Seen:
        """As it is now, also where somebody changed it by hand. Raises OSError where its folder is gone."""
        with self.lock:
            self._look()
            if self._seen is None:
                self._seen = self._made()
            return self._seen

    def look(self) -> int:
        """The revision now."""
        with self.lock:
            self._look()
            return self.revision

    def result(self) -> dict[str, Any] | None:
        """Of the last training."""
        return self._record.result

    # -- changing it -----------------------------------------------------------------------------------

    def change(self, asked: Mapping[str, Any]) -> list[str]:
        """One of `changes.ACTIONS`; what was passed over, for it is gone. Raises OptionError,
        NotKeptError."""
        with self._changing():
            made = plan(self._view(), asked)
            self.carry_out(made)
            return made.skipped

    def carry_out(self, made: Plan, gesture: str = "", names: Mapping[str, str] | None = None) -> None:
        """A plan that was made while the lock was held."""
        if not made.is_empty:
            self._journal.do(made.step(gesture), names)

    def undo(self) -> bool:
        """Take back the last change; whether there was one. Raises NotKeptError."""
        with self._changing():
            return self._journal.undo() is not None

    def redo(self) -> bool:
        """Do again what was taken back last."""
        with self._changing():
            return self._journal.redo() is not None

    def set_title(self, text: object) -> None:
        """Raises OptionError, NotKeptError."""
        self._keep("title", checked_title(text))

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Those given; others stay. Raises NotKeptError."""
        self._keep("settings", {**self._record.settings, **settings})

    def keep_result(self, result: dict[str, Any] | None) -> None:
        """Of a training, in the place of the former one. Raises NotKeptError."""
        self._keep("result", result)

    @contextmanager
    def changing(self) -> Iterator[View]:
        """Inside, nobody else changes it; told behind it."""
        with self._changing():
            yield self._view()

    # -- inside ----------------------------------------------------------------------------------------

    def _keep(self, field: str, value: Any) -> None:
        with self._changing():
            before = getattr(self._record, field)
            setattr(self._record, field, value)
            try:
                self._journal.keep_record()
            except NotKeptError:
                setattr(self._record, field, before)
                raise
            self._journal.seen_change()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self.lock:
            self._look()
            before = self._journal.revision
            try:
                yield
            finally:
                self._looking.again()
                self._take_in()
                self._seen = None
                if self._journal.revision != before:
                    self._on_change(self.id, self._journal.revision)

    def _look(self) -> None:
        if not self._is_looked:  # that may take a while: of files that were put there by hand, all is read
            self._looking.again()
            self._take_in()
            self._is_looked = True
            return
        before = set(self._looking.folders)
        if self._looking.again():
            gone = {key_of(name) for name in before - set(self._looking.folders)}
            kept = [name for name in self._record.classes if key_of(name) not in gone]
            self._record.classes = kept
            self._take_in()
            self._journal.seen_change()
            self._seen = None
            self._on_change(self.id, self._journal.revision)

    def _take_in(self) -> None:
        """Images and classes that somebody put there come last."""
        names, images = self._record.names, self._looking.images
        for image in sorted(images.keys() - names.keys(), key=lambda image: images[image]):
            names[image] = images[image].file
        self._record.classes = _with(self._record.classes, self._looking.folders)

    def _made(self) -> Seen:
        record, images, history = self._record, self._looking.images, self._journal.history
        folders = folder_names(self._looking.folders)
        by_folder: dict[str, list[str]] = {}
        names = {}
        for image, name in record.names.items():
            found = images.get(image)
            if found is not None:
                by_folder.setdefault(found.folder, []).append(image)
                names[image] = name
        of = {name: folder for folder, name in folders.items()}
        return Seen(
            self.id,
            record.title,
            self._journal.revision,
            self.root,
            tuple(
                Class(name, of.get(name, name), tuple(by_folder.get(of.get(name, name), ())))
                for name in record.classes
            ),
            (*by_folder.get(UNLABELLED, ()), *by_folder.get(LOOSE, ())),
            dict(images),
            names,
            dict(record.settings),
            history.undo[-1].words() if history.undo else None,
            history.redo[-1].words() if history.redo else None,
        )

    def _view(self) -> View:
        seen = self._made()
        return View(self.root, seen.classes, seen.images)


def folder_names(folders: Sequence[str]) -> dict[str, str]:
    """The name of the class of each folder, as `promptlet fit` reads it; of two that it would take for one,
    one keeps the folder's own."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for folder in sorted(folders, key=lambda folder: (folder != clean_class_name(folder), folder)):
        name = clean_class_name(folder) or folder
        if key_of(name) in taken:
            name = folder
        taken.add(key_of(name))
        names[folder] = name
    return names


def _with(classes: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The classes in their order, each once, called as their folders are, and those of further folders."""
    names = folder_names(folders)
    exact = set(names.values())
    by_key = {key_of(name): name for name in names.values()}
    told = [one if one in exact else by_key.get(key_of(one), one) for one in classes]
    return list(dict.fromkeys([*told, *(names[folder] for folder in sorted(folders))]))
