"""What is no regular file is never opened; names that no file has, and failing disks, cost one item alone."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from strange_places import KINDS, strange

from promptlet.data import content_hash, ignored_files, load_dataset, open_image, read_folder
from promptlet.data.doctor import examine
from promptlet.data.files import is_file, is_folder, is_there, open_regular, portable, read_text
from promptlet.data.images import reading
from promptlet.data.load import read_own
from promptlet.errors import DataError, ImageError, PromptletError
from promptlet.features import encode_images

Make = Callable[..., Path]
SUFFIXES = ["png", "csv", "json", "npz", "parquet", "arrow"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_never_opened(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = strange(tmp_path, kind, "x")
    tried: list[Any] = []
    monkeypatch.setattr(os, "open", lambda *given: tried.append(given))
    with pytest.raises(
        OSError, match=r"it is a folder|it is not a regular file, but a device, a pipe or a socket"
    ):
        open_regular(path)
    assert not tried
    assert not is_file(path) and is_there(path)
    assert is_folder(path) == (kind == "folder")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_is_refused_wherever_a_file_is_expected(tmp_path: Path, kind: str, suffix: str) -> None:
    if suffix in ("parquet", "arrow"):
        pytest.importorskip("datasets")
    path = strange(tmp_path, kind, f"x.{suffix}")
    start = time.monotonic()
    if suffix == "png":
        for read in (open_image, content_hash):
            with pytest.raises(ImageError, match=r"not a regular file|this is a folder") as caught:
                read(path)
            assert str(path) in str(caught.value)
    else:
        expected = (
            r"x\." if kind == "folder" else r"x\..*: is not a regular file, but a device, a pipe or a socket"
        )
        with pytest.raises(DataError, match=expected):
            load_dataset(path)
        with pytest.raises(DataError, match=r"x\."):
            read_own(path)
        assert examine(str(path)).state == "wrong"
    assert time.monotonic() - start < 5


def test_a_file_replaced_after_it_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    os.mkfifo(path)
    sound = Path(__file__).stat()
    monkeypatch.setattr(Path, "stat", lambda self, **_: sound)
    with pytest.raises(OSError, match="not a regular file"):  # opened without waiting, and looked at again
        open_regular(path)


def test_in_a_folder_of_images_they_are_passed_over_and_told(make_images: Make) -> None:
    root = make_images("r", "cat/1.jpg", "dog/1.jpg")
    for kind in ("pipe", "zero", "tty"):
        strange(root / "cat", kind, f"{kind}.jpg")
    (root / "dog" / "folder.jpg").mkdir()
    (root / "dog" / "itself.jpg").symlink_to("itself.jpg")
    split = read_folder(root)
    assert [item.path.name for item in split.train] == ["1.jpg", "1.jpg"]
    assert sorted(path.name for path in ignored_files(root, split)) == [
        "itself.jpg",
        "pipe.jpg",
        "tty.jpg",
        "zero.jpg",
    ]
    assert examine(str(root), open_images=True).state == "complete"


def test_a_table_that_names_a_device(make_images: Make) -> None:
    root = make_images("r", "1.jpg")
    for given in ("/dev/zero", "/dev/tty"):
        (root / "t.csv").write_text(f"1.jpg,cat\n{given},dog\n")
        with pytest.raises(DataError, match=rf"line 2: {given} is no regular file, but a device"):
            load_dataset(root / "t.csv")
    (root / "t.csv").write_text("1.jpg,cat\n.,dog\n")
    with pytest.raises(DataError, match=r"line 2: .* is a folder; give the path of an image file"):
        load_dataset(root / "t.csv")


@pytest.mark.parametrize("name", ["a\0.png", "\ud800.png", "x" * 300 + ".png"])
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert not is_there(path) and not is_file(path) and not is_folder(path)
    with pytest.raises(ImageError, match="there is no such file"):
        open_image(path)
    for suffix in ("", ".csv", ".npz", ".json"):
        with pytest.raises(PromptletError, match=r"no such file or folder|existing path"):
            load_dataset(f"{path}{suffix}")
        assert examine(f"{path}{suffix}").state == "absent"
    with pytest.raises(DataError, match="does not exist"):
        read_own(path)


class Broken(io.BytesIO):
    """A file whose disk fails after so many bytes."""

    def __init__(self, content: bytes, sound: int) -> None:
        super().__init__(content)
        self.sound = sound

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= self.sound:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("sound", [0, 1, 20])
def test_a_disk_that_fails_is_not_called_a_damaged_image(
    tmp_path: Path, sound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (50, 50)).save(path)
    monkeypatch.setattr(reading, "open_regular", lambda path: Broken(path.read_bytes(), sound))
    for read in (open_image, content_hash):
        with pytest.raises(
            ImageError, match=r"a\.png: cannot be read \(Input/output error\); check the disk"
        ):
            read(path)


def test_one_picture_that_fails_costs_itself_alone(
    tmp_path: Path, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised while one is prepared, the others are encoded, and all that is wrong is told."""
    from promptlet.decoding import pixels

    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        Image.new("RGB", (40 + i, 40)).save(path)
    own, seen = pixels.pixels_of, []

    def pixels_of(picture: Any, *more: Any) -> np.ndarray:
        if picture.width in (41, 42):
            raise MemoryError if picture.width == 41 else ZeroDivisionError("division by zero")
        seen.append(picture.width)
        return own(picture, *more)

    monkeypatch.setattr(pixels, "pixels_of", pixels_of)
    with pytest.raises(ImageError) as caught:
        encode_images(tiny_backbone, paths)
    assert "2 images cannot be read" in str(caught.value)
    assert f"{paths[1]}: there is not enough memory" in str(caught.value)
    assert f"{paths[2]}: cannot be decoded: damaged or cut off (ZeroDivisionError" in str(caught.value)
    assert sorted(seen) == [40, 43]


