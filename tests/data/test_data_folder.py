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
    split = read_folder(make_images("s", "valid/1.jpg", "valid/deeper/2.jpg", "invalid/1.jpg"))
    assert split.class_names == ("invalid", "valid") and len(split.train) == 2


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
        (["val/a/1.jpg", "Testing/a/1.jpg"], "has Testing, val but no train, which is learned from"),
        (["train/a/1.jpg", "test/a/1.jpg", "cat/1.jpg"], "has the split folders test, train beside cat"),
        (
            ["train/a/1.jpg", "val/a/1.jpg", "valid/a/1.jpg"],
            "'val' and 'valid' both mean val; merge them, or",
        ),
        (
            ["a/1.jpg", "b/x/1.jpg", "c/y/1.jpg"],
            "b: this class folder holds folders but no images, nor do c hold any; expected",
        ),
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
    left = (".hidden/4.png", "b/.DS_Store", "b/Thumbs.db", "@eaDir/5.png", "a/@eaDir/1.png", "desktop.ini")
    for name in ("a/1.png", "a/phone.raw", "a/inner/2.png", "b/3.png", *left):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    names = [path.relative_to(tmp_path).as_posix() for path in ignored_files(tmp_path, read_folder(tmp_path))]
    assert names == ["a/inner/2.png", "a/phone.raw"]


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
            "did you mean {root}/cat? If the folders in it are the classes, give that folder",
        ),
        (
            ["animals/cat/1.jpg", "animals/dog/1.jpg"],
            "did you mean {root}/animals? If the folders in it are the classes, give that folder",
        ),
        (
            ["my/own/animals/cat/1.jpg", "my/own/animals/dog/1.jpg"],
            "did you mean {root}/my/own/animals? If",
        ),
        (
            ["seg_train/seg_train/a/1.jpg", "seg_test/seg_test/a/1.jpg"],
            "did you mean {root}/seg_test/seg_test? If the folders in it are the classes, give that folder; "
            "if {root} holds parts, call them train, val and test",
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


@pytest.mark.parametrize(
    ("parts", "counts"),
    [
        ({"Train": 2, "VALID": 1, "testing": 3}, (4, 2, 6)),
        ({"training_set": 2, "validation": 1}, (4, 2, 0)),
        ({"TRAINING": 2, "test-set": 1}, (4, 0, 2)),
        ({"training_set/training_set": 2, "test_set/test_set": 1}, (4, 0, 2)),
        ({"train": 1}, (2, 0, 0)),
    ],
)
def test_parts_by_any_of_their_names(
    make_images: Make, parts: dict[str, int], counts: tuple[int, ...]
) -> None:
    names = [
        f"{part}/{name}/{i}.jpg" for part, n in parts.items() for name in ("cat", "dog") for i in range(n)
    ]
    root = make_images("r", *names)
    (root / "labels").mkdir()
    if len(parts) > 1:
        (root / "labels" / "list.txt").touch()
    split = read_folder(root)
    assert split.class_names == ("cat", "dog")
    assert (len(split.train), len(split.val), len(split.test)) == counts
    if len(parts) > 1:
        assert all(part.split("/")[0] in split.rule for part in parts)


@pytest.mark.parametrize("test", ["test/1.jpg", "test/test/1.jpg"])
def test_images_of_no_class_beside_training_images_are_passed_over(make_images: Make, test: str) -> None:
    root = make_images("r", "train/cat/1.jpg", "train/dog/1.jpg", "valid/cat/2.jpg", test)
    split = read_folder(root)
    assert (len(split.train), len(split.val), len(split.test)) == (2, 1, 0)
    assert split.rule == "its folders train, valid"
    assert ignored_files(root, split) == [root / test]


def test_class_folders_of_parts_are_one_class_but_for_case_and_underlines(make_images: Make) -> None:
    root = make_images(
        "r", "train/Tabby_cat/1.jpg", "train/dog/1.jpg", "test/tabby cat/2.jpg", "test/DOG/2.jpg"
    )
    (root / "test" / "empty").mkdir()
    split = read_folder(root)
    assert split.class_names == ("Tabby cat", "dog")
    assert sorted(item.class_name for item in split.test) == ["Tabby cat", "dog"]


def test_class_folders_that_only_the_test_part_has_are_told_together(make_images: Make) -> None:
    root = make_images("r", "train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg", "test/a/1.jpg", "test/d/1.jpg")
    with pytest.raises(
        DataError, match=r"test/c: there is no class 'c', nor 'd' in .*train; .* remove these"
    ):
        read_folder(root)


def test_accents_in_two_forms_are_one_name(make_images: Make) -> None:
    composed, parted = "caf\u00e9", "cafe\u0301"
    root = make_images("r", f"train/{composed}/1.jpg", "train/bar/1.jpg", f"train/{parted}/2.jpg")
    split = read_folder(root)
    assert split.class_names == ("bar", composed)
    assert [(item.path.parent.name, item.class_name) for item in split.train if item.label] == [
        (parted, composed),
        (composed, composed),
    ]
    assert all(item.path.is_file() for item in split.train)  # as they are called on the disk


def test_a_folder_of_one_class_points_at_the_one_around_it(make_images: Make) -> None:
    root = make_images("r", "cat/1.jpg", "dog/1.jpg")
    with pytest.raises(DataError, match=r"has images directly in it.*Did you mean .*/r, which holds it"):
        read_folder(root / "cat")


def test_a_name_that_is_nearly_there(make_images: Make) -> None:
    root = make_images("animals", "cat/1.jpg", "dog/1.jpg")
    with pytest.raises(DataError, match=r"anmials: does not exist; .* Did you mean 'animals'\?"):
        read_folder(root.parent / "anmials")
