"""A project on the disk: every change, undo and redo, what people do to the folder by hand."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dropped import classes, contents, drop, id_of, image, photo

from promptlet.data.readers.folder import read_folder
from promptlet.errors import OptionError, ServiceError
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf, UnknownProjectError

A, B, C, D, E, F = (image(number) for number in range(6))


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    made = Shelf(tmp_path / "projects")
    yield made
    made.close()


@pytest.fixture
def project(shelf: Shelf) -> Project:
    """cat: A B C, dog: D E, unlabelled: F."""
    made = shelf.create("Pets")
    drop(made, [0, 1, 2], "cat")
    drop(made, [3, 4], "dog")
    drop(made, [5], None)
    return made


def again(shelf: Shelf, project: Project) -> Project:
    """As another start of the server finds it."""
    shelf._open.clear()
    return shelf.get(project.id)


def test_a_project_is_a_plain_folder_that_fit_reads(shelf: Shelf, project: Project) -> None:
    found = read_folder(shelf.root / "pets")
    assert {(item.class_name, item.path.stem) for item in found.train} == {
        ("cat", A),
        ("cat", B),
        ("cat", C),
        ("dog", D),
        ("dog", E),
    }
    assert (project.root / ".unlabelled" / f"{F}.png").read_bytes() == photo(5)
    record = json.loads((project.root / "project.json").read_text())
    assert (record["schema"], record["title"], record["classes"]) == (1, "Pets", ["cat", "dog"])
    assert record["names"][A] == "0.png"


CHANGES: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "create": (
        {"action": "create-class", "name": "bird"},
        {"cat": [A, B, C], "dog": [D, E], "bird": [], "": [F]},
    ),
    "rename": (
        {"action": "rename-class", "name": "cat", "to": "Katze"},
        {"Katze": [A, B, C], "dog": [D, E], "": [F]},
    ),
    "rename its case": (
        {"action": "rename-class", "name": "cat", "to": "Cat"},
        {"Cat": [A, B, C], "dog": [D, E], "": [F]},
    ),
    "merge into one of them": (
        {"action": "merge-classes", "names": ["cat", "dog"], "to": "dog"},
        {"dog": [A, B, C, D, E], "": [F]},
    ),
    "merge into a new one": (
        {"action": "merge-classes", "names": ["cat", "dog"], "to": "pet"},
        {"pet": [A, B, C, D, E], "": [F]},
    ),
    "delete": ({"action": "delete-class", "name": "cat"}, {"dog": [D, E], "": [F]}),
    "order": (
        {"action": "order-classes", "names": ["dog", "cat"]},
        {"dog": [D, E], "cat": [A, B, C], "": [F]},
    ),
    "move": (
        {"action": "move-images", "images": [A, F], "to": "dog"},
        {"cat": [B, C], "dog": [A, D, E, F], "": []},
    ),
    "move to none": (
        {"action": "move-images", "images": [A, D], "to": None},
        {"cat": [B, C], "dog": [E], "": [A, D, F]},
    ),
    "move to a new one": (
        {"action": "move-images", "images": [F], "to": "bird"},
        {"cat": [A, B, C], "dog": [D, E], "bird": [F], "": []},
    ),
    "move the last ones": (
        {"action": "move-images", "images": [D, E], "to": "cat"},
        {"cat": [A, B, C, D, E], "dog": [], "": [F]},
    ),
    "remove": (
        {"action": "remove-images", "images": [A, F]},
        {"cat": [B, C], "dog": [D, E], "": []},
    ),
}
"""By name what is asked, and what there is behind it."""


@pytest.mark.parametrize("what", CHANGES)
def test_each_change_is_done_undone_and_done_again(shelf: Shelf, project: Project, what: str) -> None:
    asked, after = CHANGES[what]
    before, all_of_them = classes(project), contents(project.root)
    former = project.seen().revision
    assert project.change(asked) == []
    assert {name: sorted(one) for name, one in classes(project).items()} == {
        name: sorted(one) for name, one in after.items()
    }
    assert [name for name in classes(project) if name] == [name for name in after if name]
    seen = project.seen()
    assert seen.revision == former + 1 and (seen.undo or {})["action"] == asked["action"]
    assert classes(again(shelf, project)) == classes(project)
    project = again(shelf, project)
    assert project.undo() and classes(project) == before and project.seen().redo == seen.undo
    assert project.redo() and contents(project.root) == all_of_them
    assert {name: sorted(one) for name, one in classes(project).items()} == {
        name: sorted(one) for name, one in after.items()
    }
    assert project.seen().redo is None and project.seen().revision == former + 3


@pytest.mark.parametrize("what", [what for what, (_, after) in CHANGES.items() if after.get("dog", "x")])
def test_no_class_folder_is_ever_left_empty_for_fit(project: Project, what: str) -> None:
    project.change(CHANGES[what][0])
    for folder in project.root.iterdir():
        assert not folder.is_dir() or folder.name.startswith(".") or any(folder.iterdir())


def test_all_of_a_long_way_is_undone_and_done_again(project: Project) -> None:
    for asked, _ in CHANGES.values():
        try:
            project.change(asked)
        except OptionError:
            continue
    end, steps = classes(project), 0
    while project.undo():
        steps += 1
    assert classes(project) == {"": []} and steps > 8
    while project.redo():
        steps -= 1
    assert steps == 0 and {k: sorted(v) for k, v in classes(project).items()} == {
        k: sorted(v) for k, v in end.items()
    }


def test_a_new_change_ends_what_could_be_done_again(project: Project) -> None:
    project.undo()
    project.change({"action": "create-class", "name": "bird"})
    assert project.seen().redo is None and not project.redo()
    assert F not in project.seen().images and (project.root / ".removed" / f"{F}.png").is_file()


def test_what_is_gone_meanwhile_is_passed_over_and_told(project: Project) -> None:
    assert project.change({"action": "move-images", "images": ["f" * 16, A], "to": "dog"}) == ["f" * 16]
    assert A in classes(project)["dog"]
    assert project.change({"action": "rename-class", "name": "gone", "to": "x"}) == ["gone"]
    assert project.change({"action": "delete-class", "name": "gone"}) == ["gone"]
    assert project.change({"action": "remove-images", "images": ["0" * 16]}) == ["0" * 16]
    assert project.change({"action": "order-classes", "names": ["gone", "dog"]}) == ["gone"]
    assert project.change({"action": "merge-classes", "names": ["gone", "cat"], "to": "dog"}) == ["gone"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "nope"}, "create-class"),
        ({"action": "creat-class", "name": "x"}, "Did you mean 'create-class'"),
        ({}, "allowed"),
        ({"action": "create-class"}, "needs name"),
        ({"action": "create-class", "name": "x", "extra": 1}, "no field"),
        ({"action": "create-class", "name": "cat"}, "already"),
        ({"action": "create-class", "name": "CAT"}, "differ only"),
        ({"action": "create-class", "name": "../x"}, "cannot"),
        ({"action": "create-class", "name": 5}, "text"),
        ({"action": "rename-class", "name": "cat", "to": "dog"}, "merge"),
        ({"action": "rename-class", "name": 1, "to": "x"}, "text"),
        ({"action": "move-images", "images": "all", "to": "dog"}, "list of texts"),
        ({"action": "move-images", "images": [], "to": "dog"}, "1 to"),
        ({"action": "move-images", "images": [A], "to": "a/b"}, "cannot hold"),
        ({"action": "merge-classes", "names": ["cat"], "to": "."}, "dot"),
    ],
)
def test_what_is_not_possible_is_said_and_changes_nothing(
    project: Project, asked: dict[str, Any], said: str
) -> None:
    before = classes(project), project.seen().revision
    with pytest.raises(OptionError, match=said):
        project.change(asked)
    assert (classes(project), project.seen().revision) == before


def test_what_changes_nothing_is_no_step(project: Project) -> None:
    before = project.seen()
    project.change({"action": "move-images", "images": [A], "to": "cat"})
    project.change({"action": "order-classes", "names": ["cat", "dog"]})
    project.change({"action": "rename-class", "name": "cat", "to": "cat"})
    assert project.seen().revision == before.revision and project.seen().undo == before.undo


def test_requests_of_one_gesture_are_one_step(project: Project) -> None:
    before = classes(project)
    for numbers in ([10, 11], [12], [13, 14]):
        drop(project, numbers, "bird", "gesture-1")
    assert project.seen().undo == {"action": "add-images", "count": 5, "class": "bird"}
    project.undo()
    assert classes(project) == before
    project.redo()
    assert len(classes(project)["bird"]) == 5


# -- by hand -------------------------------------------------------------------------------------------


def test_files_that_somebody_adds_are_known_at_the_next_look(shelf: Shelf, project: Project) -> None:
    revision = project.look()
    (project.root / "cat" / "my photo.PNG").write_bytes(photo(77))
    (project.root / "wolf").mkdir()
    (project.root / "wolf" / "IMG_1.png").write_bytes(photo(78))
    (project.root / "loose.png").write_bytes(photo(79))
    (project.root / "wolf" / "notes.txt").write_text("no image")
    found = classes(project)
    assert found == {"cat": [A, B, C, image(77)], "dog": [D, E], "wolf": [image(78)], "": [F, image(79)]}
    assert project.look() == revision + 1 and project.seen().names[image(77)] == "my photo.PNG"
    shelf._open.clear()
    assert classes(shelf.get("pets")) == found


def test_such_files_are_moved_removed_and_come_back(project: Project) -> None:
    (project.root / "cat" / "my photo.png").write_bytes(photo(77))
    mine = image(77)
    project.change({"action": "move-images", "images": [mine], "to": "dog"})
    assert (project.root / "dog" / "my photo.png").is_file()
    (project.root / "cat" / "my photo.png").write_bytes(photo(78))
    project.change({"action": "move-images", "images": [image(78)], "to": "dog"})
    assert (project.root / "dog" / f"{image(78)}.png").is_file()
    project.change({"action": "delete-class", "name": "dog"})
    assert mine not in project.seen().images and not (project.root / "dog").exists()
    project.undo()
    assert (project.root / "dog" / "my photo.png").read_bytes() == photo(77)


def test_what_else_lies_in_a_class_goes_and_comes_back_with_it(project: Project) -> None:
    (project.root / "cat" / "notes.txt").write_text("mine")
    (project.root / "cat" / "raw").mkdir()
    (project.root / "cat" / "raw" / "x.dat").write_text("mine too")
    for asked in (CHANGES["delete"][0], CHANGES["merge into a new one"][0]):
        project.change(asked)
        assert not (project.root / "cat").exists()
        project.undo()
        assert (project.root / "cat" / "notes.txt").read_text() == "mine"
        assert (project.root / "cat" / "raw" / "x.dat").read_text() == "mine too"
        assert classes(project)["cat"] == [A, B, C]


def test_what_systems_leave_in_folders_keeps_no_empty_class(project: Project) -> None:
    (project.root / "dog" / ".DS_Store").write_bytes(b"x")
    project.change(CHANGES["move the last ones"][0])
    assert not (project.root / "dog").exists()


def test_folders_renamed_moved_and_deleted_by_hand(project: Project) -> None:
    (project.root / "cat").rename(project.root / "kitten")
    assert classes(project) == {"dog": [D, E], "kitten": [A, B, C], "": [F]}
    shutil.rmtree(project.root / "dog")
    assert classes(project) == {"kitten": [A, B, C], "": [F]}
    (project.root / "kitten" / f"{A}.png").rename(project.root / ".unlabelled" / f"{A}.png")
    assert classes(project)["kitten"] == [B, C]
    assert project.undo()  # of the last upload: it is as it was, whatever happened meanwhile
    assert F not in project.seen().images


def test_undo_of_what_is_gone_by_hand_does_what_it_can(project: Project) -> None:
    project.change({"action": "move-images", "images": [A, B], "to": "dog"})
    (project.root / "dog" / f"{A}.png").unlink()
    assert project.undo() and classes(project)["cat"] == [B, C]


def test_one_image_in_two_folders_is_two_images(project: Project) -> None:
    shutil.copy(project.root / "cat" / f"{A}.png", project.root / "dog" / f"{A}.png")
    found = classes(project)
    assert A in found["cat"] and len(found["dog"]) == 3 and len(project.seen().images) == 7
    [twin] = set(found["dog"]) - {D, E}
    assert project.seen().path(twin).read_bytes() == photo(0)
    project.change({"action": "move-images", "images": [twin], "to": "cat"})
    assert sorted(classes(project)["cat"]) == sorted([A, B, C, twin])
    project.change({"action": "remove-images", "images": [twin]})
    assert classes(project)["cat"] == [A, B, C]


def test_names_with_underscores_are_read_as_fit_does(shelf: Shelf) -> None:
    root = shelf.root / "mine"
    for folder in ("golden_retriever", "akita"):
        (root / folder).mkdir(parents=True)
        (root / folder / "1.png").write_bytes(photo(len(folder)))
    project = shelf.get("mine")
    assert project.title == "mine" and [one for one in classes(project) if one] == [
        "akita",
        "golden retriever",
    ]
    drop(project, [3], "golden_retriever")
    assert len(list((root / "golden_retriever").iterdir())) == 2
    project.change({"action": "rename-class", "name": "golden retriever", "to": "golden"})
    assert (root / "golden" / "1.png").is_file() and not (root / "golden_retriever").exists()


def test_folders_that_fit_would_take_for_one_keep_their_own_names(shelf: Shelf) -> None:
    for number, folder in enumerate(("a b", "a_b")):
        (shelf.root / "mine" / folder).mkdir(parents=True)
        (shelf.root / "mine" / folder / "1.png").write_bytes(photo(number))
    project = shelf.get("mine")
    assert classes(project) == {"a b": [A], "a_b": [B], "": []}
    project.change({"action": "merge-classes", "names": ["a_b", "a b"], "to": "a b"})
    assert classes(project) == {"a b": [A, B], "": []}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"title": 5, "classes": "x", "names": [], "settings": 1}']
)
def test_a_damaged_project_json_costs_no_image(shelf: Shelf, project: Project, content: str) -> None:
    before = {name: sorted(one) for name, one in classes(project).items()}
    (project.root / "project.json").write_text(content)
    found = again(shelf, project)
    assert {name: sorted(one) for name, one in classes(found).items()} == before
    found.set_title("Pets again")
    assert json.loads((project.root / "project.json").read_text())["title"] == "Pets again"
    if content in ("", "{"):
        assert (project.root / "project-damaged.json").read_text() == content


@pytest.mark.parametrize("content", ["", "{", "[]", '{"undo": 5}', '{"revision": "x"}'])
def test_a_damaged_history_costs_no_image(shelf: Shelf, project: Project, content: str) -> None:
    before = classes(project)
    for name in (".history.json", ".pending.json", ".known.json"):
        (project.root / name).write_text(content)
    found = again(shelf, project)
    assert classes(found) == before and not found.undo()


def test_members_of_project_json_that_are_not_known_are_kept(shelf: Shelf, project: Project) -> None:
    path = project.root / "project.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mine": [1, 2]}))
    again(shelf, project).set_title("x")
    assert json.loads(path.read_text())["mine"] == [1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_in_another_encoding_are_passed_over(shelf: Shelf, project: Project) -> None:
    odd, cafe = os.fsdecode(b"\xff.png"), project.root / os.fsdecode(b"caf\xe9")
    cafe.mkdir()
    for path in (cafe / "1.png", project.root / "cat" / odd):
        path.write_bytes(photo(50))
    assert classes(project) == {"cat": [A, B, C], "dog": [D, E], "": [F]}
    project.change({"action": "delete-class", "name": "cat"})
    assert (project.root / ".removed" / "rest of cat" / odd).is_file()
    project.undo()
    assert (project.root / "cat" / odd).is_file()


# -- projects ------------------------------------------------------------------------------------------


def test_projects_are_made_deleted_and_brought_back(shelf: Shelf, project: Project) -> None:
    prompt = shelf.prompt_path("pets")
    prompt.write_bytes(b"prompt")
    other = shelf.create("pets")
    assert (other.id, shelf.ids()) == ("pets-2", ["pets", "pets-2"])
    shelf.delete("pets")
    assert shelf.ids() == ["pets-2"] and not prompt.exists()
    assert shelf.removed() == [{"id": "pets", "title": "Pets"}]
    with pytest.raises(UnknownProjectError):
        shelf.get("pets")
    assert shelf.create("Pets").id == "pets-3"
    assert classes(shelf.restore("pets"))["cat"] == [A, B, C] and prompt.read_bytes() == b"prompt"
    assert shelf.removed() == [] and project.title == "Pets"


@pytest.mark.parametrize("name", ["", "..", ".removed", "nope", "a/b", "pets/../pets", "\0", "x" * 200])
def test_there_is_no_such_project(shelf: Shelf, project: Project, name: str) -> None:
    for way in (shelf.get, shelf.delete, shelf.restore):
        with pytest.raises(UnknownProjectError):
            way(name)


def test_folders_without_images_by_class_are_no_projects(shelf: Shelf) -> None:
    (shelf.root / "src" / "code").mkdir(parents=True)
    (shelf.root / "src" / "code" / "x.py").write_text("")
    (shelf.root / "file").write_text("")
    assert shelf.ids() == []


def test_two_servers_never_have_one_folder(shelf: Shelf) -> None:
    with pytest.raises(ServiceError, match="another promptlet teach"):
        Shelf(shelf.root)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="nothing can be kept there"):
        Shelf(tmp_path / "file")


def test_an_old_folder_of_images_is_a_project_at_once(shelf: Shelf) -> None:
    root = shelf.root / "flowers"
    for number in range(3):
        (root / "rose").mkdir(parents=True, exist_ok=True)
        (root / "rose" / f"IMG_{number}.png").write_bytes(photo(number))
    before = {path: path.read_bytes() for path in root.rglob("*.png")}
    assert shelf.ids() == ["flowers"] and classes(shelf.get("flowers")) == {"rose": [A, B, C], "": []}
    assert {path: path.read_bytes() for path in root.rglob("*.png")} == before


def test_what_changed_is_told_once_each(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    shelf = Shelf(tmp_path, lambda project, now: told.append((project, now)))
    project = shelf.create("Pets")
    drop(project, [0], "cat")
    project.change({"action": "create-class", "name": "dog"})
    project.look()
    assert [now for _, now in told] == sorted({now for _, now in told}) and len(told) == 2
    (project.root / "cat" / "x.png").write_bytes(photo(9))
    project.look()
    project.look()
    assert len(told) == 3
    shelf.close()


def test_ids_are_of_content_whatever_files_are_called(project: Project) -> None:
    data = photo(5, "JPEG")
    path = project.root / "cat" / "x.jpg"
    path.write_bytes(data)
    assert id_of(data) in classes(project)["cat"]
    os.utime(path, (time.time() + 5, time.time() + 5))
    path.write_bytes(photo(6, "JPEG"))
    (project.root / "cat" / "y.jpg").write_bytes(photo(7, "JPEG"))
    assert {id_of(photo(6, "JPEG")), id_of(photo(7, "JPEG"))} <= set(classes(project)["cat"])
