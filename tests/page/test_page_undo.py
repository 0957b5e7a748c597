"""Every act on the page can be taken back and done again, and the disk agrees each time."""

from __future__ import annotations

from typing import Any

import pytest
from page_files import images_of
from tools.page.person import Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page


def told(server: Teach, project: str) -> dict[str, Any]:
    """What matters of a state: classes in their order with their images, and what has none."""
    state = server.state(project)
    classes = [(one["name"], sorted(one["images"])) for one in state["classes"]]
    return {"classes": classes, "unlabelled": sorted(state["unlabelled"])}


def test_everything_is_undone_and_redone(teach: Teach, opened: Any, drawn: Material) -> None:
    person = Person(opened(teach))
    page = person.page
    person.start("Undo")
    first, second, third, _ = drawn.names
    project = person.project
    seen = [told(teach, project)]

    def done() -> None:
        wait_until(lambda: told(teach, project) != seen[-1], 10, "nothing was changed")
        wait_until(lambda: teach.state(project)["undo"] is not None, 5, "it cannot be undone")
        seen.append(told(teach, project))

    for name in (first, second, third):
        person.make_class(name)
        done()
    for name in (first, second):
        person.drop(drawn.taught[name], on=name)
        person.wait_for_count(name, 5)
        done()
    person.choose_class(first)
    person.cells().nth(0).click()
    person.cells().nth(1).click(modifiers=["Control"])
    person.move_to(third)
    done()
    person.cells().nth(0).click()
    page.keyboard.press("Delete")
    done()
    person.cells().nth(0).click()
    person.move_to(None)
    done()
    person.rename_class(second, "another name")
    done()
    person.class_menu(third, "up")
    done()
    person.merge_class(third, "another name")
    done()
    person.delete_class("another name")
    done()
    for before in reversed(seen[:-1]):
        person.undo()
        wait_until(lambda: told(teach, project) == before, 10, f"is {told(teach, project)}, was {before}")  # noqa: B023
    assert images_of(teach.projects, project).keys() <= {".removed"}
    for after in seen[1:]:
        page.keyboard.press("Control+Shift+Z")
        wait_until(lambda: told(teach, project) == after, 10, f"is {told(teach, project)}, was {after}")  # noqa: B023
    disk = images_of(teach.projects, project)
    disk.pop(".removed", None)
    assert disk == {first: 1, ".unlabelled": 1}


def test_dragging_gives_another_class(teach: Teach, opened: Any, drawn: Material) -> None:
    person = Person(opened(teach))
    person.start("Dragged")
    first, second = drawn.names[:2]
    person.make_class(second)
    person.make_class(first)
    person.drop(drawn.taught[first], on=first)
    person.wait_for_count(first, 5)
    person.choose_class(first)
    person.cells().nth(0).click()
    person.cells().nth(2).click(modifiers=["Shift"])
    person.cells().nth(1).drag_to(person.shelf(second))
    person.wait_for_count(second, 3)
    person.wait_for_count(first, 2)


def test_a_project_that_was_deleted_is_brought_back(teach: Teach, opened: Any, drawn: Material) -> None:
    person = Person(opened(teach))
    person.start("Brought back")
    project = person.project
    person.make_class(drawn.names[0])
    person.drop(drawn.taught[drawn.names[0]], on=drawn.names[0])
    person.wait_for_count(drawn.names[0], 5)
    person.home()
    person.delete_project("Brought back")
    wait_until(lambda: project not in ids(teach), 10, "it is still there")
    person.bring_back("Brought back")
    wait_until(lambda: project in ids(teach), 10, "it is not back")
    person.open(project)
    person.wait_for_count(drawn.names[0], 5)


def ids(server: Teach) -> set[str]:
    return {one["id"] for one in server.ask("/v1/projects")["projects"]}
