"""Galleries and matrices: what stands in the page, what may not leak into it, and how much fits."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from page_reader import tree, words
from PIL import Image

from promptlet.errors import OptionError
from promptlet.pages import Gallery, Matrix, Picture
from promptlet.pages.gallery import SIDE, bounded, thumbnail


def photo(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("size", [(1000, 400), (90, 800), (20, 10), (1, 3000)])
def test_a_thumbnail_is_small_and_keeps_the_shape(size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(thumbnail(photo(*size)))) as small:
        assert small.format == "JPEG" and max(small.size) == min(SIDE, max(size))
        scale = max(small.size) / max(size)
        assert small.size == tuple(max(1, round(length * scale)) for length in size)


def test_a_thumbnail_holds_pixels_and_nothing_that_the_file_told() -> None:
    image = photo(50, 50)
    image.info |= {
        "comment": b"secret",
        "exif": b"Exif\0\0secret",
        "icc_profile": b"secret",
        "xmp": b"secret",
    }
    assert b"secret" not in thumbnail(image)
    with Image.open(io.BytesIO(thumbnail(Image.new("RGB", (9, 9), (200, 30, 30))))) as small:
        assert np.abs(np.asarray(small, int) - (200, 30, 30)).max() < 6


def test_no_more_is_made_than_fits() -> None:
    made: list[int] = []

    def pictures() -> Iterator[Picture]:
        for number in range(100):
            made.append(number)
            yield Picture(b"\xff\xd8\xff" + bytes(97), str(number))

    assert [one.alt for one in bounded(pictures(), most=5)] == list("01234") and len(made) == 5
    assert len(bounded(pictures(), most=50, most_bytes=350)) == 3
    assert len(bounded([Picture(None, "gone")] * 9, most_bytes=0)) == 9


def test_a_gallery_shows_pictures_with_words_and_says_where_there_is_none(made: Callable[..., str]) -> None:
    jpeg = thumbnail(photo(30, 20))
    gallery = Gallery(
        "Wrong ones", [Picture(jpeg, "a <b>", ("said a", "is b")), Picture(None, "c, gone", ("said c",))]
    )
    page = tree(made("{{ parts.gallery(one) }}", one=gallery))
    found = page.find(".//ul[@class='gallery']")
    assert found is not None and found.get("aria-label") == "Wrong ones"
    first, second = found
    image = first.find("img")
    assert image is not None and image.get("alt") == "a <b>"
    assert base64.b64decode(image.get("src", "").removeprefix("data:image/jpeg;base64,")) == jpeg
    assert [words(line) for line in first.findall("span")] == ["said a", "is b"]
    blank = second.find("span[@role='img']")
    assert second.find("img") is None and blank is not None and blank.get("aria-label") == "c, gone"
    with pytest.raises(OptionError, match="label"):
        Gallery(" ", [])


def test_a_matrix_tints_by_the_share_of_its_row(made: Callable[..., str]) -> None:
    matrix = Matrix("Taken for", ["a", "b" * 30], ["a", "b" * 30, "others"], [[8, 2, 0], [0, 1200, 1]])
    body = tree(made("{{ parts.matrix(one) }}", one=matrix)).find(".//table[@class='matrix']")
    assert body is not None
    head, *rows = body.iter("tr")
    assert [words(cell) for cell in head][1:] == ["a", f"{'b' * 21}…", "others"]
    cells = [[(words(cell), cell.get("class")) for cell in row.findall("td")] for row in rows]
    assert cells == [
        [("8", "hit s4"), ("2", "miss s1"), ("", None)],
        [("", None), ("1,200", "hit s5"), ("1", "miss s1")],
    ]
    with pytest.raises(OptionError, match="2 x 1"):
        Matrix("Taken for", ["a", "b"], ["a"], [[1], [1, 2]])
    with pytest.raises(OptionError, match="label"):
        Matrix("", [], [], [])