def test_a_file_that_vanishes_after_listing(make_images: Make) -> None:
    root = make_images("r", "cat/1.jpg", "dog/1.jpg")
    split = read_folder(root)
    split.train[0].path.unlink()
    with pytest.raises(ImageError, match="there is no such file"):
        open_image(split.train[0].path)
    assert open_image(split.train[1].path).size == (4, 3)


def test_file_names_that_are_no_utf8_are_read_and_such_class_names_refused(tmp_path: Path) -> None:
    root = tmp_path / "r"
    for folder in ("cat", "dog"):
        (root / folder).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(root / folder / os.fsdecode(b"\xe9t\xe9.png"), "PNG")
    split = read_folder(root)
    assert open_image(split.train[0].path).size == (4, 4)
    assert examine(str(root), open_images=True).state == "complete"
    (root / "dog").rename(root / os.fsdecode(b"chi\xe9n"))
    with pytest.raises(DataError, match=r"r: the class name 'chi\\udce9n' is no text in UTF-8.*rename it"):
        read_folder(root)
    assert examine(str(root)).state == "wrong"


def test_texts_are_bounded(tmp_path: Path) -> None:
    """Sparse files of 2 GiB: nothing of them is read."""
    for name in ("t.csv", "split_zhou_X.json"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2 << 30)
        with pytest.raises(DataError, match=r"cannot be read \(it has 2,147,483,648 bytes, more than"):
            load_dataset(tmp_path / name)


def test_paths_written_on_windows(make_images: Make) -> None:
    root = make_images("r", "cat/1.jpg", "odd\\name.jpg")
    assert portable(root, "cat\\1.jpg") == root / "cat/1.jpg"
    assert portable(root, "odd\\name.jpg") == root / "odd\\name.jpg"
    assert portable(root, "gone\\1.jpg") == root / "gone/1.jpg"
    assert portable(root, "cat/1.jpg") == root / "cat/1.jpg"


def test_text_begins_after_its_mark(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(tmp_path / "t") == "a\r\nb"


def test_the_doctor_goes_on_whatever_is_raised(make_images: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_images("r", "cat/1.jpg", "dog/1.jpg")

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("promptlet.data.doctor.load_dataset", fail)
    checkup = examine(str(root))
    assert checkup.state == "wrong"
    [finding] = checkup.findings
    assert "ZeroDivisionError: a fault of ours (test_data_files.py, line" in finding.text


FORBIDDEN = """
import encodings.utf_8_sig, json, os, sys
import numpy, PIL.PngImagePlugin
from promptlet.data import load_dataset, open_image
from promptlet.data.doctor import examine
from promptlet.errors import PromptletError
open_image(sys.argv.pop(1))  # so that all is imported that is needed
if os.geteuid() == 0:  # whom permissions do not bind
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = {}
for path in sys.argv[1:]:
    try:
        (open_image if path.endswith(".png") else load_dataset)(path)
    except PromptletError as error:
        found[path] = str(error)
    if not path.endswith(".png"):
        found[path] += " | " + examine(path).state
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_what_one_may_not_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        root = place / "r"
        for name in ("cat/1.png", "dog/1.png", "dog/2.png", "locked/1.png"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(root / name)
        (place / "t.csv").write_text("r/locked/1.png,cat\n")
        (place / "s.json").write_text("{}")
        for path, mode in (
            (place, 0o755),
            (root / "dog/2.png", 0),
            (place / "s.json", 0),
            (root / "locked", 0),
        ):
            path.chmod(mode)
        paths = [
            root / "dog/2.png",
            root / "locked/1.png",
            root,
            root / "locked",
            place / "t.csv",
            place / "s.json",
        ]
        given = map(str, (root / "cat/1.png", *paths))
        done = subprocess.run([sys.executable, "-c", FORBIDDEN, *given], capture_output=True, text=True)
        (root / "locked").chmod(0o755)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(map(str, paths))
    for path, said in found.items():
        assert "Permission denied" in said, (path, said)
        assert path.endswith(".png") or said.endswith("| wrong"), said
