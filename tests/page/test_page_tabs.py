"""Many tabs at a time: browsers allow six connections to a server, and events hold one each."""

from __future__ import annotations

from typing import Any

import pytest
from tools.page.person import Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page
TABS = 8
HIDE = """(state) => {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
COUNTING = """globalThis.opened = [];
const Own = EventSource;
globalThis.EventSource = class extends Own {
  constructor(...given) { super(...given); globalThis.opened.push(this); }
};"""
OPEN = "() => globalThis.opened.filter((one) => one.readyState !== 2).length"


def tabs_of(context: Any, server: Teach, projects: list[str]) -> list[Person]:
    """A tab for each, all of which count as seen."""
    people = []
    for project in projects:
        page = context.new_page()
        page.goto(f"{server.origin}/#/p/{project}/teach")
        people.append(Person(page))
        people[-1].heading("teach.title").wait_for()
    return people


def streams(people: list[Person]) -> int:
    return sum(int(one.page.evaluate(OPEN)) for one in people)


def check_hears(server: Teach, one: Person, name: str) -> None:
    """What happens elsewhere comes to a tab by itself."""
    server.ask(f"/v1/projects/{one.project}/changes", "POST", {"action": "create-class", "name": name})
    one.shelf(name).wait_for()


@pytest.fixture
def context(contexts: Any, teach: Teach) -> Any:
    """With the token, and streams that are counted."""
    made, watch = contexts(teach)
    made.add_init_script(COUNTING)
    page = made.new_page()
    page.goto(teach.url)
    page.close()
    made.watch = watch
    return made


def made(server: Teach, title: str) -> str:
    return str(server.ask("/v1/projects", "POST", {"title": title})["id"])


@pytest.mark.parametrize("is_one", [True, False], ids=["one project", "a project each"])
def test_eight_tabs_work_and_share_one_connection(teach: Teach, context: Any, is_one: bool) -> None:
    """The first is closed then: the others go on by the next."""
    kind = "one" if is_one else "each"
    projects = [
        made(teach, f"Tab {kind} {0 if is_one else number}") for number in range(1 if is_one else TABS)
    ]
    people = tabs_of(context, teach, projects * (TABS // len(projects)))
    wait_until(lambda: streams(people) == 1, 10, "they do not share one connection")
    for number, one in enumerate(people):
        check_hears(teach, one, f"seen {number}")
    people.pop(0).page.close()
    wait_until(lambda: streams(people) == 1, 10, "no other tab takes over")
    for number, one in enumerate(people):
        check_hears(teach, one, f"seen then {number}")
    people[-1].make_class("by hand")


def test_without_locks_hidden_tabs_let_go_and_catch_up(teach: Teach, context: Any) -> None:
    """As in browsers that come from another machine over plain HTTP."""
    context.add_init_script("delete Navigator.prototype.locks;")
    project = made(teach, "Hidden")
    people: list[Person] = []
    for _ in range(TABS):
        for one in people:
            one.page.evaluate(HIDE, "hidden")
        people += tabs_of(context, teach, [project])
    wait_until(lambda: streams(people) == 1, 10, "a hidden tab holds a connection")
    check_hears(teach, people[-1], "while hidden")
    first = people[0]
    assert first.shelf("while hidden").count() == 0
    first.page.evaluate(HIDE, "visible")
    first.shelf("while hidden").wait_for()
    assert streams(people) == 2


def test_a_hidden_tab_catches_up_with_a_training_that_was_stopped(
    teach: Teach, context: Any, drawn: Material
) -> None:
    """Which makes no other revision of the project."""
    [one] = tabs_of(context, teach, [made(teach, "Stopped")])
    one.teach({name: drawn.taught[name] for name in drawn.names[:2]})
    one.go("train")
    one.choose_expert("schedule", "coop")
    one.choose_expert("method", "rlp")
    address = f"/v1/projects/{one.project}/training"
    one.page.locator("button.big").click()
    one.button("train.cancel").wait_for()
    one.page.evaluate(HIDE, "hidden")
    wait_until(lambda: streams([one]) == 0, 10, "a hidden tab holds a connection")
    teach.ask(address, "DELETE")
    assert one.button("train.cancel").is_visible()
    one.page.evaluate(HIDE, "visible")
    one.told("train.cancelled").wait_for()


def test_a_tab_learns_that_its_project_is_gone(teach: Teach, context: Any) -> None:
    context.watch.allow(r"status of 404")
    [one, other] = tabs_of(context, teach, [made(teach, "Gone"), made(teach, "Stays")])
    teach.ask(f"/v1/projects/{one.project}", "DELETE")
    one.page.get_by_text(one.words("app.gone.title")).wait_for()
    check_hears(teach, other, "still here")
