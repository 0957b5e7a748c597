"""What people drop: photos of all kinds, what is no photo, the same again, much at once."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dropped import classes, id_of, image, photo
from PIL import Image

from promptlet.data.images.formats import reads_heic
from promptlet.data.images.opening import check_image
from promptlet.errors import ImageError, OptionError
from promptlet.teach.projects.adding import Dropped, add
from promptlet.teach.projects.checking import THUMBNAIL, checked, small_of
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf
from promptlet.teach.projects.smalls import Smalls

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 64


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    shelf = Shelf(tmp_path)
    yield shelf.create("Pets")
    shelf.close()


def png_of(width: int, height: int) -> bytes:
    """Of one colour and 1 bit: a file of some kilobytes, however many pixels it has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\x00" * (1 + (width + 7) // 8)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"IDAT", zlib.compress(row * height, 9)),
            chunk(b"IEND", b""),
        )
    )


@pytest.mark.parametrize(
    ("form", "ending"),
    [
        ("JPEG", ".jpg"),
        ("PNG", ".png"),
        ("GIF", ".gif"),
        ("BMP", ".bmp"),
        ("WEBP", ".webp"),
        ("TIFF", ".tif"),
        ("PPM", ".ppm"),
        ("JPEG2000", ".jp2"),
    ],
)
def test_each_format_is_called_what_it_is(project: Project, form: str, ending: str) -> None:
    data = photo(1, form)
    came = add(project, [Dropped("photo.txt", data)], "cat")
    assert came.added == [{"id": id_of(data), "name": "photo.txt"}]
    path = project.seen().path(id_of(data))
    assert path.name == f"{id_of(data)}{ending}" and path.read_bytes() == data
    check_image(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (SVG, "drawing"),
        (b"\xef\xbb\xbf  \n<?xml version='1.0'?><svg/>", "drawing"),
        (b"<!-- hi --><SVG/>", "drawing"),
        (b"<html><script>", "not an image"),
        (b"%PDF-1.4", "not an image"),
        (b"PK\x03\x04", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        (b"hello", "not an image"),
        (photo(1)[:40], "damaged"),
        (photo(1, "JPEG", (200, 200))[:-200], "photo.jpg"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 100, "photo.jpg"),
        (png_of(200_000, 1001), "pixels"),
    ],
    ids=range(13),
)
def test_what_is_no_photo_costs_itself_alone(project: Project, data: bytes, said: str) -> None:
    came = add(project, [Dropped("photo.jpg", data), Dropped("good.png", photo(5))], "cat")
    [error] = came.errors
    assert error["name"] == "photo.jpg" and said in error["detail"] and error["detail"].isprintable()
    assert "Traceback" not in error["detail"] and str(project.root) not in error["detail"]
    assert classes(project) == {"cat": [image(5)], "": []}
    assert not [path for path in project.root.rglob("*") if path.suffix in (".svg", ".jpg")]


def test_where_nothing_came_nothing_is_changed(project: Project) -> None:
    before = project.seen()
    came = add(project, [Dropped("x", b"x")], "cat")
    assert came.errors and project.seen() == before and not (project.root / "cat").exists()


@pytest.mark.skipif(reads_heic(), reason="the extra heic is installed")
def test_a_heic_photo_says_what_it_needs(project: Project) -> None:
    [error] = add(project, [Dropped("IMG_1.HEIC", HEIC)], None).errors
    assert "pip install 'promptlet[heic]'" in error["detail"] and "IMG_1.HEIC" in error["detail"]


def test_a_photo_that_fit_can_read_is_kept_however_large(project: Project) -> None:
    """What the library reads counts, and not max_pixels, which bounds what the server is asked."""
    data = png_of(8_000, 6_300)
    came = add(project, [Dropped("large.png", data)], "cat")
    assert [one["id"] for one in came.added] == [id_of(data)] and not came.errors
    check_image(project.seen().path(id_of(data)))


