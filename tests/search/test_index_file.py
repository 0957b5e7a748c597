"""The file of an index: what is written is read, by safetensors too; what is damaged is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from promptlet.errors import DataError, OptionError
from promptlet.search.file import FEATURE, Facts, Paths, Stored, read_index, write_index

NAMES = ("a.jpg", "b/ä ü.png", "c/" + "long" * 30 + ".jpg")


def content(count: int = 3, dim: int = 5) -> Stored:
    draw = np.random.default_rng(0)
    return Stored(
        Facts("/photos", "mini", "a-b-c", "c"),
        Paths.of(NAMES[:count]),
        draw.integers(0, 2**60, (count, 2)).astype("<i8"),
        draw.integers(0, 255, (count, 16)).astype(np.uint8),
        draw.normal(size=(count, dim)).astype(FEATURE),
    )


def written(path: Path, given: Stored) -> Path:
    write_index(path, given, [given.features[:1], given.features[1:]])
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    given = content()
    found = read_index(written(tmp_path / "x.index", given))
    assert list(found.paths) == list(NAMES)
    assert found.facts == given.facts
    for name in ("stamps", "contents", "features"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))
    assert isinstance(found.features, np.memmap)
    assert [path.name for path in tmp_path.iterdir()] == ["x.index"]


def test_any_safetensors_library_opens_it(tmp_path: Path) -> None:
    given = content()
    held = load_file(written(tmp_path / "x.index", given))
    np.testing.assert_array_equal(held["features"], given.features)
    assert bytes(held["paths"]) == "".join(NAMES).encode()


def test_an_index_of_nothing(tmp_path: Path) -> None:
    assert len(read_index(written(tmp_path / "x.index", content(0)))) == 0


def test_names_that_are_no_text_stay_as_they_are() -> None:
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")
    assert list(Paths.of([name, "b"])) == [name, "b"]


@pytest.mark.parametrize("cut", [0, 4, 20, 400, -1, -16])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "x.index", content())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"cut off|no index of images"):
        read_index(path)


def test_a_changed_byte_of_a_path_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "x.index", content())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="the index is damaged; remove it"):
        read_index(path)


def header_of(path: Path) -> tuple[dict[str, object], bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda told: told.pop("stamps"), "damaged"),
        (lambda told: told["features"].update(shape=[3, -5]), "damaged"),
        (lambda told: told["features"].update(shape=[4, 5]), "damaged"),
        (lambda told: told["features"].update(dtype="F64"), "damaged"),
        (lambda told: told["ends"].update(shape=[]), "damaged"),
        (lambda told: told["stamps"].update(data_offsets=[0, 10**15]), "cut off|damaged"),
        (lambda told: told["__metadata__"].update(promptlet_index="2"), "upgrade"),
        (lambda told: told["__metadata__"].pop("promptlet_index"), "no index of images"),
        (lambda told: told["__metadata__"].pop("folder"), "damaged"),
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, change: object, reason: str) -> None:
    path = written(tmp_path / "x.index", content())
    told, payload = header_of(path)
    change(told)  # type: ignore[operator]
    text = json.dumps(told).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + payload)
    with pytest.raises(DataError, match=reason):
        read_index(path)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x.index").symlink_to(tmp_path / "elsewhere" / "y.index")
    assert len(read_index(written(tmp_path / "x.index", content()))) == 3
    assert (tmp_path / "x.index").is_symlink() and (tmp_path / "elsewhere" / "y.index").is_file()


def test_other_files_are_no_index(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("some text that is longer than eight bytes")
    for path in (tmp_path / "x", tmp_path / "absent", tmp_path):
        with pytest.raises(DataError, match=r"no index of images|cannot be read"):
            read_index(path)


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="cannot be written"):
        written(tmp_path / "file" / "x.index", content())
    given = content()
    with pytest.raises(ValueError, match="not a row of features a path"):
        write_index(tmp_path / "x.index", given, [given.features[:1]])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
