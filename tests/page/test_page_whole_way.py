"""From an empty page to a classifier that answers, is taken away, and is opened again."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_files import images_of
from tools.page.person import Person
from tools.page.pictures import Material
from tools.page.server import Teach, teaching

pytestmark = pytest.mark.page


def begun(person: Person, title: str, material: Material) -> None:
    """A project that was taught and trained."""
    person.start(title)
    person.teach(material.taught)
    person.train()


def check_answers(person: Person, material: Material) -> None:
    """Others of the taught classes, names never taught, and what is none of these."""
    person.go("ask")
    right = 0
    for name, files in material.asked.items():
        answers = person.ask(files[:1])
        right += name in (answers.locator(".headline").first.text_content() or "")
        assert set(person.likely(answers)) == set(material.names)
        person.near().first.wait_for()
    assert right >= 3, "at least three of four others are told"
    person.add_name(material.new_name)
    answers = person.ask(material.new[:1])
    assert set(person.likely(answers)) == {*material.names, material.new_name}
    assert answers.get_by_text(person.words("ask.new"), exact=True).count() == 1
    person.remove_name(material.new_name)


def check_none_of_these(person: Person, material: Material) -> None:
    """Switched on and made strict, a picture of something else is none of these."""
    person.refuse_strictly()
    answers = person.ask(material.other[:1])
    answers.get_by_text(person.words("ask.none.answer"), exact=True).first.wait_for()


def check_files(person: Person, folder: Path, onnx: bool) -> dict[str, Path]:
    """All that can be downloaded is what it says."""
    person.go("take")
    saved = {}
    for kind in ("prompt", "archive", "report", "vectors", *(["onnx"] if onnx else [])):
        download = person.download(kind)
        saved[kind] = folder / download.suggested_filename
        download.save_as(saved[kind])
        assert saved[kind].stat().st_size > 200, kind
    assert saved["prompt"].suffix == ".prompt" and saved["archive"].suffix == ".zip"
    assert "<img" in saved["report"].read_text(encoding="utf-8")
    return saved


def check_opened(person: Person, server: Teach, saved: dict[str, Path], material: Material) -> None:
    """The prompt file is a prompt beside the own one, the zip a project that is trained already."""
    person.page.watch.allow(r"status of 412|/result\)")  # type: ignore[attr-defined]
    first = person.project
    person.open_again(saved["prompt"])
    person.told("take.open.opened", name=f"{first}-2").wait_for()
    names = {one["name"] for one in server.ask("/v1/prompts")["prompts"]}
    assert len(names) == 2 and first in names
    person.open_again(saved["archive"])
    person.heading("teach.title").wait_for()
    for name, files in material.taught.items():
        person.wait_for_count(name, len(files))
    assert person.project != first
    wait_for(server, lambda: server.state(person.project)["trained"])
    assert images_of(server.projects, person.project) == images_of(server.projects, first)
    check_result_came(person, server, first)
    person.go("ask")
    person.ask(material.asked[material.names[0]][:1])


def check_result_came(person: Person, server: Teach, first: str) -> None:
    """It is that of the project that was packed, of the same images, and there is a report."""
    person.go("train")
    person.result()
    mine, theirs = (server.ask(f"/v1/projects/{one}/result") for one in (person.project, first))
    assert mine == theirs
    wait_for(server, lambda: not server.state(person.project)["stale"])
    person.told("train.stale").wait_for(state="detached")
    person.go("take")
    assert "<img" in Path(person.download("report").path()).read_text(encoding="utf-8")


def wait_for(server: Teach, is_so: Callable[[], bool]) -> None:
    from tools.watching import wait_until

    wait_until(is_so, 30, f"it does not come about\n{server.log()}")


def test_the_whole_way(teach: Teach, opened: Any, drawn: Material, tmp_path: Path) -> None:
    person = Person(opened(teach))
    begun(person, "Animals", drawn)
    assert images_of(teach.projects, "animals") == dict.fromkeys(drawn.names, 5)
    check_answers(person, drawn)
    check_none_of_these(person, drawn)
    saved = check_files(person, tmp_path, onnx=True)
    with zipfile.ZipFile(saved["archive"]) as archive:
        assert archive.testzip() is None
        assert sum(name.endswith(".png") for name in archive.namelist()) == 20
    check_opened(person, teach, saved, drawn)


@pytest.mark.realbed
def test_the_whole_way_in_german_with_photos(real: Material, opened: Any, tmp_path: Path) -> None:
    """Photos and a model of photos; every word on the way is German."""
    place = os.environ.get("PROMPTLET_REALBED") or Path(__file__).parents[3] / "shared" / "realbed"
    with teaching(tmp_path / "projects", backbone=str(Path(place) / "model")) as server:
        person = Person(opened(server, locale="de-DE"))
        begun(person, "Bilder", real)
        check_answers(person, real)
        check_none_of_these(person, real)
        saved = check_files(person, tmp_path, onnx=False)
        check_opened(person, server, saved, real)
