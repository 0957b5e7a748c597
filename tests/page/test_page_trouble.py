"""Files that are trouble, names that are attacks, a thousand pictures: told in words, harmless to others."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_files import images_of, strays
from tools.page.measures import tab_mib
from tools.page.person import Person
from tools.page.pictures import Material, large_picture, many, troubled
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page
EVIL = "<img src=x onerror=attacked=1>"
NAMES = ("b & 'q' {count}", "img src=x onerror=attacked=1", "constructor")
MANY = 1000


def test_a_folder_of_trouble(
    teach: Teach, opened: Any, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Good pictures, a HEIC and a picture of 100 megapixels are taken; the others are told, each with why."""
    page = opened(teach)
    person = Person(page)
    person.start("Trouble")
    person.make_class("cat")
    folder = troubled(tmp_path / "cat")
    began = time.monotonic()
    person.drop([folder], on="cat")
    person.wait_for_count("cat", 3)
    seconds = time.monotonic() - began
    problems = page.locator(".status details")
    problems.wait_for()
    if not problems.get_attribute("open") and problems.get_attribute("open") != "":
        problems.locator("summary").click()
    for name in ("broken.jpg", "cut short.png", "script.svg", "script in disguise.png"):
        line = problems.get_by_role("listitem").filter(has_text=name)
        line.wait_for()
        assert len(line.inner_text()) > len(name) + 20, "and why"
    assert "notes.txt" not in problems.inner_text()
    assert page.evaluate("() => globalThis.attacked") is None
    assert {Path(name).suffix for name in files(teach, person.project)} <= {".jpg", ".png", ".heic"}
    assert strays(teach.projects) == []
    for cell in person.cells().all():
        box = cell.locator("img")
        page.wait_for_function("(one) => one.complete && one.naturalWidth > 0", arg=box.element_handle())
    figure(f"a folder with a picture of 100 megapixels: {seconds:.1f} s; {memory(page, teach)}")


def memory(page: Any, server: Teach) -> str:
    browser = page.context.browser
    return (
        f"the tab {tab_mib(browser):.0f} MiB (most {tab_mib(browser, 'VmHWM'):.0f}), "
        f"the server {server.resident_mib():.0f} MiB (most {server.resident_mib('VmHWM'):.0f})"
    )


def files(server: Teach, project: str) -> list[str]:
    return [path.name for path in (server.projects / project / "cat").iterdir()]


def test_a_large_picture_is_asked_about(teach: Teach, opened: Any, drawn: Material, tmp_path: Path) -> None:
    person = Person(opened(teach))
    person.start("Large")
    person.teach(drawn.taught)
    person.train("rlp")
    person.go("ask")
    answers = person.ask([large_picture(tmp_path / "large.jpg")])
    assert set(person.likely(answers)) == set(drawn.names)


def test_names_are_text_and_nothing_else(teach: Teach, opened: Any, drawn: Material, tmp_path: Path) -> None:
    """As title, class and file: shown as they are written in every view, never read as markup."""
    page = opened(teach)
    page.watch.allow("status of 4(00|22)")  # names that are refused
    person = Person(page)
    person.start(EVIL)
    for name in ("a/b", EVIL):
        refused = person.try_class(name)
        assert len(refused) > 20, "what is wrong, and what is allowed"
        page.keyboard.press("Escape")
        close(page)
    evil_file = tmp_path / "<img src=x onerror=attacked=2>.png"
    shutil.copy(drawn.asked[drawn.names[0]][0], evil_file)
    for name, of in zip(NAMES, drawn.names, strict=False):
        person.make_class(name)
        person.drop([*drawn.taught[of], evil_file] if of == drawn.names[0] else drawn.taught[of], on=name)
        person.wait_for_count(name, 5 + (of == drawn.names[0]))
    state = teach.state(person.project)
    assert state["title"] == EVIL and evil_file.name in state["names"].values()
    person.train("rlp")
    for view in ("teach", "train", "ask", "take"):
        person.go(view)
        assert EVIL in page.title()
        assert page.locator("[src=x], main b").count() == 0
    person.go("ask")
    person.add_name("<b onclick=attacked=3>bold</b>")
    person.ask([evil_file])
    assert page.locator("[src=x], main b").count() == 0
    assert page.evaluate("() => globalThis.attacked") is None


def close(page: Any) -> None:
    """Messages that stay."""
    for toast in page.locator(".toast button.icon").all():
        toast.click()


def test_a_thousand_pictures(
    teach: Teach, opened: Any, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    page = opened(teach)
    person = Person(page)
    person.start("Many")
    pictures = many(tmp_path / "cat", MANY)
    began = time.monotonic()
    person.drop([pictures[0].parent])
    wait_until(lambda: teach.images(person.project) == MANY, 90, "not all arrive")
    arrived = time.monotonic() - began
    person.wait_for_count(only_class(teach, person.project), MANY)
    wait_until(lambda: teach.state(person.project)["encoded"] == MANY, 90, "not all are encoded")
    figure(
        f"{MANY} pictures of 64 x 64: {arrived:.1f} s until all were there, "
        f"{time.monotonic() - began:.1f} s until all were encoded; {memory(page, teach)}"
    )
    assert sum(images_of(teach.projects, person.project).values()) == MANY
    assert person.cells().count() < 300, "only those one can see are drawn"
    person.undo()
    wait_until(lambda: teach.images(person.project) == 0, 30, "one gesture is one step back")


def only_class(server: Teach, project: str) -> str:
    state = server.state(project)
    [name] = [one["name"] for one in state["classes"]] or [""]
    return str(name)
