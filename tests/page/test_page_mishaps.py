"""Tabs loaded anew, servers killed, networks gone, two tabs: nothing is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_files import images_of, strays
from tools.page.person import LONG, Person
from tools.page.pictures import Material, many
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page
COUNT = 200
LOCKED = r"status of 401"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return many(tmp_path_factory.mktemp("many"), COUNT)


def kept(page: Any) -> int:
    """Pictures in the safety copy of the browser."""
    return int(
        page.evaluate("""() => new Promise((resolve, reject) => {
          const asked = indexedDB.open('promptlet');
          asked.onsuccess = () => {
            const all = asked.result.transaction('copies').objectStore('copies').count();
            all.onsuccess = () => { asked.result.close(); resolve(all.result); };
          };
          asked.onerror = () => reject(asked.error);
        })""")
    )


def check_all_there(server: Teach, project: str, name: str) -> None:
    wait_until(
        lambda: server.images(project) == COUNT, LONG / 1000, f"not all arrive: {server.images(project)}"
    )
    assert images_of(server.projects, project) == {name: COUNT}
    assert strays(server.projects) == []


class Held:
    """Uploads that do not get through: the first is let go, the others wait."""

    def __init__(self, page: Any, let: int = 1) -> None:
        self.page, self.left, self.waiting = page, let, 0
        page.route("**/images?*", self)

    def __call__(self, route: Any) -> None:
        if route.request.method == "POST" and self.left <= 0:
            self.waiting += 1
            return
        self.left -= route.request.method == "POST"
        route.continue_()

    def release(self) -> None:
        self.page.unroute("**/images?*")


def test_a_tab_loaded_anew_in_the_middle_of_an_upload_goes_on(
    teach: Teach, opened: Any, pictures: list[Path]
) -> None:
    page = opened(teach)
    page.watch.allow_outage()
    person = Person(page)
    person.start("Loaded anew")
    person.make_class("cat")
    held = Held(page)
    person.drop(pictures, on="cat")
    project = person.project
    wait_until(lambda: kept(page) >= COUNT - 32 and held.waiting > 0, 30, "the safety copy does not grow")
    page.wait_for_timeout(300)
    assert 0 < teach.images(project) < COUNT
    page.on("dialog", lambda dialog: dialog.accept())
    held.release()
    page.reload()
    check_all_there(teach, project, "cat")
    wait_until(lambda: kept(page) == 0, 10, "the safety copy is not cleared")
    person.undo()
    wait_until(lambda: teach.images(project) == 0, 10, "what one gesture brought is one step back")


def test_a_server_killed_in_the_middle_of_an_upload(
    own_teach: Teach, opened: Any, pictures: list[Path]
) -> None:
    """The address that the new one prints, opened in another tab, lets the first tab go on."""
    page = opened(own_teach)
    page.watch.allow_outage()
    page.watch.allow(LOCKED)
    person = Person(page)
    person.start("Killed")
    person.make_class("cat")
    person.drop(pictures, on="cat")
    project = person.project
    wait_until(lambda: own_teach.images(project) > 20, 30, "nothing arrives")
    own_teach.kill()
    page.get_by_text(person.words("app.offline")).wait_for()
    own_teach.start()
    page.get_by_text(person.words("app.locked")).wait_for(timeout=LONG)
    other = page.context.new_page()
    other.goto(own_teach.url)
    check_all_there(own_teach, project, "cat")
    person.wait_for_count("cat", COUNT)
    page.get_by_text(person.words("app.locked")).wait_for(state="detached")


def test_a_server_killed_in_the_middle_of_a_training(own_teach: Teach, opened: Any, drawn: Material) -> None:
    """What was learned before is as it was; another training learns anew."""
    page = opened(own_teach)
    page.watch.allow_outage()
    page.watch.allow(LOCKED)
    person = Person(page)
    person.start("Animals")
    person.teach(drawn.taught)
    person.train("rlp")
    project = person.project
    prompt = own_teach.projects / f"{project}.prompt"
    before = prompt.read_bytes()

    def learned() -> float:
        return float(own_teach.ask(f"/v1/projects/{project}/result")["trained_at"])

    first = learned()
    person.choose_expert("schedule", "coop")
    page.locator("button.big").click()
    wait_until(
        lambda: (own_teach.state(project)["training"] or {}).get("state") == "running",
        30,
        "it does not train",
    )
    own_teach.kill()
    page.get_by_text(person.words("app.offline")).wait_for()
    assert prompt.read_bytes() == before
    own_teach.start()
    page.goto(own_teach.url)
    person.open(project)
    assert images_of(own_teach.projects, project) == dict.fromkeys(drawn.names, 5)
    person.go("ask")
    person.ask(drawn.asked[drawn.names[0]][:1])
    person.go("train")
    person.choose_expert("schedule", "fast")
    page.locator("button.big").click()
    wait_until(lambda: learned() > first, LONG / 1000, "it is not trained anew")
    person.result()
    assert strays(own_teach.projects) == []


def test_a_training_is_stopped_and_the_former_prompt_stays(
    teach: Teach, opened: Any, drawn: Material
) -> None:
    page = opened(teach)
    person = Person(page)
    person.start("Stopped")
    person.teach(drawn.taught)
    person.train("rlp")
    before = (teach.projects / f"{person.project}.prompt").read_bytes()
    person.choose_expert("schedule", "coop")
    page.locator("button.big").click()
    person.button("train.cancel").click()
    person.told("train.cancelled").wait_for(timeout=10_000)
    assert (teach.projects / f"{person.project}.prompt").read_bytes() == before
    person.result()


def test_offline_and_back(teach: Teach, opened: Any, pictures: list[Path]) -> None:
    """What is dropped while the network is away arrives when it is back."""
    page = opened(teach)
    page.watch.allow_outage()
    person = Person(page)
    person.start("Offline")
    person.make_class("cat")
    page.context.set_offline(True)
    person.drop(pictures, on="cat")
    page.get_by_text(person.words("app.offline")).wait_for()
    assert teach.images(person.project) == 0
    page.context.set_offline(False)
    check_all_there(teach, person.project, "cat")
    page.get_by_text(person.words("app.offline")).wait_for(state="detached", timeout=LONG)


def test_two_tabs_on_one_project(teach: Teach, opened: Any, drawn: Material) -> None:
    """Each sees what the other does, and neither undoes it."""
    first = Person(opened(teach))
    first.start("Two tabs")
    names = drawn.names
    first.make_class(names[0])
    other = Person(first.page.context.new_page())
    other.page.goto(first.page.url)
    other.shelf(names[0]).wait_for()
    other.make_class(names[1])
    first.shelf(names[1]).wait_for()
    first.drop(drawn.taught[names[0]], on=names[0])
    other.drop(drawn.taught[names[1]], on=names[1])
    for one in (first, other):
        for name in names[:2]:
            one.wait_for_count(name, 5)
    first.rename_class(names[0], "renamed")
    other.shelf("renamed").wait_for()
    other.drop(drawn.asked[names[1]], on=names[1])
    first.wait_for_count(names[1], 8)
    assert images_of(teach.projects, first.project) == {"renamed": 5, names[1]: 8}
