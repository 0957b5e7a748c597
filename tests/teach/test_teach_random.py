"""Whatever is done in whatever order, on the page and by hand, and the server killed now and then: no image
is lost, each is in one place, and all can be undone and done again."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dropped import contents, drop, image, photo
from test_teach_kills import Disk, Killed

from promptlet.errors import OptionError
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf

NAMES = ("cat", "Cat", "dog", "a b", "a_b", "犬", "bird", "CON", "x/y", ".hid", "")


def asked(draw: random.Random, project: Project) -> dict[str, Any]:
    """Something that may or may not be possible."""
    seen = project.seen()
    there = [one.name for one in seen.classes] or ["none"]
    name, other = draw.choice([*there, *NAMES]), draw.choice([*there, *NAMES])
    some = draw.sample(sorted(seen.images), min(len(seen.images), draw.randrange(1, 6))) or ["0" * 16]
    return draw.choice(
        [
            {"action": "create-class", "name": name},
            {"action": "rename-class", "name": name, "to": other},
            {"action": "merge-classes", "names": [name, other], "to": draw.choice([name, other, "all"])},
            {"action": "delete-class", "name": name},
            {"action": "order-classes", "names": draw.sample(there, len(there))},
            {"action": "move-images", "images": some, "to": draw.choice([name, None])},
            {"action": "remove-images", "images": some},
        ]
    )


def by_hand(draw: random.Random, project: Project, number: int) -> None:
    """As somebody with a file manager does it."""
    folders = [path for path in project.root.iterdir() if path.is_dir() and path.name[0] != "."]
    folder = draw.choice(folders) if folders else project.root / "hand"
    folder.mkdir(exist_ok=True)
    way = draw.randrange(4)
    if way == 0:
        (folder / f"hand {number}.png").write_bytes(photo(number))
    elif way == 1:
        new = project.root / f"new {number}"
        folder.rename(new)
        if not any(new.iterdir()):
            new.rmdir()
    elif way == 2 and (files := sorted(folder.glob("*.png"))):
        shutil.copy(draw.choice(files), folder / f"copy {number}.png")
    elif files := sorted(folder.glob("*.png")):
        draw.choice(files).rename(project.root / f"loose {number}.png")


def sound(project: Project) -> None:
    """Each image is in one place, and of all that is there each is told."""
    seen = project.seen()
    told = [image for one in seen.classes for image in one.images] + list(seen.unlabelled)
    assert sorted(told) == sorted(seen.images) == sorted(seen.names) and len(set(told)) == len(told)
    assert all(seen.path(one).is_file() for one in told)
    visible = [
        path
        for path in project.root.rglob("*.png")
        if not {".removed"} & set(path.relative_to(project.root).parts)
    ]
    depth = [path for path in visible if len(path.relative_to(project.root).parts) <= 2]
    assert len(depth) == len(told)


@pytest.mark.parametrize("seed", range(12))
def test_no_image_is_lost_whatever_is_done(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, disk = random.Random(seed), Disk(monkeypatch)
    shelf = Shelf(tmp_path)
    shelf.create("Pets")
    came: set[str] = set()
    for number in range(60):
        project = shelf.get("pets")
        way = draw.random()
        disk.left, disk.is_behind = draw.randrange(25) if draw.random() < 0.2 else -1, draw.random() < 0.5
        try:
            if way < 0.3:
                numbers = [draw.randrange(40) for _ in range(3)]
                drop(project, numbers, draw.choice(["cat", "dog", "a b", None]), draw.choice(["", "g"]))
                came |= {image(one) for one in numbers}
            elif way < 0.65:
                with suppress(OptionError):
                    project.change(asked(draw, project))
            elif way < 0.75:
                project.undo()
            elif way < 0.85:
                project.redo()
            else:
                by_hand(draw, project, 1000 + number)
            is_ended = draw.random() < 0.2
        except Killed:
            is_ended = True
        disk.left = -1
        if is_ended:
            shelf.close()
            shelf = Shelf(tmp_path)
        project = shelf.get("pets")
        sound(project)
        assert came <= contents(tmp_path)
    shelf.close()
    shelf = Shelf(tmp_path)
    project = shelf.get("pets")
    sound(project)
    everything = contents(tmp_path)
    while project.undo():
        sound(project)
    while project.redo():
        sound(project)
    assert contents(tmp_path) == everything
    shelf.close()
