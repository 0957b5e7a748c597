"""`python -m tools.page.screenshots`: makes the pictures of the tutorial anew, of drawn animals, small."""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tools.page.chromium import chromium
from tools.page.person import LONG, Person
from tools.page.pictures import Material, cat_material
from tools.page.server import Teach, teaching

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

OUT = Path("docs/images/teach")
WIDE: Any = {"width": 1280, "height": 800}
NARROW: Any = {"width": 375, "height": 740}
MOST_BYTES = 100_000
READ = "() => [...document.querySelectorAll('.status-bar')].every((one) => one.hidden)"
LOOKS: Any = (("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW))


class Camera:
    """Takes each view in light and dark, wide and narrow."""

    def __init__(self, person: Person, out: Path) -> None:
        self.person, self.out = person, out
        out.mkdir(parents=True, exist_ok=True)

    def take(self, name: str, *looks: tuple[Any, Any], at: Locator | None = None) -> None:
        """at: what stands at the top; else the page's own top."""
        page = self.person.page
        for scheme, size in looks or LOOKS:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size(size)
            page.evaluate("() => window.scrollTo(0, 0)")
            if at is not None:
                at.evaluate("(one) => window.scrollBy(0, one.getBoundingClientRect().top - 90)")
            page.mouse.move(0, 0)
            page.wait_for_timeout(600)
            width = "" if size is WIDE else "-narrow"
            save(page.screenshot(), self.out / f"{name}-{scheme}{width}.png")
        page.set_viewport_size(WIDE)


def save(data: bytes, path: Path) -> None:
    """With as many colours as fit into the bytes."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    for colours in (256, 128, 64, 32):
        held = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
        if held.tell() <= MOST_BYTES:
            break
    path.write_bytes(held.getvalue())
    print(f"{path}: {held.tell():,} bytes, {colours} colours")


def walk(person: Person, camera: Camera, material: Material) -> None:
    """The tutorial's way."""
    first, _, _, last = material.names
    person.start("Our cats")
    person.teach(material.taught)
    person.choose_class(first)
    person.page.wait_for_function(READ)
    close_messages(person)
    camera.take("teach")
    person.choose_class(last)
    person.cells().nth(1).click()
    person.cells().nth(3).click(modifiers=["Shift"])
    person.page.locator("[data-act=move]").click()
    camera.take("select", ("light", WIDE))
    person.page.keyboard.press("Escape")
    person.train(within=10 * LONG)
    close_messages(person)
    camera.take("train", at=person.page.locator(".train .card").first)
    camera.take("mixed", ("light", WIDE), at=region(person, "train.confusion.title"))
    camera.take("suspicious", ("light", WIDE), at=region(person, "train.suspicious.title"))
    person.go("ask")
    person.ask([material.asked[first][0]])
    person.near().first.wait_for()
    camera.take("ask")
    person.add_name(material.new_name)
    person.ask([material.new[0]])
    person.near().first.wait_for()
    camera.take("new-name", ("light", WIDE))
    person.remove_name(material.new_name)
    person.page.get_by_role("checkbox", name=person.words("ask.none.label")).check()
    person.ask([material.other[0]])
    person.page.locator(".figure svg").wait_for()
    camera.take("none", ("light", WIDE))
    person.go("take")
    camera.take("take", ("light", WIDE), ("dark", NARROW))
    person.home()
    camera.take("projects", ("light", WIDE))


def region(person: Person, key: str) -> Locator:
    return person.page.get_by_role("region", name=person.words(key), exact=True)


def close_messages(person: Person) -> None:
    for message in person.page.locator(".toast button.icon").all():
        message.click()


def shoot(browser: Browser, server: Teach, out: Path, material: Material) -> None:
    context = browser.new_context(viewport=WIDE, locale="en-GB", color_scheme="light")
    page = context.new_page()
    page.goto(server.url)
    person = Person(page)
    walk(person, Camera(person, out), material)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.page.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as temporary:
        material = cat_material(Path(temporary) / "drawn")
        with teaching(Path(temporary) / "projects", environment={}) as server, chromium() as browser:
            shoot(browser, server, out, material)


if __name__ == "__main__":
    main()
