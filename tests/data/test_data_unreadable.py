"""Images that cannot be read: found, left out as if they were not there, named together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptlet.data import find_unreadable, read_folder, read_table, without_unreadable
from promptlet.data.images import checks
from promptlet.data.images.checks import all_unreadable
from promptlet.data.images.opening import check_image, open_image
from promptlet.errors import DataError, ImageError

Make = Callable[..., Path]


@pytest.fixture
def root(make_images: Make) -> Path:
    """Two classes; of 6 training and 2 test images, 3 cannot be read, each for another reason."""
    names = [f"train/{name}/{i}.png" for name in ("cat", "dog") for i in range(3)]
    root = make_images("r", *names, "test/cat/9.png", "test/dog/9.png")
    (root / "train/cat/1.png").write_bytes(b"")
    (root / "train/dog/2.png").write_bytes(b"nothing")
    whole = (root / "test/dog/9.png").read_bytes()
    (root / "test/dog/9.png").write_bytes(whole[: len(whole) // 2])
    return root


def test_they_are_found_with_their_reasons(root: Path) -> None:
    paths = [item.path for item in read_folder(root).every_item]
    seen: list[tuple[int, int]] = []
    found = find_unreadable(paths, lambda done, total: seen.append((done, total)))
    assert [path.relative_to(root).as_posix() for path in found] == [
        "train/cat/1.png",
        "train/dog/2.png",
        "test/dog/9.png",
    ]
    reasons = ("the file is empty", "not an image that is read", "cannot be decoded")
    assert all(said in reason for said, reason in zip(reasons, found.values(), strict=True))
    assert seen == [(8, 8)]
    assert find_unreadable([str(path) for path in paths]).keys() == {str(path) for path in found}
    assert find_unreadable([root / "gone.png"])[root / "gone.png"].startswith(
        f"{root / 'gone.png'}: there is no"
    )


def test_a_quick_look_finds_what_opening_finds(tmp_path: Path) -> None:
    draw, path = np.random.default_rng(0), tmp_path / "a.jpg"
    Image.fromarray(draw.integers(0, 255, (48, 64, 3), np.uint8)).save(path, quality=80)
    whole = path.read_bytes()
    wrong = 0
    for i in range(60):
        content = bytearray(whole[: draw.integers(1, len(whole))] if i % 2 else whole)
        content[draw.integers(len(content))] = draw.integers(256)
        path.write_bytes(content)
        told = []
        for look in (open_image, check_image):
            try:
                look(path)
            except ImageError as error:
                told.append(str(error))
        assert len(told) in (0, 2) and len(set(told)) <= 1, i
        wrong += bool(told)
    assert 30 <= wrong < 60


def test_leaving_them_out_is_as_if_they_were_not_there(root: Path) -> None:
    split, left_out = without_unreadable(read_folder(root))
    for path in left_out:
        path.unlink()
    (root / "test" / "dog").rmdir()
    assert split == read_folder(root)
    assert len(left_out) == 3


def test_a_class_left_empty_is_no_class(root: Path) -> None:
    for i in (0, 1):
        (root / f"train/dog/{i}.png").write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"no training image is left of 'dog'; replace them, .* The first: .*dog/0"
    ):
        without_unreadable(read_folder(root))


def test_rows_of_a_table_that_are_not_there_are_left_out_too(root: Path) -> None:
    rows = [("cat/0.png", "cat"), ("cat/8.png", "cat"), ("dog/0.png", "dog"), ("dog/2.png", "dog")]
    (root / "t.csv").write_text("".join(f"train/{path},{label}\n" for path, label in rows))
    split, left_out = without_unreadable(read_table(root / "t.csv", check_files=False))
    assert [item.path.name for item in split.train] == ["0.png", "0.png"]
    assert [path.name for path in left_out] == ["8.png", "2.png"]


def test_all_are_named_once_one_was_met(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split, met = read_folder(root), ImageError("1.png: met")
    error = all_unreadable(split, met, "Do this")
    assert error.lines[0] == "3 of 8 images cannot be read. Do this:"
    assert len(error.lines) == 4 and str(error) == "\n  ".join(error.lines)
    assert all_unreadable(split, met, "Do this", most=2).lines[-1] == "... and 1 more"
    monkeypatch.setattr(checks, "MOST_LOOKED_AT", 7)  # of very many, none is opened
    assert str(all_unreadable(split, met, "Do this")) == "1.png: met. Do this"
