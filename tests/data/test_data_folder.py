from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptlet.data import ignored_files, read_folder
from promptlet.errors import DataError

Make = Callable[..., Path]


def test_a_folder_per_class(make_images: Make) -> None:
    root = make_images(
        "pets", "wild_cat/2.PNG", "wild_cat/1.jpg", "Dog/x.jpg", "ant/.hidden.png", "ant/y.jpg"
    )
    (root / "README.txt").touch()
    (root / ".cache").mkdir()
    split = read_folder(root)
    assert split.name == "pets"
    assert split.class_names == ("Dog", "ant", "wild cat")
    assert [
        (item.path.relative_to(root).as_posix(), item.label, item.class_name) for item in split.train
    ] == [
        ("Dog/x.jpg", 0, "Dog"),
        ("ant/y.jpg", 1, "ant"),
        ("wild_cat/1.jpg", 2, "wild cat"),
        ("wild_cat/2.PNG", 2, "wild cat"),
    ]
    assert split.val == split.test == ()


def test_split_folders(make_images: Make) -> None:
    root = make_images("r", "train/a/1.jpg", "train/b/1.jpg", "test/b/2.jpg", "val/a/3.jpg")
    split = read_folder(root)
    assert split.class_names == ("a", "b")
    assert [item.label for item in split.train] == [0, 1]
    assert [item.path.name for item in split.val + split.test] == ["3.jpg", "2.jpg"]
    assert split.test[0].label == 1


def test_classes_called_train_and_test_are_classes(make_images: Make) -> None:
    split = read_folder(make_images("r", "train/1.jpg", "test/1.jpg", "bus/1.jpg"))
    assert split.class_names == ("bus", "test", "train")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["a/1.jpg", "b/deeper/1.jpg"],
            "b: this class folder holds folders but no images; expected files ending in .avif",
        ),
        (
            ["a/1.jpg", "loose.jpg"],
            "r: has images directly in it, such as loose.jpg; expected one folder of images",
        ),
        (["a/1.jpg"], "there is only one class, 'a'"),
        (["a/1.jpg", "A/1.jpg"], "'A' and 'a' differ only by '_', case or spaces"),
        (["train/a/1.jpg", "val/a/1.jpg"], "has train, val but splits need both train and test"),
        (["train/a/1.jpg", "test/a/1.jpg", "cat/1.jpg"], "has the split folders test, train beside cat"),
        (
            ["train/cat/1.jpg", "train/dog/1.jpg", "test/cats/1.jpg"],
            "no class 'cats' in {root}/train; expected the",
        ),
        (["train/cat/1.jpg", "train/dog/1.jpg", "test/cats/1.jpg"], "Did you mean 'cat'?"),
    ],
)
def test_folders_that_do_not_fit(make_images: Make, names: list[str], message: str) -> None:
    root = make_images("r", *names)
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert message.replace("{root}", str(root)) in str(caught.value)


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half" / "cat").mkdir(parents=True)
    (tmp_path / "file.txt").touch()
    for name, message in {
        "empty": "has no class folders; expected one folder of images per class",
        "half": "cat: this class folder holds no images",
        "gone": "does not exist; expected one folder",
        "file.txt": "is a file, not a folder",
    }.items():
        with pytest.raises(DataError, match=message):
            read_folder(tmp_path / name)


def test_files_passed_over_are_listed(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/phone.heic", "a/inner/2.png", "b/3.png", ".hidden/4.png", "b/.DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    names = [path.relative_to(tmp_path).as_posix() for path in ignored_files(tmp_path, read_folder(tmp_path))]
    assert names == ["a/inner/2.png", "a/phone.heic"]


@pytest.mark.parametrize(
    "names",
    [
        ["dataset/cat/1.jpg", "dataset/dog/1.jpg"],
        ["r/cat/1.jpg", "r/dog/1.jpg"],
        ["dataset/Dataset/cat/1.jpg", "dataset/Dataset/dog/1.jpg"],
        ["cat/1.jpg", "dog/1.jpg", "__MACOSX/cat/1.jpg"],
        ["cat/1.jpg", "dog/dog/1.jpg"],
    ],
)
def test_folders_around_a_data_set(make_images: Make, names: list[str]) -> None:
    root = make_images("r", *names)
    (root / "licence.txt").touch()
    split = read_folder(root)
    assert split.class_names == ("cat", "dog")
    expected = [root / name for name in names if "__MACOSX" not in name]
    assert sorted(item.path for item in split.train) == sorted(expected)


def test_parts_that_were_packed_twice(make_images: Make) -> None:
    names = [f"{part}/{part}/{name}/1.jpg" for part in ("train", "test") for name in ("cat", "dog")]
    split = read_folder(make_images("r", *names))
    assert (split.class_names, len(split.train), len(split.test)) == (("cat", "dog"), 2, 2)
    split = read_folder(make_images("s", *(f"data/{name}" for name in names)))
    assert (split.class_names, len(split.train), len(split.test)) == (("cat", "dog"), 2, 2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        # A class is not unwrapped: its folders may be years.
        (
            ["cat/2021/1.jpg", "cat/2022/1.jpg"],
            "if the folders in {root}/cat are the classes, give that folder",
        ),
        (
            ["seg_train/seg_train/a/1.jpg", "seg_test/seg_test/a/1.jpg"],
            "if the folders in {root}/seg_test/seg_test are the classes, give that folder; if {root} holds "
            "parts, call them train, val and test",
        ),
        (
            ["cat/1.jpg", "dog/1.jpg", "pets/cat/1.jpg", "pets/dog/1.jpg"],
            "{root}/pets: this class folder holds folders but no images; expected files ending in",
        ),
        (
            ["cat/1.jpg", "dog/1.jpg", "pets/cat/1.jpg", "pets/dog/1.jpg"],
            "it holds cat, dog once more, as archives packed twice do; move {root}/pets away",
        ),
        (["dataset/cat/1.jpg"], "there is only one class, 'cat'"),
    ],
)
def test_what_to_do_with_folders_that_are_no_classes(
    make_images: Make, names: list[str], message: str
) -> None:
    root = make_images("r", *names)
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert message.replace("{root}", str(root)) in str(caught.value)