def test_the_same_image_is_in_a_project_once(project: Project) -> None:
    files = [Dropped("a.png", photo(1)), Dropped("b.png", photo(1)), Dropped("c.png", photo(2))]
    came = add(project, files, "cat")
    assert [one["name"] for one in came.added] == ["a.png", "c.png"]
    assert came.known == [{"id": image(1), "name": "b.png", "class": "cat"}]
    again = add(project, files[:1], "dog")
    assert again.known == [{"id": image(1), "name": "a.png", "class": "cat"}] and not again.added
    add(project, [Dropped("d.png", photo(3))], None)
    assert add(project, [Dropped("d.png", photo(3))], "cat").known[0]["class"] is None
    assert classes(project) == {"cat": [image(1), image(2)], "": [image(3)]}


def test_an_image_that_was_removed_comes_again(project: Project) -> None:
    add(project, [Dropped("a.png", photo(1))], "cat")
    project.change({"action": "remove-images", "images": [image(1)]})
    assert add(project, [Dropped("again.png", photo(1))], "dog").added
    assert classes(project)["dog"] == [image(1)]
    assert project.undo() and project.undo() and classes(project)["cat"] == [image(1)]


def test_a_hand_made_file_of_the_same_content_is_known(project: Project) -> None:
    (project.root / "cat").mkdir()
    (project.root / "cat" / "mine.png").write_bytes(photo(1))
    assert add(project, [Dropped("a.png", photo(1))], "dog").known[0]["class"] == "cat"


@pytest.mark.parametrize("name", ["../x", ".", "a/b", "con", ""])
def test_a_class_that_cannot_be_takes_no_file(project: Project, name: str) -> None:
    with pytest.raises(OptionError):
        add(project, [Dropped("a.png", photo(1))], name)
    assert classes(project) == {"": []} and not (project.root / ".removed").exists()


def test_a_class_is_found_however_it_is_written(project: Project) -> None:
    add(project, [Dropped("a.png", photo(1))], "Golden Retriever")
    came = add(project, [Dropped("b.png", photo(2))], "golden_retriever")
    assert came.class_name == "Golden Retriever"
    assert classes(project) == {"Golden Retriever": [image(1), image(2)], "": []}


@pytest.mark.parametrize(
    ("size", "small"), [((4000, 100), (192, 5)), ((30, 20), (30, 20)), ((700, 1400), (96, 192))]
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_small_pictures_keep_their_shape(size: tuple[int, int], small: tuple[int, int], form: str) -> None:
    found = small_of(photo(7, form, size))
    assert found.mode == "RGB" and max(found.size) <= THUMBNAIL
    assert abs(found.size[0] - small[0]) <= 1 and abs(found.size[1] - small[1]) <= 1


def test_small_pictures_are_upright() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (400, 200), (200, 0, 0)).save(out, "JPEG", exif=exif)
    assert small_of(out.getvalue()).size == (96, 192)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_small_pictures_of_every_kind_of_pixels(mode: str) -> None:
    out = io.BytesIO()
    form = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    Image.new(mode, (900, 500)).save(out, form)
    assert checked(out.getvalue(), "x").small.mode == "RGB"


def test_noise_never_does_more_than_be_refused(project: Project) -> None:
    draw = random.Random(1)
    for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = photo(draw.randrange(1000), form, (60, 40))
        for _ in range(12):
            data = bytearray(whole)
            for _ in range(draw.randrange(1, 30)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            try:
                checked(bytes(data), "x.png")
            except ImageError as error:
                assert str(error).isprintable()


def test_small_pictures_are_kept_within_bounds() -> None:
    kept, made = Smalls(most_bytes=4000), []

    def make() -> Any:
        made.append(1)
        return Image.new("RGB", (192, 100))

    for number in range(40):
        kept.get(("p", str(number)), make)
    assert kept._held <= 4000 and len(made) == 40
    kept.get(("p", "39"), make)
    assert len(made) == 40
