"""The data sets of the mini world: eleven that mirror the field's, four shifted versions of the first, and
six that are harder.

A picture is a function of (data set, class, part, number) alone. `draw_dataset` writes a data set as folders
of images per class; from there it is read like anybody's images.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from PIL import Image

from promptlet.mini import general
from promptlet.mini.families import FAMILIES
from promptlet.mini.harder import HARDER
from promptlet.mini.names import EVERY_NAME, HARDER_NAMES, MINI_NAMES, MIRRORS
from promptlet.mini.scene import STYLES, Family, Style, picture
from promptlet.rng import generator

VERSION = 1
"""Of the pictures: a change of any drawing raises it."""
PARTS = {"train": 32, "val": 4, "test": 20}
"""Pictures of each class in each part."""


@dataclass(frozen=True, eq=False)
class MiniDataset:
    """name: on the command line; family: what draws it; style: how pictures are taken; parts: those it has.

    classes: what is drawn for each class name (None: as the family has it).
    """

    name: str
    family: Family
    style: Style = STYLES["photo"]
    parts: tuple[str, ...] = ("train", "val", "test")
    classes: Mapping[str, Any] | None = None

    @property
    def about(self) -> str:
        """The field's data set whose place it takes, or what makes it harder, in a few words."""
        return f"in the place of {MIRRORS[self.name]}" if self.name in MIRRORS else HARDER_NAMES[self.name]

    @property
    def specs(self) -> Mapping[str, Any]:
        """What is drawn for each class name."""
        return self.family.CLASSES if self.classes is None else self.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of labels: that of their folders."""
        return tuple(sorted(self.specs, key=folder_name))

    @property
    def template(self) -> str:
        """The hand-written prompt of zero-shot."""
        return self.family.TEMPLATE

    def picture(self, class_name: str, part: str, number: int) -> Image.Image:
        """One picture, 64 x 64."""
        purpose = f"mini/{VERSION}/{self.name}/{class_name}/{part}"
        return picture(self.family, self.specs[class_name], generator(purpose, number), self.style)


GENERAL = cast("Family", general)
STYLE_OF_SHIFT = {"v2": "photo", "sketch": "sketch", "hard": "hard", "rendition": "rendition"}


def _dataset(name: str) -> MiniDataset:
    if name in HARDER:
        harder = HARDER[name]
        return MiniDataset(name, FAMILIES[harder.family], harder.style, classes=harder.classes)
    kind, _, shift = name.removeprefix("mini-").partition("-")
    family = GENERAL if kind == "general" else FAMILIES[kind]
    if shift:
        return MiniDataset(name, family, STYLES[STYLE_OF_SHIFT[shift]], ("test",))
    return MiniDataset(name, family)


EVERY_DATASET: dict[str, MiniDataset] = {name: _dataset(name) for name in EVERY_NAME}
"""By name: the eleven, then the general one under another draw, as line drawings, in hard surroundings, and
by other means; then the six harder ones."""
MINI_DATASETS: dict[str, MiniDataset] = {name: EVERY_DATASET[name] for name in MINI_NAMES}
"""The eleven, from whose families the mini backbone learned."""


def folder_name(class_name: str) -> str:
    """Of a class's pictures."""
    return class_name.replace(" ", "_")


def draw_dataset(name: str, target: Path, on_progress: Callable[[int, int], None] | None = None) -> Path:
    """Draws ``<target>/<part>/<class name>/<number>.png``, unless ``target`` is there already.

    Whole or not at all: it is drawn under another name and renamed. on_progress(classes done, classes).
    """
    dataset = EVERY_DATASET[name]
    if target.is_dir():
        return target
    draft = target.with_name(f".{target.name}-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        names = dataset.class_names
        for done, class_name in enumerate(names):
            if on_progress is not None:
                on_progress(done, len(names))
            for part in dataset.parts:
                place = draft / part / folder_name(class_name)
                place.mkdir(parents=True)
                for number in range(PARTS[part]):
                    dataset.picture(class_name, part, number).save(place / f"{number:02d}.png")
        _into_place(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _into_place(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        if not target.is_dir():  # another process may have drawn the same in the meantime
            raise
