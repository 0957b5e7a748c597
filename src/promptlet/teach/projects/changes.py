"""From what is asked of a project to the renames that do it. Nothing is touched here.

What is asked for and gone meanwhile, by another tab or by hand, is passed over and told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptlet.errors import OptionError, did_you_mean, shown
from promptlet.teach.projects.journal import Step
from promptlet.teach.projects.looking import Found
from promptlet.teach.projects.names import class_name, key_of
from promptlet.teach.projects.places import LOOSE, REMOVED, UNLABELLED, own_name, place

MOST_NAMED: Final = 100_000
"""Images, or classes, of one change."""


@dataclass(frozen=True)
class Class:
    """folder: where its images lie; where there is none yet, what it will be called."""

    name: str
    folder: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """A project as it is while a change is planned. images: by id where each lies."""

    root: Path
    classes: tuple[Class, ...]
    images: Mapping[str, Found]

    @property
    def names(self) -> list[str]:
        """Of its classes, in their order."""
        return [one.name for one in self.classes]

    def find(self, name: object) -> Class | None:
        """The class of this name, or of one that means the same."""
        if not isinstance(name, str):
            raise OptionError(f"{shown(name)} is no name of a class; give a text")
        for one in self.classes:
            if one.name == name:
                return one
        return next((one for one in self.classes if key_of(one.name) == key_of(name)), None)


@dataclass
class Plan:
    """What will be done. skipped: what was asked for and is not there. is_empty: nothing is left to do."""

    view: View
    action: str
    name: str | None = None
    count: int = 0
    after: list[str] = field(default_factory=list)
    moves: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return not self.moves and self.after == self.view.names

    def step(self, gesture: str = "") -> Step:
        """As the journal takes it."""
        return Step(
            self.action, self.count, self.name, self.moves, self.view.names, self.after, gesture=gesture
        )

    def move(self, image: str, folder: str) -> None:
        """An image into a folder, under its own name, or one that nobody has there."""
        found = self.view.images[image]
        if found.folder == folder:
            return
        ending = os.path.splitext(found.file)[1].lower()  # noqa: PTH122 (of thousands of names)
        wanted = own_name(image, ending) if folder == REMOVED else found.file
        for name in (wanted, own_name(image, ending), *(f"{image}-{n}{ending}" for n in range(2, 1000))):
            target = place(folder, name)
            is_free = target.casefold() not in self._taken
            if is_free and not os.path.lexists(self.view.root / target):
                break
        self._taken.add(target.casefold())
        self.moves.append((found.path, target))

    def empty(self, one: Class) -> None:
        """What else lies in the folder of a class goes with what was removed: `promptlet fit` takes no class
        folder without images."""
        folder = self.view.root / one.folder
        own = {self.view.images[image].file for image in one.images}
        if folder.is_dir() and any(
            path.name not in own and path.name[:1] != "." for path in folder.iterdir()
        ):
            self.moves.append((one.folder, place(REMOVED, f"rest of {one.folder}")))


Planner = Callable[[View, Mapping[str, Any]], Plan]


def plan(view: View, asked: Mapping[str, Any]) -> Plan:
    """What ``{"action": ..., ...}`` means here. Raises OptionError for what is not possible."""
    action = asked.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        raise OptionError(
            f"action={shown(action)} is not known; allowed: {', '.join(ACTIONS)}."
            f"{did_you_mean(str(action), ACTIONS)}"
        )
    planner, fields = ACTIONS[action]
    for name in asked:
        if name not in ("action", *fields):
            raise OptionError(f"{shown(name)} is no field of {action}; allowed: {', '.join(fields)}")
    for name in fields:
        if name not in asked:
            raise OptionError(f"{action} needs {name}; give {', '.join(fields)}")
    return planner(view, asked)


def _create(view: View, asked: Mapping[str, Any]) -> Plan:
    name = class_name(asked["name"])
    _check_free(view, name)
    return Plan(view, "create-class", name, 1, [*view.names, name])


def _rename(view: View, asked: Mapping[str, Any]) -> Plan:
    to, one = class_name(asked["to"]), view.find(asked["name"])
    made = Plan(view, "rename-class", to, 1, view.names)
    if one is None:
        made.skipped.append(str(asked["name"]))
        return made
    _check_free(view, to, one)
    made.after = [to if name == one.name else name for name in view.names]
    if one.folder != to and (view.root / one.folder).is_dir():
        made.moves.append((one.folder, to))
    return made


def _merge(view: View, asked: Mapping[str, Any]) -> Plan:
    to, made = class_name(asked["to"]), Plan(view, "merge-classes", None)
    asked_for = _texts(asked["names"], "names")
    found = [one for name in asked_for if (one := view.find(name)) is not None]
    made.skipped = [name for name in asked_for if view.find(name) is None]
    made.after = view.names
    if not found:
        return made
    there = view.find(to)
    target = there or Class(to, to, ())
    made.name = target.name
    sources = [one for one in dict.fromkeys(found) if one.name != target.name]
    gone = {one.name for one in sources}
    first = next(name for name in view.names if name in gone or name == target.name)
    after = [name for name in view.names if name not in gone]
    if there is None:
        before = view.names[: view.names.index(first)]
        after.insert(len([name for name in before if name not in gone]), target.name)
    made.after = after
    for one in sources:
        made.count += len(one.images)
        for image in one.images:
            made.move(image, target.folder)
        if one.folder.casefold() != target.folder.casefold():
            made.empty(one)
    return made


def _delete(view: View, asked: Mapping[str, Any]) -> Plan:
    one = view.find(asked["name"])
    made = Plan(view, "delete-class", str(asked["name"]), 0, view.names)
    if one is None:
        made.skipped.append(str(asked["name"]))
        return made
    made.name, made.count = one.name, len(one.images)
    made.after = [name for name in view.names if name != one.name]
    for image in one.images:
        made.move(image, REMOVED)
    made.empty(one)
    return made


def _order(view: View, asked: Mapping[str, Any]) -> Plan:
    names = _texts(asked["names"], "names")
    found = [one.name for name in names if (one := view.find(name)) is not None]
    made = Plan(view, "order-classes", None, len(view.names))
    made.skipped = [name for name in names if view.find(name) is None]
    first = list(dict.fromkeys(found))
    made.after = first + [name for name in view.names if name not in first]
    return made


def _move(view: View, asked: Mapping[str, Any]) -> Plan:
    return placed(view, "move-images", _texts(asked["images"], "images"), asked["to"])


def placed(view: View, action: str, images: Sequence[str], to: object) -> Plan:
    """Images into a class, which is made where it is missing, or into none (None)."""
    made = Plan(view, action, None, 0, view.names)
    folder = UNLABELLED
    if to is not None:
        one = view.find(to)
        made.name = class_name(to) if one is None else one.name
        folder = made.name if one is None else one.folder
        if one is None:
            made.after = [*view.names, made.name]
    _each(made, images, folder)
    return made


def _remove(view: View, asked: Mapping[str, Any]) -> Plan:
    made = Plan(view, "remove-images", None, 0, view.names)
    _each(made, _texts(asked["images"], "images"), REMOVED)
    return made


def _each(made: Plan, images: Iterable[str], folder: str) -> None:
    for image in dict.fromkeys(images):
        if image not in made.view.images:
            made.skipped.append(image)
        elif not (folder == UNLABELLED and made.view.images[image].folder == LOOSE):
            made.move(image, folder)
    made.count = len(made.moves)


def _check_free(view: View, name: str, beside: Class | None = None) -> None:
    there = view.find(name)
    if there is None or there is beside:
        return
    if there.name == name:
        words = f"there is a class {shown(name)} already; choose another name, or merge the two"
        raise OptionError(words).keyed("name-taken", **{"class": there.name})
    raise OptionError(
        f"{shown(name)} and the class {shown(there.name)} differ only by case, spaces or _, so they would be "
        "one; choose another name, or merge the two"
    ).keyed("name-alike", **{"class": there.name})


def _texts(given: object, field: str) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise OptionError(f"{field}={shown(given)} is not allowed; give a list of texts")
    if not given or len(given) > MOST_NAMED:
        raise OptionError(f"{field} has {len(given):,} entries; give 1 to {MOST_NAMED:,}")
    return given


ACTIONS: Final[Mapping[str, tuple[Planner, tuple[str, ...]]]] = {
    "create-class": (_create, ("name",)),
    "rename-class": (_rename, ("name", "to")),
    "merge-classes": (_merge, ("names", "to")),
    "delete-class": (_delete, ("name",)),
    "order-classes": (_order, ("names",)),
    "move-images": (_move, ("images", "to")),
    "remove-images": (_remove, ("images",)),
}
"""What plans each, and the fields that it needs."""
