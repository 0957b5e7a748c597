"""What the server says on the ways that people go, on a German page: none of it stays English."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tools.page.drag import drop
from tools.page.person import Person
from tools.page.pictures import Material, troubled
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page
ENGLISH = "main [lang=en], .toast [lang=en]"


@pytest.fixture
def person(teach: Teach, opened: Any) -> Person:
    """Somebody with a German browser."""
    page = opened(teach, locale="de-DE")
    page.watch.allow(r"status of 4(04|09|22)")
    return Person(page)


def check_german(person: Person) -> None:
    english = person.page.locator(ENGLISH)
    assert english.all_inner_texts() == []
    for text in person.page.locator("main, .toasts").all_inner_texts():
        assert "auf Englisch" not in text


def test_bad_files_and_names_are_told_in_german(person: Person, tmp_path: Path) -> None:
    person.start("Ärger")
    for name in ("a/b", "con", ".versteckt", "x" * 150):
        words = person.try_class(name)
        assert "Englisch" not in words and "Name" in words
        person.page.keyboard.press("Escape")
    person.make_class("Katze")
    person.choose_class("Katze")
    files = troubled(tmp_path / "files")
    (files / "letter.jpg").write_text("no picture at all", encoding="utf-8")
    person.give(sorted(path for path in files.iterdir() if path.suffix != ".txt"))
    person.page.locator(".notice.warn details").wait_for(timeout=60_000)
    told = person.page.locator(".notice.warn details").text_content() or ""
    for key in ("image-unknown", "image-damaged", "image-drawing"):
        assert person.words(f"said.{key}") in told
    check_german(person)


def test_what_a_training_of_few_photos_says_is_german(person: Person, drawn: Material) -> None:
    person.start("Wenige")
    first, *others = drawn.names
    person.teach({first: drawn.taught[first][:1], others[0]: drawn.taught[others[0]][:1]})
    person.train("rlp")
    person.told("said.no-second-photo").wait_for()
    check_german(person)
    person.go("teach")
    person.drop(drawn.taught[others[0]], on=others[0])
    person.wait_for_count(others[0], 5)
    person.train("rlp")
    person.told("said.not-estimated", classes=first).wait_for()
    person.told("said.only-ones", count=1).wait_for()
    check_german(person)


def test_a_zip_with_a_result_that_cannot_be_right_opens_without_it(
    teach: Teach, person: Person, drawn: Material, tmp_path: Path
) -> None:
    person.start("Gepackt")
    person.teach({name: drawn.taught[name] for name in drawn.names[:2]})
    person.train("rlp")
    person.go("take")
    spoiled = tmp_path / "gepackt.zip"
    with (
        zipfile.ZipFile(person.download("archive").path()) as source,
        zipfile.ZipFile(spoiled, "w") as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "project.json":
                record = json.loads(data)
                record["result"]["accuracy"] = {"percent": "<img src=x onerror=alert(1)>"}
                data = json.dumps(record).encode()
            target.writestr(name, data)
    person.home()
    person.page.locator("main input[type=file]").set_input_files(str(spoiled))
    reason = person.words("said.result-wrong")
    person.told("take.open.no-result", reason=reason).wait_for()
    person.heading("teach.title").wait_for()
    for name in drawn.names[:2]:
        person.wait_for_count(name, 5)
    wait_until(lambda: teach.state(person.project)["trained"], 10, "its prompt did not come")
    person.go("train")
    person.told("train.no-result").wait_for()
    check_german(person)
    person.go("ask")
    person.ask(drawn.asked[drawn.names[0]][:1])
    (tmp_path / "broken.png").write_bytes(drawn.asked[drawn.names[0]][0].read_bytes()[:200])
    drop(person.page.locator("main .drop"), [tmp_path / "broken.png"])
    person.told("said.image-damaged").wait_for()
    check_german(person)
