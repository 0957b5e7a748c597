"""The routes of projects over the whole application: what is sent, what comes back, two tabs, events."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dropped import image, photo
from live_page import Page, page_over, problem

from promptlet.teach.events import Events
from promptlet.teach.http.files import FOLDER
from promptlet.teach.projects import acts

P = "/v1/projects/pets"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with page_over(tmp_path_factory.mktemp("routes")) as made:
        yield made


@pytest.fixture
def pets(page: Page) -> Iterator[Page]:
    """The project "pets", new for each test: cat 0 1 2, dog 3 4, unlabelled 5."""
    assert page.ask("POST", "/v1/projects", json={"title": "Pets"}).status_code == 201
    page.upload("pets", [0, 1, 2], "cat")
    page.upload("pets", [3, 4], "dog")
    page.upload("pets", [5])
    yield page
    page.ask("DELETE", P)
    import shutil

    shutil.rmtree(page.shelf.root / ".removed", ignore_errors=True)


def state(page: Page) -> dict[str, Any]:
    return dict(page.ask("GET", P).json())


def test_a_state_tells_all_that_a_page_shows(pets: Page) -> None:
    told = state(pets)
    assert told.pop("revision") == 4 and told.pop("encoded") <= told.pop("total") == 6
    assert told.pop("names")[image(0)] == "0.png"
    assert told == {
        "id": "pets",
        "title": "Pets",
        "classes": [
            {"name": "cat", "images": [image(0), image(1), image(2)]},
            {"name": "dog", "images": [image(3), image(4)]},
        ],
        "unlabelled": [image(5)],
        "settings": {"method": "auto", "rank": None, "shots": None, "schedule": None},
        "undo": {"action": "add-images", "count": 1, "class": None},
        "redo": None,
        "training": None,
        "trained": False,
        "stale": False,
        "backbone": {"name": "mini", "input_size": 64},
    }


def test_lists_tell_of_all_and_of_those_that_can_be_brought_back(pets: Page) -> None:
    [one] = pets.ask("GET", "/v1/projects").json()["projects"]
    assert time.time() - one.pop("changed") < 60
    assert one == {
        "id": "pets",
        "title": "Pets",
        "images": 6,
        "classes": 2,
        "unlabelled": 1,
        "trained": False,
    }
    assert pets.ask("DELETE", P).status_code == 204
    assert pets.ask("GET", "/v1/projects").json() == {
        "projects": [],
        "removed": [{"id": "pets", "title": "Pets"}],
    }
    assert "brings it back" in problem(pets.ask("GET", P), "unknown-project")
    assert pets.ask("POST", f"{P}/restore").json()["classes"][0]["name"] == "cat"
    problem(pets.ask("POST", f"{P}/restore"), "unknown-project")


def test_a_state_that_is_known_is_not_sent_again(pets: Page) -> None:
    while (told := state(pets))["encoded"] < told["total"]:
        time.sleep(0.05)
    tag = pets.ask("GET", P).headers["etag"]
    assert tag.startswith(f'"{told["revision"]}-')
    assert pets.ask("GET", P, headers={"If-None-Match": tag}).status_code == 304
    pets.ask("POST", f"{P}/undo")
    assert pets.ask("GET", P, headers={"If-None-Match": tag}).status_code == 200


def test_changes_answer_the_new_state(pets: Page) -> None:
    answer = pets.ask(
        "POST", f"{P}/changes", json={"action": "move-images", "images": [image(5), "gone"], "to": "dog"}
    )
    assert answer.status_code == 200 and answer.json()["skipped"] == ["gone"]
    assert answer.json()["classes"][1]["images"] == [image(3), image(4), image(5)]
    undone = pets.ask("POST", f"{P}/undo").json()
    assert undone["unlabelled"] == [image(5)] and undone["redo"]["action"] == "move-images"
    assert pets.ask("POST", f"{P}/redo").json()["unlabelled"] == []


def test_two_tabs_do_not_lose_each_others_work(pets: Page) -> None:
    """Each acts on the state that it saw first."""
    pets.ask("POST", f"{P}/changes", json={"action": "rename-class", "name": "cat", "to": "Katze"})
    other = pets.ask(
        "POST", f"{P}/changes", json={"action": "move-images", "images": [image(3)], "to": "Katze"}
    )
    pets.ask("POST", f"{P}/changes", json={"action": "delete-class", "name": "dog"})
    late = pets.ask(
        "POST", f"{P}/changes", json={"action": "move-images", "images": [image(4), image(1)], "to": "bird"}
    ).json()
    assert other.json()["skipped"] == [] and late["skipped"] == [image(4)]
    assert {one["name"]: len(one["images"]) for one in late["classes"]} == {"Katze": 3, "bird": 1}
    for _ in range(4):
        pets.ask("POST", f"{P}/undo")
    assert [len(one["images"]) for one in state(pets)["classes"]] == [3, 2]


def test_many_at_once_lose_nothing(pets: Page) -> None:
    answers: list[Any] = []

    def work(numbers: list[int]) -> None:
        answers.append(pets.upload("pets", numbers, "many"))

    threads = [
        threading.Thread(target=work, args=([100 + 3 * k, 101 + 3 * k, 102 + 3 * k],)) for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.status_code == 200 for one in answers)
    found = next(one for one in state(pets)["classes"] if one["name"] == "many")
    assert set(found["images"]) == {image(100 + k) for k in range(24)}


def test_uploads_tell_of_each_file(pets: Page) -> None:
    files = [
        ("images", ("new.png", photo(50), "image/png")),
        ("images", ("old.png", photo(0), "image/png")),
        ("images", ("evil.svg", b"<svg onload='alert(1)'/>", "image/png")),
    ]
    told = pets.ask("POST", f"{P}/images", params={"class": "bird"}, files=files).json()
    assert told["added"] == [{"id": image(50), "name": "new.png"}] and told["class"] == "bird"
    assert told["known"] == [{"id": image(0), "name": "old.png", "class": "cat"}]
    assert told["errors"][0]["name"] == "evil.svg" and "drawing" in told["errors"][0]["detail"]
    assert told["revision"] == state(pets)["revision"]


def test_requests_of_one_gesture_are_undone_together(pets: Page) -> None:
    for numbers in ([60, 61], [62]):
        pets.upload("pets", numbers, "bird", **{"X-Promptlet-Gesture": "drop-1"})
    assert state(pets)["undo"] == {"action": "add-images", "count": 3, "class": "bird"}
    assert "bird" not in [one["name"] for one in pets.ask("POST", f"{P}/undo").json()["classes"]]


def test_what_cannot_be_uploaded(pets: Page) -> None:
    ask = pets.ask
    problem(ask("POST", f"{P}/images", files=[("file", ("a.png", photo(1), "image/png"))]), "wrong-fields")
    problem(ask("POST", f"{P}/images", data={"images": "text"}), "unknown-form")
    problem(ask("POST", f"{P}/images", content=photo(1)), "unknown-form")
    problem(ask("POST", f"{P}/images", json={}), "unknown-form")
    problem(
        ask("POST", f"{P}/images", params={"klass": "x"}, files=[("images", ("a", b"", ""))]), "wrong-fields"
    )
    problem(
        ask("POST", f"{P}/images", params={"class": "a/b"}, files=[("images", ("a", photo(1), ""))]),
        "wrong-fields",
    )
    many = [("images", (f"{k}.png", photo(k), "image/png")) for k in range(33)]
    problem(ask("POST", f"{P}/images", files=many), "body-too-large")
    problem(
        ask(
            "POST",
            f"{P}/images",
            content=b"--x\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
        "malformed-body",
    )
    problem(ask("POST", "/v1/projects/nope/images", files=many[:1]), "unknown-project")


def test_what_is_asked_wrongly_is_said(pets: Page) -> None:
    ask = pets.ask
    assert "title" in problem(ask("POST", "/v1/projects", json={}), "wrong-fields")
    assert "allowed: title" in problem(ask("POST", "/v1/projects", json={"name": "x"}), "wrong-fields")
    problem(ask("POST", "/v1/projects", json=["x"]), "malformed-body")
    problem(
        ask("POST", "/v1/projects", content=b"{", headers={"Content-Type": "application/json"}),
        "malformed-body",
    )
    problem(ask("POST", "/v1/projects", content=b"[" * 10**5), "malformed-body")
    problem(ask("POST", "/v1/projects", data={"title": "x"}), "unknown-form")
    assert "merge" in problem(
        ask("POST", f"{P}/changes", json={"action": "rename-class", "name": "cat", "to": "dog"}),
        "wrong-fields",
    )
    problem(ask("POST", f"{P}/changes", json={}), "wrong-fields")
    problem(ask("GET", f"{P}/images/{'0' * 16}"), "unknown-image")
    problem(ask("GET", f"{P}/images/{'0' * 16}/thumbnail"), "unknown-image")
    assert problem(ask("PUT", P), "wrong-method").endswith("DELETE, GET, PATCH")


def test_titles_and_settings(pets: Page) -> None:
    told = pets.ask(
        "PATCH", P, json={"title": "Birds <b>", "settings": {"method": "coop", "shots": 4}}
    ).json()
    assert told["title"] == "Birds <b>" and told["id"] == "pets"
    assert told["settings"] == {"method": "coop", "rank": None, "shots": 4, "schedule": None}
    assert pets.ask("PATCH", P, json={"settings": {"shots": None}}).json()["settings"]["method"] == "coop"
    for settings in (
        {"method": "nope"},
        {"shots": 0},
        {"shots": "4"},
        {"rank": -1},
        {"schedule": "x"},
        {"a": 1},
        [],
    ):
        problem(pets.ask("PATCH", P, json={"settings": settings}), "wrong-fields")
    problem(pets.ask("PATCH", P, json={"title": " "}), "wrong-fields")
    assert state(pets)["title"] == "Birds <b>"


def test_images_are_sent_as_they_are(pets: Page) -> None:
    answer = pets.ask("GET", f"{P}/images/{image(0)}")
    assert answer.content == photo(0) and answer.headers["content-type"] == "image/png"
    assert "content-disposition" not in answer.headers
    kept = pets.ask("GET", f"{P}/images/{image(0)}?download=1").headers["content-disposition"]
    assert kept == "attachment; filename*=UTF-8''0.png"
    small = pets.ask("GET", f"{P}/images/{image(0)}/thumbnail")
    assert small.content[:2] == b"\xff\xd8" and small.headers["content-type"] == "image/jpeg"
    tag = {"If-None-Match": small.headers["etag"]}
    assert pets.ask("GET", f"{P}/images/{image(0)}/thumbnail", headers=tag).status_code == 304


def test_a_file_that_was_damaged_by_hand_has_no_small_picture(pets: Page) -> None:
    path = pets.shelf.root / "pets" / "cat" / "broken.png"
    path.write_bytes(b"no image")
    [broken] = set(state(pets)["names"]) - {image(k) for k in range(6)}
    said = problem(pets.ask("GET", f"{P}/images/{broken}/thumbnail"), "bad-image")
    assert "broken.png" in said and str(pets.shelf.root) not in said


def test_where_the_disk_is_full_it_is_said_and_nothing_has_come(
    pets: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(pets)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(acts, "write", full)
    for answer in (
        pets.upload("pets", [70], "cat"),
        pets.ask("POST", f"{P}/changes", json={"action": "delete-class", "name": "cat"}),
        pets.ask("PATCH", P, json={"title": "Other"}),
        pets.ask("POST", "/v1/projects", json={"title": "New"}),
    ):
        said = problem(answer, "not-kept")
        assert "No space left" in said and str(pets.shelf.root) not in said
    assert {**state(pets), "encoded": 0} == {**before, "encoded": 0}


def test_a_project_that_goes_by_hand_is_unknown(page: Page) -> None:
    page.ask("POST", "/v1/projects", json={"title": "Gone"})
    import shutil

    shutil.rmtree(page.shelf.root / "gone")
    problem(page.ask("GET", "/v1/projects/gone"), "unknown-project")
    assert page.ask("GET", "/v1/projects").status_code == 200


# -- events ----------------------------------------------------------------------------------------------


def followed(page: Page, acts: Callable[[], object], at: str = f"{P}/events") -> list[tuple[str, str]]:
    """What is told while something is done: (event, data)."""

    def work() -> None:
        time.sleep(0.3)
        acts()
        time.sleep(0.7)
        page.reasons.append("it ends")

    thread = threading.Thread(target=work)
    thread.start()
    answer = page.ask("GET", at)
    thread.join()
    page.reasons.clear()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return re.findall(r"event: (\w+)\ndata: (.*)\n\n", answer.text)


@pytest.mark.slow
def test_events_tell_of_changes_and_end_with_the_server(pets: Page) -> None:
    events = followed(
        pets, lambda: pets.ask("POST", f"{P}/changes", json={"action": "delete-class", "name": "cat"})
    )
    name, told = events[0]
    hello = json.loads(told)
    assert name == "hello" and 0 <= hello.pop("done") <= 6
    assert hello == {"revision": 4, "training": None, "total": 6}
    assert ("state", '{"revision":5}') in events


@pytest.mark.slow
def test_events_tell_of_images_that_are_encoded(pets: Page) -> None:
    events = followed(pets, lambda: pets.upload("pets", [80, 81], "cat"))
    assert ("encoding", '{"done":8,"total":8}') in events


@pytest.mark.slow
def test_events_tell_of_changes_by_hand(pets: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def act() -> None:
        (pets.shelf.root / "pets" / "cat" / "mine.png").write_bytes(photo(90))
        time.sleep(1.6)

    assert ("state", '{"revision":5}') in followed(pets, act)


@pytest.mark.slow
def test_events_end_where_the_project_goes(pets: Page) -> None:
    events = followed(pets, lambda: pets.ask("DELETE", P))
    assert events[-1] == ("gone", "{}")
    assert problem(pets.ask("GET", f"{P}/events"), "unknown-project")
    pets.ask("POST", f"{P}/restore")


@pytest.mark.slow
def test_several_projects_are_followed_over_one_connection(pets: Page) -> None:
    """Each event tells its project; one that is not there is gone, and costs itself alone."""
    pets.ask("POST", "/v1/projects", json={"title": "Birds"})

    def act() -> None:
        pets.ask("POST", f"{P}/changes", json={"action": "delete-class", "name": "cat"})
        pets.ask("POST", "/v1/projects/birds/changes", json={"action": "create-class", "name": "robin"})
        pets.ask("DELETE", "/v1/projects/birds")

    events = followed(pets, act, "/v1/events?project=pets&project=birds&project=nobody&project=pets")
    told = [(name, json.loads(data)) for name, data in events]
    assert [(name, one["project"]) for name, one in told[:3]] == [
        ("hello", "pets"),
        ("hello", "birds"),
        ("gone", "nobody"),
    ]
    assert ("state", {"project": "pets", "revision": 5}) in told
    assert ("gone", {"project": "birds"}) in told
    pets.ask("POST", "/v1/projects/birds/restore")


def test_how_many_are_followed_has_bounds(page: Page) -> None:
    assert "1 to 100" in problem(page.ask("GET", "/v1/events"), "wrong-fields")
    many = "&".join(f"project=p{number}" for number in range(101))
    assert "101 projects" in problem(page.ask("GET", f"/v1/events?{many}"), "wrong-fields")


def test_who_does_not_read_holds_the_newest_alone() -> None:
    async def run() -> None:
        events = Events()
        with events.following("p") as one, events.following("p") as two:
            assert events.followed() == ["p"]
            for number in range(1000):
                await asyncio.to_thread(
                    events.tell, "p", "state", number
                ) if number % 100 == 0 else events.tell("p", "state", number)
            events.tell("p", "encoding", 1)
            events.tell("q", "state", 1)
            await asyncio.sleep(0)
            assert await one.news(1) == await two.news(1) == [(("p", "state"), 999), (("p", "encoding"), 1)]
            assert await one.news(0.01) == []
        assert events.followed() == []

    asyncio.run(run())


# -- the page's files, and what is told of the routes -------------------------------------------------------


@pytest.mark.slow
def test_the_page_s_files_are_sent_with_their_types(page: Page) -> None:
    types = {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    seen = 0
    for path in FOLDER.rglob("*"):
        if path.suffix in types:
            answer = page.ask("GET", f"/static/{path.relative_to(FOLDER).as_posix()}")
            assert answer.status_code == 200 and answer.headers["content-type"] == types[path.suffix]
            assert answer.headers["cache-control"] == "no-cache"
            tag = {"If-None-Match": answer.headers["etag"]}
            again = page.ask("GET", f"/static/{path.relative_to(FOLDER).as_posix()}", headers=tag)
            assert again.status_code == 304 and not again.content
            seen += 1
    assert seen > 20
    assert page.ask("GET", "/").headers["content-type"] == "text/html; charset=utf-8"


def test_all_routes_are_described(page: Page) -> None:
    told = page.ask("GET", "/openapi.json").json()
    paths = {path: set(methods) for path, methods in told["paths"].items() if path.startswith("/v1/projects")}
    assert len(paths) == 18 and paths[P.replace("pets", "{id}")] == {"get", "patch", "delete"}
    names = set(told["components"]["schemas"])
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            good = {code for code in operation["responses"] if code.startswith("2")}
            assert good, (path, method)
            if path.startswith("/v1/projects"):
                assert {"401", "403"} <= set(operation["responses"]) and operation["security"]
                assert operation["tags"] == ["projects"] and operation["description"]
                assert ("404" in operation["responses"]) == ("{id}" in path)
    for found in re.findall(r'"\$ref": ?"#/components/schemas/(\w+)"', page.ask("GET", "/openapi.json").text):
        assert found in names
