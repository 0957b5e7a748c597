"""A walk through everything that the page can show, one state after the other."""

from __future__ import annotations

from collections.abc import Iterator

from tools.page.person import Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until


def tour(person: Person, server: Teach, material: Material) -> Iterator[str]:
    """Stops at each state, with its name."""
    page = person.page
    person.heading("projects.title").wait_for()
    yield "no project"
    person.button("projects.new").first.click()
    person.dialog().wait_for()
    yield "asked for a title"
    person.answer("Animals")
    person.heading("teach.title").wait_for()
    yield "no class"
    yield from _teaching(person, material)
    yield from _training(person, server)
    yield from _suggesting(person, material)
    yield from _asking(person, material)
    person.go("take")
    yield "take away"
    person.home()
    page.locator(".project").wait_for()
    yield "projects"


def _teaching(person: Person, material: Material) -> Iterator[str]:
    page, first = person.page, material.names[0]
    person.teach(material.taught)
    person.choose_class(first)
    yield "pictures of a class"
    person.cells().nth(0).click()
    person.cells().nth(2).click(modifiers=["Shift"])
    yield "pictures are selected"
    page.locator("[data-act=move]").click()
    page.get_by_role("menu").wait_for()
    yield "a menu"
    page.keyboard.press("Escape")
    person.cells().nth(1).dblclick()
    person.dialog().wait_for()
    yield "one picture, large"
    page.keyboard.press("Escape")
    person.button("teach.give.camera").click()
    page.wait_for_function("() => document.querySelector('.camera-video')?.videoWidth > 0")
    yield "the camera"
    person.button("teach.camera.close").click()
    person.class_menu(material.names[1], "delete")
    person.dialog().wait_for()
    yield "asked before a class goes"
    page.keyboard.press("Escape")


def _training(person: Person, server: Teach) -> Iterator[str]:
    page = person.page
    person.go("train")
    person.choose_expert("method", "rlp")
    person.choose_expert("schedule", "coop")
    yield "before the training"
    page.locator("button.big").click()
    page.locator(".steps").wait_for()
    yield "a training"
    person.button("train.cancel").click()
    person.told("train.cancelled").wait_for()
    yield "a training that was stopped"
    wait_until(
        lambda: server.state(person.project)["training"]["state"] == "cancelled", 10, "it is not stopped"
    )
    person.choose_expert("schedule", "fast")
    page.locator("button.big").click()
    person.result()
    yield "a result"


def _suggesting(person: Person, material: Material) -> Iterator[str]:
    person.go("teach")
    page = person.page
    person.choose_class(material.names[0])
    others = [file for files in material.asked.values() for file in files]
    person.cells().nth(0).click()
    person.move_to(None)
    page.locator("[data-unlabelled] .class-open").click()
    person.give(others)
    person.button("teach.suggest.open").click()
    page.locator(".suggestion").wait_for()
    yield "suggestions"
    page.keyboard.press("Enter")
    person.button("teach.suggest.close").click()


def _asking(person: Person, material: Material) -> Iterator[str]:
    page = person.page
    person.go("ask")
    yield "nothing asked"
    person.add_name(material.new_name)
    person.ask(material.new[:2])
    person.near().first.wait_for()
    yield "an answer"
    person.remove_name(material.new_name)
    person.refuse_strictly()
    person.ask(material.other[:1])
    yield "none of these"
    person.button("ask.film.start").click()
    page.locator(".likely li").first.wait_for()
    yield "filmed"
    person.button("ask.film.stop").click()
