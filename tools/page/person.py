"""Somebody at the page: does what people do there, by the words that stand on it, in whichever language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.page.drag import drop

if TYPE_CHECKING:
    from playwright.sync_api import Download, Locator, Page

WORDS = "async ([key, values]) => (await import('/static/app/words.js')).t(key, values)"
COUNTED = """([name, count]) => {
  const shelf = [...document.querySelectorAll('[data-class]')].find((one) => one.dataset.class === name);
  return Number(shelf?.querySelector('.class-count > span').textContent.replace(/\\D/g, '') ?? -1) === count;
}"""
LONG = 60_000
"""Milliseconds that a training or a thousand pictures may take on a machine with other work."""


@dataclass
class Person:
    """page: where they are."""

    page: Page

    # -- finding things

    def words(self, key: str, **values: Any) -> str:
        """What stands on the page for a key, in its language."""
        return str(self.page.evaluate(WORDS, [key, values]))

    def button(self, key: str, **values: Any) -> Locator:
        return self.page.get_by_role("button", name=self.words(key, **values), exact=True)

    def link(self, key: str, **values: Any) -> Locator:
        return self.page.get_by_role("link", name=self.words(key, **values), exact=True)

    def heading(self, key: str) -> Locator:
        return self.page.get_by_role("heading", level=1, name=self.words(key), exact=True)

    def told(self, key: str, **values: Any) -> Locator:
        """Where these words stand."""
        return (
            self.page.locator("main, .toasts, dialog")
            .get_by_text(self.words(key, **values), exact=True)
            .first
        )

    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]")

    # -- going about

    def go(self, view: str) -> None:
        """By its tab: teach, train, ask or take."""
        tabs = self.page.get_by_role("navigation", name=self.words("app.steps"))
        tabs.get_by_role("link", name=self.words(f"app.tab.{view}"), exact=True).click()
        self.heading(f"{view}.title").wait_for()

    @property
    def project(self) -> str:
        """The id of the project that is open."""
        return self.page.url.partition("#/p/")[2].split("/")[0]

    def start(self, title: str) -> None:
        """A new project, from the list of projects."""
        self.button("projects.new").first.click()
        self.answer(title)
        self.heading("teach.title").wait_for()

    def home(self) -> None:
        self.page.locator("#brand").click()
        self.heading("projects.title").wait_for()

    def open(self, project: str) -> None:
        """By its link in the list of projects."""
        self.page.locator(f'a[href="#/p/{project}/teach"]').click()
        self.heading("teach.title").wait_for()

    def delete_project(self, title: str) -> None:
        self.button("projects.delete-one", title=title).click()

    def bring_back(self, title: str) -> None:
        self.page.locator("main summary").click()
        self.button("projects.back-one", title=title).click()

    # -- teaching

    def answer(self, text: str) -> None:
        """In the dialog that asks for a text, with Enter."""
        self.dialog().get_by_role("textbox").fill(text)
        self.page.keyboard.press("Enter")
        self.dialog().wait_for(state="detached")

    def make_class(self, name: str) -> None:
        self.button("teach.class.new").click()
        self.answer(name)
        self.shelf(name).wait_for()

    def shelf(self, name: str) -> Locator:
        """A class in the list of classes."""
        return self.page.locator("[data-class]").filter(has=self.page.get_by_text(name, exact=True))

    def choose_class(self, name: str) -> None:
        self.shelf(name).locator(".class-open").click()
        self.page.get_by_role("heading", level=2, name=name, exact=True).wait_for()

    def class_menu(self, name: str, act: str) -> None:
        self.shelf(name).get_by_role("button", name=self.words("teach.class.more", **{"class": name})).click()
        self.page.get_by_role("menuitem", name=self.words(f"teach.class.{act}"), exact=True).click()

    def rename_class(self, name: str, to: str) -> None:
        self.class_menu(name, "rename")
        self.answer(to)
        self.shelf(to).wait_for()

    def merge_class(self, name: str, into: str) -> None:
        self.class_menu(name, "merge")
        self.dialog().get_by_role("combobox").select_option(into)
        self.button("teach.class.merge-yes").click()
        self.shelf(name).wait_for(state="detached")

    def delete_class(self, name: str) -> None:
        """With its pictures, which is asked before."""
        self.class_menu(name, "delete")
        self.dialog().get_by_role("button", name=self.words("teach.class.delete"), exact=True).click()
        self.shelf(name).wait_for(state="detached")

    def try_class(self, name: str) -> str:
        """Asks for a class; gives what is wrong with its name, in words, or nothing where it is made."""
        self.button("teach.class.new").click()
        self.dialog().get_by_role("textbox").fill(name)
        self.page.keyboard.press("Enter")
        bad = self.page.locator("dialog .error:visible, .toast.bad")
        bad.first.or_(self.shelf(name).first).wait_for()
        return bad.first.inner_text() if bad.count() else ""

    def move_to(self, name: str | None) -> None:
        """The selected pictures, by the menu; None: take their label off."""
        self.page.locator("[data-act=move]").click()
        key, values = ("teach.move-none", {}) if name is None else ("teach.move-to", {"class": name})
        self.page.get_by_role("menuitem", name=self.words(key, **values)).click()

    def undo(self) -> None:
        """By its button."""
        self.page.locator("button[aria-keyshortcuts='Control+Z']").click()

    def give(self, files: Sequence[Path]) -> None:
        """By the dialog of the browser, to the class that is shown."""
        chooser = self.page.locator("main input[type=file]:not([webkitdirectory])").first
        chooser.set_input_files([str(file) for file in files])

    def give_folder(self, folder: Path) -> None:
        self.page.locator("main input[webkitdirectory]").first.set_input_files(str(folder))

    def drop(self, paths: Sequence[Path], on: str | None = None) -> None:
        """Files and folders, on a class, or where the images are."""
        drop(self.shelf(on) if on else self.page.locator("[data-drop]"), paths)

    def teach(self, taught: Mapping[str, Sequence[Path]]) -> None:
        """Classes with their pictures, each dropped on its class."""
        for name, files in taught.items():
            self.make_class(name)
            self.drop(files, on=name)
        for name, files in taught.items():
            self.wait_for_count(name, len(files))

    def wait_for_count(self, name: str, count: int, within: float = LONG) -> None:
        """Until a class holds as many."""
        self.page.wait_for_function(COUNTED, arg=[name, count], timeout=within)

    def cells(self) -> Locator:
        """The images that are shown and drawn."""
        return self.page.get_by_role("gridcell")

    # -- training, asking, taking away

    def train(self, method: str = "auto", within: float = LONG) -> None:
        """Until the result stands there."""
        self.go("train")
        if method != "auto":
            self.choose_expert("method", method)
        self.page.locator("button.big").click()
        self.result(within)

    def choose_expert(self, name: str, value: str) -> None:
        """One of method, rank, shots and schedule, in the drawer for experts; it is kept with the project."""
        drawer = self.page.locator("details.drawer")
        if drawer.get_attribute("open") is None:
            drawer.locator("summary").click()
        control = drawer.locator(f"#expert-{name}")
        if control.evaluate("(one) => one.localName") == "select":
            control.select_option(value)
        else:
            control.fill(value)
            control.press("Tab")

    def result(self, within: float = LONG) -> Locator:
        told = self.page.get_by_role("region", name=self.words("train.accuracy.title"))
        told.locator(".headline").wait_for(timeout=within)
        return told

    def ask(self, files: Sequence[Path]) -> Locator:
        """By dropping them: the part of the page that answers, once it has for the first of them."""
        drop(self.page.locator("main .drop"), files)
        self.page.get_by_role("img", name=self.words("ask.alt", name=files[0].name), exact=True).wait_for()
        return self.answers()

    def answers(self) -> Locator:
        """Once nothing is on its way."""
        part = self.page.get_by_role("region", name=self.words("ask.answer"))
        part.locator("[aria-busy=true]").wait_for(state="detached", timeout=LONG)
        part.locator(".headline").first.wait_for(timeout=LONG)
        return part

    def likely(self, answers: Locator) -> list[str]:
        """The names that it has bars for, the likeliest first."""
        names = answers.locator(".likely li .name")
        return list(names.evaluate_all("(all) => all.map((one) => one.firstChild.textContent)"))

    def near(self) -> Locator:
        """The taught pictures that are most like the one asked about."""
        return self.page.get_by_role("region", name=self.words("ask.why.title")).get_by_role("listitem")

    def add_name(self, name: str) -> None:
        self.page.get_by_role("textbox", name=self.words("ask.names.label")).fill(name)
        self.page.keyboard.press("Enter")
        self.button("ask.names.remove", name=name).wait_for()

    def remove_name(self, name: str) -> None:
        self.button("ask.names.remove", name=name).click()

    def refuse_strictly(self) -> None:
        """What is unlike the taught pictures is none of these, with the slider at its end."""
        self.page.get_by_role("checkbox", name=self.words("ask.none.label")).check()
        self.page.get_by_role("slider", name=self.words("ask.none.strict")).press("End")
        self.page.wait_for_timeout(400)  # the slider waits a moment before it asks

    def open_again(self, file: Path) -> None:
        """What was taken away, in the view that takes away."""
        self.page.locator("main input[type=file]").set_input_files(str(file))

    def download(self, kind: str) -> Download:
        """One of prompt, archive, report, vectors and onnx."""
        name = f"{self.words('take.download')} {self.words(f'take.{kind}.title')}"
        with self.page.expect_download(timeout=4 * LONG) as found:
            self.page.locator("main").get_by_text(name).or_(
                self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name))
            ).last.click()
        return found.value
