"""Pictures to teach with: drawn ones, real ones where they are, and files that are trouble."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

DRAWN = ("blue striped bird", "grey striped cat", "orange striped fish", "white rabbit")
DRAWN_NEW = "brown spotted dog"
CATS = ("black cat", "grey striped cat", "orange cat", "orange striped cat")
CAT_NEW = "white cat"
REAL = ("airplanes", "Faces", "Leopards", "Motorbikes")
REAL_NEW = "sunflower"
SCRIPT = b"""<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"
onload="globalThis.attacked = 'svg'"><script>globalThis.attacked = 'svg'</script></svg>"""


@dataclass(frozen=True)
class Material:
    """Files to teach by class name, others of these classes to ask, and some of one not taught."""

    taught: Mapping[str, Sequence[Path]]
    asked: Mapping[str, Sequence[Path]]
    new_name: str
    new: Sequence[Path]
    other: Sequence[Path]

    @property
    def names(self) -> list[str]:
        return list(self.taught)


def drawn_material(folder: Path, taught: int = 5, asked: int = 3) -> Material:
    """Animals of `mini-creatures`; what is none of these are textures."""
    from promptlet.mini.datasets import EVERY_DATASET

    animals, textures = EVERY_DATASET["mini-creatures"], EVERY_DATASET["mini-textures"]

    def draw(name: str, part: str, count: int, of: Any = animals) -> list[Path]:
        return [
            _saved(of.picture(name, part, i), folder / part / name / f"{name} {i}.png") for i in range(count)
        ]

    return Material(
        {name: draw(name, "train", taught) for name in DRAWN},
        {name: draw(name, "test", asked) for name in DRAWN},
        DRAWN_NEW,
        draw(DRAWN_NEW, "test", asked),
        draw(textures.class_names[0], "test", asked, textures),
    )


def cat_material(folder: Path, taught: int = 12) -> Material:
    """Cats of `mini-cats`, which are harder to tell apart; one of them lies in a wrong class."""
    from promptlet.mini.datasets import EVERY_DATASET

    cats, textures = EVERY_DATASET["mini-cats"], EVERY_DATASET["mini-textures"]

    def draw(name: str, part: str, count: int, of: Any = cats) -> list[Path]:
        return [
            _saved(of.picture(name, part, i), folder / part / name / f"{name} {i}.png") for i in range(count)
        ]

    given: dict[str, list[Path]] = {name: draw(name, "train", taught) for name in CATS}
    given[CATS[1]].append(given[CATS[3]].pop())
    asked = {name: draw(name, "test", 4) for name in CATS}
    return Material(given, asked, CAT_NEW, draw(CAT_NEW, "test", 2), draw("bricked", "test", 1, textures))


def real_material(taught: int = 5, asked: int = 3) -> Material | None:
    """Photos of Caltech101, where they are: PROMPTLET_REALBED, else ../shared/realbed."""
    place = os.environ.get("PROMPTLET_REALBED") or Path(__file__).parents[3] / "shared" / "realbed"
    root = Path(place) / "data/caltech-101/101_ObjectCategories"
    if not root.is_dir():
        return None

    def some(name: str, first: int, count: int) -> list[Path]:
        return sorted((root / name).glob("*.jpg"))[first : first + count]

    words = {name: name.lower() for name in REAL}
    return Material(
        {words[name]: some(name, 0, taught) for name in REAL},
        {words[name]: some(name, 20, asked) for name in REAL},
        REAL_NEW,
        some(REAL_NEW, 0, asked),
        some("yin_yang", 0, asked),
    )


def many(folder: Path, count: int) -> list[Path]:
    """As many different pictures, cheaply: drawn ones, each with a mark of its own number."""
    from promptlet.mini.datasets import EVERY_DATASET

    animals = EVERY_DATASET["mini-creatures"]
    base = [animals.picture(name, "train", i).convert("RGB") for name in DRAWN for i in range(8)]
    paths = []
    for number in range(count):
        picture = base[number % len(base)].copy()
        picture.putpixel((number % 64, number // 64 % 64), (number % 251, number // 251 % 251, 7))
        paths.append(_saved(picture, folder / f"many {number:05d}.png"))
    return paths


def photos(folder: Path, count: int) -> list[Path]:
    """As large as a phone's, 12 megapixels; enlarged drawings."""
    from promptlet.mini.datasets import EVERY_DATASET

    animals = EVERY_DATASET["mini-creatures"]
    names = animals.class_names
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo {number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        small = animals.picture(names[number % len(names)], "train", number // len(names)).convert("RGB")
        small.resize((4000, 3000), Image.Resampling.NEAREST).save(path, quality=60)
    return paths


def troubled(folder: Path) -> Path:
    """A folder with a good picture, broken ones, a HEIC, an SVG with a script, and one of 100 megapixels."""
    folder.mkdir(parents=True, exist_ok=True)
    good = drawn_material(folder.parent / "good", 2, 1).taught[DRAWN[0]]
    data = good[0].read_bytes()
    (folder / "good.png").write_bytes(data)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    (folder / "cut short.png").write_bytes(data[: len(data) // 2])
    (folder / "script.svg").write_bytes(SCRIPT)
    (folder / "script in disguise.png").write_bytes(SCRIPT)
    (folder / "notes.txt").write_text("no picture, and nothing to complain of at length", encoding="utf-8")
    _heic(good[1], folder / "phone.heic")
    large_picture(folder / "large.jpg")
    return folder


def large_picture(path: Path, width: int = 12500, height: int = 8000) -> Path:
    """100 megapixels: a small picture, enlarged."""
    from promptlet.mini.datasets import EVERY_DATASET

    small = EVERY_DATASET["mini-creatures"].picture(DRAWN[1], "val", 0)
    small.resize((width, height), Image.Resampling.NEAREST).save(path, quality=60)
    return path


def _heic(source: Path, path: Path) -> None:
    import pillow_heif

    with Image.open(source) as picture:
        file = pillow_heif.from_pillow(picture.convert("RGB").resize((256, 256)))
    held = io.BytesIO()
    file.save(held, quality=80)
    path.write_bytes(held.getvalue())


def _saved(picture: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path
