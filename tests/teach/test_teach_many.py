"""Thousands of images: what each takes, and that nothing takes more than its share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest
from dropped import drop, image, photo
from live_page import Page, page_over

from promptlet.teach.projects.looking import Looking
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf

CLASSES, EACH = 50, 100


def many(root: Path) -> list[str]:
    """A project of 5,000 images, as a server made it; the ids."""
    found, names = [], {}
    for one in range(CLASSES):
        (root / f"class {one:02}").mkdir(parents=True)
        for each in range(EACH):
            key = f"{one * EACH + each:016x}"
            (root / f"class {one:02}" / f"{key}.png").write_bytes(b"")
            names[key] = f"IMG_{each}.png"
            found.append(key)
    (root / "project.json").write_text(json.dumps({"schema": 1, "title": "Many", "names": names}))
    return found


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.close()


def seconds(work: object) -> float:
    began = perf_counter()
    work()  # type: ignore[operator]
    return perf_counter() - began


@pytest.mark.slow
def test_five_thousand_images_are_told_and_changed_in_a_moment(shelf: Shelf) -> None:
    ids = many(shelf.root / "many")
    project = shelf.get("many")
    assert len(project.seen().images) == CLASSES * EACH and len(project.seen().classes) == CLASSES
    assert min(seconds(project.seen) for _ in range(5)) < 0.3
    asked = {"action": "move-images", "images": ids[:1000], "to": "class 49"}
    assert seconds(lambda: project.change(asked)) < 3
    assert seconds(project.undo) < 3
    assert len(project.seen().classes[0].images) == EACH


def test_a_look_at_what_did_not_change_reads_no_folder(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    many(shelf.root / "many")
    project = shelf.get("many")
    project.look()
    looked: list[str] = []
    own = Looking._look

    def look(self: Looking, name: str) -> object:
        before = self._listed.get(name)
        found = own(self, name)
        if found is not before:
            looked.append(name)
        return found

    monkeypatch.setattr(Looking, "_look", look)
    monkeypatch.setattr("promptlet.teach.projects.looking.SETTLED", -1.0)
    project.look()
    assert looked == []
    (shelf.root / "many" / "class 07" / f"{'f' * 16}.png").write_bytes(b"")
    project.look()
    assert looked == ["class 07"] and len(project.seen().images) == CLASSES * EACH + 1


def test_files_of_others_are_read_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.teach.projects import looking

    read: list[Path] = []
    own = looking.content_id
    monkeypatch.setattr(looking, "content_id", lambda path: read.append(path) or own(path))
    for number in range(30):
        (shelf.root / "mine" / "cat").mkdir(parents=True, exist_ok=True)
        (shelf.root / "mine" / "cat" / f"IMG {number}.png").write_bytes(photo(number))
    project = shelf.get("mine")
    assert read == [] and len(project.seen().images) == len(read) == 30
    drop(project, [100], "dog")
    (shelf.root / "mine" / "cat" / "another.png").write_bytes(photo(31))
    assert len(project.seen().images) == 32 and len(read) == 31
    shelf._open.clear()
    assert len(shelf.get("mine").seen().images) == 32 and len(read) == 31


def test_what_can_be_undone_is_bounded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlet.teach.projects.journal.MOST_MOVES", 5)
    monkeypatch.setattr("promptlet.teach.projects.journal.MOST_STEPS", 4)
    project: Project = shelf.create("Pets")
    for number in range(10):
        drop(project, [2 * number, 2 * number + 1], "cat")
    assert len(project._journal.history.undo) == 2
    for number in range(10):
        project.change({"action": "create-class", "name": f"class {number}"})
    assert len(project._journal.history.undo) == 4
    assert image(0) in project.seen().images


@pytest.mark.slow
def test_every_route_of_five_thousand_images_is_quick(tmp_path: Path) -> None:
    ids = many(tmp_path / "many")
    with page_over(tmp_path) as page:
        assert len(page.ask("GET", "/v1/projects/many").json()["names"]) == len(ids)
        for method, path, body, most in (
            ("GET", "/v1/projects/many", None, 0.3),
            ("GET", "/v1/projects", None, 0.3),
            (
                "POST",
                "/v1/projects/many/changes",
                {"action": "move-images", "images": ids[:3], "to": "x"},
                1.0,
            ),
            ("POST", "/v1/projects/many/undo", None, 1.0),
            ("POST", "/v1/projects/many/changes", {"action": "order-classes", "names": ["class 40"]}, 1.0),
        ):
            assert _quickest(page, method, path, body) < most, (method, path)


def _quickest(page: Page, method: str, path: str, body: object) -> float:
    taken = []
    for _ in range(3):
        began = perf_counter()
        answer = page.ask(method, path, json=body)
        taken.append(perf_counter() - began)
        assert answer.status_code == 200, answer.text[:500]
    return min(taken)
