"""The whole way by keyboard alone: what is reached by Tab shows that it has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tools.page.person import LONG, Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.page
MOST_TABS = 120
SHOWN = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
  const isSeen = (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
  return isSeen ? null : one.outerHTML.slice(0, 160);
}"""


class Typist(Person):
    """Presses keys and nothing else."""

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, target: Locator) -> None:
        """By Tab, from where the focus is; each stop must be seen."""
        for _ in range(MOST_TABS):
            if target.evaluate("(one) => one === document.activeElement"):
                return
            self.press("Tab")
            assert self.page.evaluate(SHOWN) is None, "it has the focus, and does not show it"
        raise AssertionError(f"{MOST_TABS} times Tab do not lead to {target}")

    def enter(self, target: Locator) -> None:
        self.tab_to(target)
        self.press("Enter")

    def choose_files(self, target: Locator, files: Sequence[Path]) -> None:
        """A button that opens the browser's dialog for files."""
        with self.page.expect_file_chooser() as found:
            self.enter(target)
        found.value.set_files([str(file) for file in files])

    def at_heading(self) -> None:
        """A new view has the focus on its heading, where a screen reader goes on."""
        self.page.wait_for_function("() => document.activeElement?.localName === 'h1'")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def tab(self, view: str) -> Locator:
        return self.page.get_by_role("navigation").get_by_role("link", name=self.words(f"app.tab.{view}"))


def make_class(typist: Typist, name: str, files: Sequence[Path]) -> None:
    typist.enter(typist.button("teach.class.new"))
    typist.dialog().wait_for()
    typist.type(name)
    typist.press("Enter")
    typist.page.get_by_role("heading", level=2, name=name, exact=True).wait_for()
    typist.choose_files(typist.button("teach.give.files"), files)
    typist.wait_for_count(name, len(files))


def test_the_whole_way_by_keyboard(teach: Teach, opened: Any, drawn: Material, tmp_path: Path) -> None:
    page = opened(teach)
    typist = Typist(page)
    typist.heading("projects.title").wait_for()
    typist.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "skip"
    typist.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    typist.enter(typist.button("projects.new").first)
    typist.dialog().wait_for()
    typist.type("Keys")
    typist.press("Enter")
    typist.at_heading()
    teach_four(typist, teach, drawn)
    train(typist)
    ask(typist, drawn)
    take_away(typist, tmp_path)


def teach_four(typist: Typist, server: Teach, drawn: Material) -> None:
    """With two pictures in a wrong class, which are put right by a number and by the menu."""
    first, second, third, fourth = drawn.names
    wrong = drawn.taught[first][:2]
    make_class(typist, first, drawn.taught[first][2:])
    make_class(typist, second, [*wrong, *drawn.taught[second]])
    make_class(typist, third, drawn.taught[third])
    make_class(typist, fourth, drawn.taught[fourth])
    typist.enter(typist.shelf(second).locator(".class-open"))
    typist.tab_to(typist.cells().first)
    typist.press("Space", "1")
    typist.wait_for_count(first, 4)
    typist.tab_to(typist.cells().first)
    typist.press("Home", "m")
    typist.page.get_by_role("menu").wait_for()
    typist.press("Enter")  # its first entry: the first class
    typist.wait_for_count(first, 5)
    typist.press("Control+z")
    typist.wait_for_count(first, 4)
    typist.press("Control+Shift+z")
    typist.wait_for_count(first, 5)
    state = server.state(typist.project)
    names = {state["names"][image] for image in state["classes"][0]["images"]}
    assert names == {path.name for path in drawn.taught[first]}


def train(typist: Typist) -> None:
    typist.enter(typist.link("teach.train"))
    typist.at_heading()
    drawer = typist.page.locator("details.drawer summary")
    typist.enter(drawer)
    typist.tab_to(typist.page.locator("#expert-method"))
    typist.type("rlp")
    typist.enter(typist.page.locator("button.big"))
    typist.result()


def ask(typist: Typist, drawn: Material) -> None:
    page = typist.page
    typist.enter(page.locator("main").get_by_role("link", name=typist.words("train.next.ask"), exact=True))
    typist.at_heading()
    typist.choose_files(typist.button("ask.choose").first, drawn.asked[drawn.names[0]][:2])
    typist.answers()
    typist.tab_to(page.get_by_role("textbox", name=typist.words("ask.names.label")))
    typist.type(drawn.new_name)
    typist.press("Enter")
    typist.button("ask.names.remove", name=drawn.new_name).wait_for()
    assert drawn.new_name in typist.likely(typist.answers())
    typist.tab_to(page.get_by_role("textbox", name=typist.words("ask.names.label")))
    typist.press("Backspace")
    typist.button("ask.names.remove", name=drawn.new_name).wait_for(state="detached")
    typist.tab_to(page.get_by_role("checkbox", name=typist.words("ask.none.label")))
    typist.press("Space")
    slider = page.get_by_role("slider", name=typist.words("ask.none.strict"))
    typist.tab_to(slider)
    before = slider.get_attribute("aria-valuetext")
    typist.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") != before
    typist.answers()


def take_away(typist: Typist, folder: Path) -> None:
    page = typist.page
    typist.enter(typist.tab("take"))
    typist.at_heading()
    with page.expect_download(timeout=LONG) as found:
        name = f"{typist.words('take.download')} {typist.words('take.prompt.title')}"
        typist.enter(page.get_by_role("button", name=name))
    found.value.save_as(folder / "keys.prompt")
    assert (folder / "keys.prompt").stat().st_size > 200


def test_menus_and_dialogs_are_left_by_escape_and_give_the_focus_back(
    teach: Teach, opened: Any, drawn: Material
) -> None:
    typist = Typist(opened(teach))
    page = typist.page
    typist.start("Escape")
    typist.make_class(drawn.names[0])
    more = typist.shelf(drawn.names[0]).get_by_role(
        "button", name=typist.words("teach.class.more", **{"class": drawn.names[0]})
    )
    typist.enter(more)
    page.get_by_role("menu").wait_for()
    typist.press("ArrowDown", "Escape")
    page.get_by_role("menu").wait_for(state="detached")
    wait_until(
        lambda: more.evaluate("(one) => one === document.activeElement"), 5, "the menu keeps the focus"
    )
    new = typist.button("teach.class.new")
    typist.enter(new)
    typist.dialog().wait_for()
    typist.press("Tab", "Tab", "Tab", "Tab")
    assert page.evaluate(
        "() => document.activeElement.closest('dialog') !== null || document.activeElement === document.body"
    )
    typist.press("Escape")
    typist.dialog().wait_for(state="detached")
    wait_until(
        lambda: new.evaluate("(one) => one === document.activeElement"), 5, "the dialog keeps the focus"
    )
