"""Formats by their first bytes and by name; HEIC with its extra and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, features

from promptlet.data import content_hash, ignored_files, list_images, open_image, read_folder
from promptlet.data.images import formats
from promptlet.data.images.formats import PREFIX_BYTES, format_of, has_heic_name, has_image_name
from promptlet.errors import DataError, ImageError

RED, BLUE = (200, 30, 30), (30, 30, 200)
UPRIGHT, TURNED = 1, 6  # of EXIF's orientation tag; 6: shown turned by a quarter to the right
ORIENTATION = 0x0112


def picture() -> Image.Image:
    """64 x 48: blue on the left, red on the right."""
    image = Image.new("RGB", (64, 48), RED)
    image.paste(BLUE, (0, 0, 32, 48))
    return image


def heic(path: Path, orientation: int = UPRIGHT) -> Path:
    """A HEIC photo, or a test that is skipped."""
    plugin = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = plugin.from_pillow(picture())
    photo.info["exif"] = exif.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    photo.save(path)
    return path


@pytest.fixture
def no_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed."""
    monkeypatch.setattr(formats, "_is_installed", lambda module: False)


def is_near(colour: object, expected: tuple[int, int, int]) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(a - b) < 12 for a, b in zip(colour, expected, strict=True))


def test_a_heic_photo_is_read_upright(tmp_path: Path) -> None:
    image = open_image(heic(tmp_path / "a.heic"))
    assert (image.size, image.mode) == ((64, 48), "RGB")
    assert is_near(image.getpixel((5, 24)), BLUE) and is_near(image.getpixel((60, 24)), RED)
    turned = open_image(heic(tmp_path / "b.heic", TURNED))
    assert turned.size == (48, 64)
    assert is_near(turned.getpixel((24, 5)), BLUE) and is_near(turned.getpixel((24, 60)), RED)


def test_a_heic_photo_by_another_name_or_brand(tmp_path: Path) -> None:
    content = heic(tmp_path / "a.heic").read_bytes()
    for name, brand in (("a.jpg", b"heic"), ("b.heic", b"mif1"), ("c.heic", b"msf1")):
        (tmp_path / name).write_bytes(content[:8] + brand + content[12:])
        assert format_of((tmp_path / name).read_bytes()[:PREFIX_BYTES]) == "HEIF"
    assert open_image(tmp_path / "a.jpg").size == open_image(tmp_path / "b.heic").size == (64, 48)


def test_damaged_heic_photos(tmp_path: Path) -> None:
    content = heic(tmp_path / "a.heic").read_bytes()
    for length in (16, 40, len(content) // 2, len(content) - 9):
        (tmp_path / "cut.heic").write_bytes(content[:length])
        with pytest.raises(ImageError, match=r"cut\.heic: cannot be decoded: damaged or cut off"):
            open_image(tmp_path / "cut.heic")


def test_a_heic_photo_above_the_limits_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = heic(tmp_path / "a.heic")
    monkeypatch.setattr("promptlet.data.images.opening.MAX_PIXELS", 1000)
    with pytest.raises(ImageError, match="64 x 48 is 3,072 pixels, more than the 1,000"):
        open_image(path)


def test_nothing_is_registered_with_pillow(tmp_path: Path) -> None:
    open_image(heic(tmp_path / "a.heic"))
    assert "HEIF" not in Image.OPEN and ".heic" not in Image.registered_extensions()


def test_folders_take_heic_photos_where_they_are_read(tmp_path: Path) -> None:
    for name in ("cat/1.heic", "dog/1.HEIC"):
        heic(tmp_path / name)
    split = read_folder(tmp_path)
    assert [item.path.name for item in split.train] == ["1.heic", "1.HEIC"]


def test_without_the_extra_it_is_named(tmp_path: Path, no_heic: None) -> None:
    """The bytes of the first box are enough to say what a photo is."""
    for name in ("cat/1.heic", "dog/1.heif"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(80))
    assert list_images(tmp_path / "cat") == []
    assert has_heic_name("a.HEIF") and not has_image_name("a.heic")
    with pytest.raises(
        ImageError, match=r"1\.heic: this is a HEIC photo, .* pip install 'promptlet\[heic\]'"
    ):
        open_image(tmp_path / "cat" / "1.heic")
    assert len(content_hash(tmp_path / "cat" / "1.heic")) == 32
    with pytest.raises(
        DataError, match=r"cat: .* its 2 HEIC photos are read with the extra 'heic': pip install"
    ):
        read_folder(tmp_path)
    for name in ("cat/1.png", "dog/1.png"):
        picture().save(tmp_path / name)
    assert [path.name for path in ignored_files(tmp_path, read_folder(tmp_path))] == ["1.heic", "1.heif"]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_no_heic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture().save(tmp_path / "a.avif")
    content = (tmp_path / "a.avif").read_bytes()
    assert format_of(content[:PREFIX_BYTES]) == "AVIF"
    assert format_of((content[:8] + b"mif1" + content[12:])[:PREFIX_BYTES]) == "AVIF"
    monkeypatch.delitem(Image.OPEN, "AVIF")
    monkeypatch.setattr(Image, "init", lambda: 0)
    with pytest.raises(ImageError, match=r"an AVIF image, which Pillow reads from version 11\.3 on; upgrade"):
        open_image(tmp_path / "a.avif")
