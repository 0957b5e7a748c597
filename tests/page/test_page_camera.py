"""The camera, which is Chromium's own test picture: photos to teach, and answers to what it shows."""

from __future__ import annotations

from typing import Any

import pytest
from tools.page.person import LONG, Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page


def test_photos_one_by_one_in_a_burst_and_after_a_countdown(teach: Teach, opened: Any) -> None:
    page = opened(teach)
    person = Person(page)
    person.start("Camera")
    person.make_class("test picture")
    person.choose_class("test picture")
    person.button("teach.give.camera").click()
    shoot = page.locator(".camera-shoot")
    page.wait_for_function("() => document.querySelector('.camera-video')?.videoWidth > 0")
    shoot.click()
    wait_until(lambda: teach.images(person.project) == 1, 10, "no photo")
    shoot.hover()
    page.mouse.down()
    page.wait_for_timeout(1200)
    page.mouse.up()
    wait_until(lambda: teach.images(person.project) >= 4, 10, "no burst")
    before = teach.images(person.project)
    person.button("teach.camera.later", count=3).click()
    wait_until(lambda: teach.images(person.project) > before, 15, "nothing after the countdown")
    page.wait_for_timeout(2500)
    person.button("teach.camera.close").click()
    page.locator(".camera").wait_for(state="detached")
    names = set(teach.state(person.project)["names"].values())
    assert len(names) == teach.images(person.project) and all(name.endswith(".jpg") for name in names)


def test_answers_to_what_the_camera_shows(teach: Teach, opened: Any, drawn: Material) -> None:
    page = opened(teach)
    person = Person(page)
    person.start("Film")
    person.teach(drawn.taught)
    person.train("rlp")
    person.go("ask")
    person.button("ask.film.start").click()
    answers = page.get_by_role("region", name=person.words("ask.answer"))
    answers.locator(".likely li").nth(3).wait_for(timeout=LONG)
    assert sorted(person.likely(answers)) == sorted(drawn.names)
    person.button("ask.film.keep").click()
    person.near().first.wait_for()
    assert page.evaluate("() => [...document.querySelectorAll('video')].every((one) => !one.srcObject)")


def test_a_camera_that_is_refused_is_told(teach: Teach, browser: Any, opened: Any) -> None:
    """Without a grant, and with nobody to ask."""
    page = opened(teach, permissions=[])
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    )
    page.reload()
    person = Person(page)
    person.start("Refused")
    person.make_class("cat")
    person.choose_class("cat")
    person.button("teach.give.camera").click()
    person.told("teach.camera.refused").wait_for()
