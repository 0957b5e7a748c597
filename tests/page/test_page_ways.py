"""How pictures come in, and what is done with many: pasted, zipped, in folders, labelled, repaired."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_files import images_of
from PIL import Image
from tools.page.person import LONG, Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page
PASTE = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], name, { type }));
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
}"""


def paste(page: Any, file: Path) -> None:
    """As a browser gives a picture of the clipboard: always under the same name."""
    page.evaluate(PASTE, ["image.png", "image/png", base64.b64encode(file.read_bytes()).decode()])


def folders(place: Path, material: Material) -> Path:
    """A folder of a folder per class."""
    for name, files in material.taught.items():
        (place / name.replace(" ", "_")).mkdir(parents=True)
        for file in files:
            (place / name.replace(" ", "_") / file.name).write_bytes(file.read_bytes())
    return place


def test_pictures_are_pasted(teach: Teach, opened: Any, drawn: Material) -> None:
    page = opened(teach)
    person = Person(page)
    person.start("Pasted")
    person.make_class("cat")
    person.choose_class("cat")
    for count, file in enumerate(drawn.taught[drawn.names[0]][:2], 1):
        paste(page, file)
        person.wait_for_count("cat", count)
    assert all(name != "image.png" for name in teach.state(person.project)["names"].values())
    paste(page, drawn.taught[drawn.names[0]][0])
    person.told("teach.upload.known", count=1).wait_for()
    person.wait_for_count("cat", 2)


def test_folders_of_folders_and_zips_become_classes(
    teach: Teach, opened: Any, drawn: Material, tmp_path: Path
) -> None:
    """Dropped, chosen, packed: the same classes each time, and nothing is there twice."""
    place = folders(tmp_path / "animals", drawn)
    packed = tmp_path / "animals.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(place.rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path))
    expected = dict.fromkeys(drawn.names, 5)
    for title, how in (("Dropped", "drop"), ("Chosen", "choose"), ("Zipped", "zip")):
        person = Person(opened(teach))
        person.start(title)
        if how == "choose":
            person.give_folder(place)
        else:
            person.drop([packed if how == "zip" else place])
        for name in drawn.names:
            person.wait_for_count(name, 5)
        assert images_of(teach.projects, person.project) == expected
        if how == "zip":
            person.drop([packed])
            wait_until(lambda: "20" in messages(person), 20, "it is not told that all were there")  # noqa: B023
            assert images_of(teach.projects, person.project) == expected


def messages(person: Person) -> str:
    return "\n".join(person.page.locator(".toast").all_inner_texts())


def test_a_photo_is_made_smaller_and_upright(
    teach: Teach, opened: Any, drawn: Material, tmp_path: Path
) -> None:
    """What a phone takes lying on its side arrives upright, twice as large as the model reads."""
    with Image.open(drawn.taught[drawn.names[1]][0]) as small:
        photo = small.convert("RGB").resize((900, 600), Image.Resampling.NEAREST)
    exif = photo.getexif()
    exif[0x112] = 6  # to be turned by a quarter
    photo.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    person = Person(opened(teach))
    person.start("Phone")
    person.make_class("cat")
    person.drop([tmp_path / "phone.jpg"], on="cat")
    person.wait_for_count("cat", 1)
    [file] = (teach.projects / person.project / "cat").iterdir()
    side = 2 * teach.state(person.project)["backbone"]["input_size"]
    with Image.open(file) as kept:
        assert kept.size == (side, side * 3 // 2)
        assert kept.getexif().get(0x112, 1) == 1
        upright = photo.transpose(Image.Transpose.ROTATE_270).resize(kept.size)
        far = np.asarray(kept.convert("L"), float) - np.asarray(upright.convert("L"), float)
    assert np.abs(far).mean() < 6


def test_what_looks_wrong_is_repaired_and_doubtful_ones_are_labelled(
    teach: Teach, opened: Any, drawn: Material
) -> None:
    """A fish among the birds is found and moved by one click; unlabelled ones get a class by a key each."""
    page = opened(teach)
    person = Person(page)
    person.start("Repaired")
    wrong, _, right, _ = drawn.names
    stray, *others = drawn.asked[right]
    person.teach({**drawn.taught, wrong: [*drawn.taught[wrong], stray]})
    person.train("rlp")
    person.button("train.repair.move", **{"class": right}).first.click()
    person.told("train.repaired.moved", count=1, **{"class": right}).wait_for()
    state = {one["name"]: one["images"] for one in teach.state(person.project)["classes"]}
    assert (len(state[wrong]), len(state[right])) == (5, 6)
    person.go("teach")
    page.locator("[data-unlabelled] .class-open").click()
    unlabelled = [*others, *(file for name in drawn.names if name != right for file in drawn.asked[name][:2])]
    person.give(unlabelled)
    wait_until(lambda: len(teach.state(person.project)["unlabelled"]) == 8, 20, "they do not arrive")
    person.button("teach.suggest.open").click()
    page.locator(".suggestion").wait_for(timeout=LONG)
    found = teach.ask(f"/v1/projects/{person.project}/suggestions")["suggestions"]
    assert [one["probability"] for one in found] == sorted(one["probability"] for one in found)
    for left in range(7, 3, -1):
        page.keyboard.press("Enter")
        wait_until(lambda: len(teach.state(person.project)["unlabelled"]) == left, 10, "Enter")  # noqa: B023
    page.keyboard.press("2")
    wait_until(lambda: len(teach.state(person.project)["unlabelled"]) == 3, 10, "a number")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    page.locator(".suggestions").wait_for(state="detached")
    for left in (4, 5):
        page.keyboard.press("Control+z")
        wait_until(lambda: len(teach.state(person.project)["unlabelled"]) == left, 10, "undo")  # noqa: B023


def test_two_prompts_answer_side_by_side(teach: Teach, opened: Any, drawn: Material) -> None:
    page = opened(teach)
    person = Person(page)
    for title, names in (("First", drawn.names[:2]), ("Second", drawn.names[2:])):
        person.start(title)
        person.teach({name: drawn.taught[name] for name in names})
        person.go("train")
        person.choose_expert("method", "zero_shot")
        page.locator("button.big").click()
        person.result()
        person.home()
    person.open("first")
    person.go("ask")
    page.get_by_role("combobox", name=person.words("ask.compare.label")).select_option("second")
    answers = person.ask(drawn.asked[drawn.names[0]][:1])
    assert answers.locator(".headline").count() == 2
    assert set(person.likely(answers)) == set(drawn.names)
