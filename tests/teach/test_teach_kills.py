"""The server is killed between any two steps of any change: no image is lost, and the change is finished or
undone at the next start. And a disk that takes nothing changes nothing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dropped import classes, contents, drop, image, photo
from test_teach_store import CHANGES

from promptlet.data.readers.folder import read_folder
from promptlet.teach.projects import acts
from promptlet.teach.projects.adding import Dropped, add
from promptlet.teach.projects.journal import NotKeptError
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf

STEPS = ("write", "rename", "put", "remove", "clear")
"""All that touches the disk (`promptlet.teach.projects.acts`)."""


class Killed(BaseException):
    """No code that forgives errors forgives this."""


class Disk:
    """Ends the process, or fails, before or behind the step of a number."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left, self.is_behind, self.error, self.failing = -1, False, Killed(), STEPS
        for name in STEPS:
            patch.setattr(acts, name, self._wrapped(name, getattr(acts, name)))

    def _wrapped(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def done(*given: Any) -> Any:
            if name not in self.failing:
                return step(*given)
            if self.left == 0 and not self.is_behind:
                self._fail()
            found = step(*given)
            if self.left == 0:
                self._fail()
            self.left -= 1
            return found

        return done

    def _fail(self) -> None:
        if isinstance(self.error, Killed):
            self.left = -1
        raise self.error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def start(root: Path) -> Shelf:
    return Shelf(root)


def filled(root: Path) -> Shelf:
    """As `made`, in a folder of its own."""
    template = root.parent / "template"
    if not template.exists():
        made(template).close()
    shutil.copytree(template, root, dirs_exist_ok=True)
    return start(root)


def made(root: Path) -> Shelf:
    """cat: 0 1 2, dog: 3 4, unlabelled: 5; one that was removed."""
    shelf = start(root)
    project = shelf.create("Pets")
    drop(project, [0, 1, 2], "cat")
    drop(project, [3, 4, 9], "dog")
    drop(project, [5], None)
    project.change({"action": "remove-images", "images": [image(9)]})
    shelf.prompt_path("pets").write_bytes(b"prompt")
    return shelf


def _change(asked: dict[str, Any]) -> Callable[[Shelf], object]:
    return lambda shelf: shelf.get("pets").change(asked)


def _undo(shelf: Shelf) -> object:
    return shelf.get("pets").undo()


def _again(shelf: Shelf) -> object:
    project = shelf.get("pets")
    return project.undo() and project.redo()


def _upload(shelf: Shelf) -> object:
    files = [Dropped(f"{one}.png", photo(one)) for one in (20, 21, 9)]
    return add(shelf.get("pets"), files, "bird", "gesture")


ACTS: dict[str, Callable[[Shelf], object]] = {
    **{what: _change(asked) for what, (asked, _) in CHANGES.items()},
    "undo": _undo,
    "undo and redo": _again,
    "upload": _upload,
    "title": lambda shelf: shelf.get("pets").set_title("Other"),
    "result": lambda shelf: shelf.get("pets").keep_result({"method": "rlp"}),
    "new project": lambda shelf: shelf.create("Another"),
    "delete project": lambda shelf: shelf.delete("pets"),
}


def state(root: Path) -> tuple[dict[str, list[str]], ...]:
    """What a start of the server finds."""
    shelf = start(root)
    try:
        return tuple({k: sorted(v) for k, v in classes(shelf.get(one)).items()} for one in shelf.ids())
    finally:
        shelf.close()


def ends(root: Path, act: Callable[[Shelf], object]) -> tuple[Any, ...]:
    """What there is where nobody kills it, on the way too: of undo and redo there are two changes."""
    shelf = filled(root)
    found = [state_of(shelf)]
    if act is _again:
        shelf.get("pets").undo()
        found.append(state_of(shelf))
        shelf.get("pets").redo()
    else:
        act(shelf)
    found.append(state_of(shelf))
    shelf.close()
    return tuple(found)


def state_of(shelf: Shelf) -> Any:
    return tuple({k: sorted(v) for k, v in classes(shelf.get(one)).items()} for one in shelf.ids())


def killed(root: Path, disk: Disk, act: Callable[[Shelf], object], step: int, is_behind: bool) -> bool:
    """Whether there was such a step."""
    shelf = filled(root)
    disk.left, disk.is_behind, disk.error = step, is_behind, Killed()
    try:
        act(shelf)
    except Killed:
        return True
    finally:
        disk.left = -1
        shelf.close()
    return False


def rooms(folder: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield folder / str(number)


@pytest.mark.parametrize("is_behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("what", ACTS)
def test_killed_between_any_two_steps(what: str, is_behind: bool, disk: Disk, tmp_path: Path) -> None:
    act, room = ACTS[what], rooms(tmp_path)
    good = ends(next(room), act)
    step = 0
    while killed(root := next(room), disk, act, step, is_behind):
        seen = contents(root)
        assert {image(one) for one in (0, 1, 2, 3, 4, 5, 9)} <= seen
        assert state(root) in good, (what, step)
        assert state(root) in good and contents(root) == seen
        assert not list(root.rglob(".pending.json")) and not list(root.rglob("*.making"))
        _still_works(root)
        step += 1
    assert step >= 1


def _still_works(root: Path) -> None:
    """What was begun can be undone, `fit` reads the folder, and the prompt is where its project is."""
    shelf = start(root)
    before = contents(root)
    if "pets" not in shelf.ids():
        assert not shelf.prompt_path("pets").exists()
        shelf.restore("pets")
    assert shelf.prompt_path("pets").read_bytes() == b"prompt"
    project = shelf.get("pets")
    if len([one for one in project.seen().classes if one.images]) > 1:
        assert {str(item.path.stem) for item in read_folder(project.root).every_item} == {
            one for kind in project.seen().classes for one in kind.images
        }
    while project.undo():
        pass
    assert classes(project) == {"": []}
    while project.redo():
        pass
    assert contents(root) == before
    shelf.close()


# -- a disk that takes nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("what", ACTS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fails_at_any_step_changes_nothing(
    what: str, number: int, disk: Disk, tmp_path: Path
) -> None:
    """A full one lets things be moved, and so back; one that may only be read from some moment on does not:
    what was begun is finished at the next start."""
    act, room = ACTS[what], rooms(tmp_path)
    good = ends(next(room), act)
    step, is_failing = 0, True
    while is_failing and step < 40:
        shelf = filled(root := next(room))
        disk.left, disk.is_behind = step, False
        disk.error = OSError(number, os.strerror(number))  # type: ignore[assignment]
        disk.failing = ("write",) if number == errno.ENOSPC else STEPS[:-1]  # clear never fails
        try:
            act(shelf)
            is_failing = False
        except NotKeptError as error:
            assert os.strerror(number) in str(error)
        finally:
            disk.left = -1
        assert {image(one) for one in (0, 1, 2, 3, 4, 5, 9)} <= contents(root)
        assert state_of(shelf) in good or number == errno.EROFS
        shelf.close()
        assert state(root) in good
        step += 1
    assert 0 < step < 40


def test_where_there_is_no_room_nothing_has_come(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = made(tmp_path)
    project: Project = shelf.get("pets")
    before = sorted(path for path in tmp_path.rglob("*") if path.name != ".history.json"), classes(project)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(acts, "write", full)
    for act in (_upload, _change(CHANGES["delete"][0]), ACTS["title"], ACTS["new project"]):
        with pytest.raises(NotKeptError, match="No space left"):
            act(shelf)
        assert classes(project) == before[1] and project.title == "Pets"
    assert sorted(path for path in tmp_path.rglob("*") if path.name != ".history.json") == before[0]
    shelf.close()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read_still_shows_all(tmp_path: Path) -> None:
    shelf = made(tmp_path)
    project = shelf.get("pets")
    folders = [project.root, *(path for path in project.root.iterdir() if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        before = classes(project)
        with pytest.raises(NotKeptError, match="Permission denied"):
            project.change(CHANGES["rename"][0])
        shelf._open.clear()
        assert classes(shelf.get("pets")) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)
        shelf.close()
