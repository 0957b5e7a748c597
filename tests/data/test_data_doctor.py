"""The doctor on complete, incomplete, wrong and absent data sets: known ones, and those at a path."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import known_trees
import numpy as np
import pytest
from hf_toys import encoded, image_set, save_disk
from PIL import Image

from promptlet.data import DATASETS, FeatureFile, load_dataset, read_folder, write_feature_file
from promptlet.data.doctor import Checkup, examine
from promptlet.data.readers.coop_split import content_digest

Make = Callable[..., Path]


def texts(checkup: Checkup, kind: str) -> str:
    return "\n".join(finding.text for finding in checkup.findings if finding.kind == kind)


@pytest.fixture
def eurosat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A EuroSAT of 100 images that can be opened, with a split file; the catalog knows it as complete."""
    folder = known_trees.build("eurosat", tmp_path)
    for path in (folder / "2750").rglob("*.jpg"):
        Image.new("RGB", (4, 4)).save(path)
    split = load_dataset("eurosat", tmp_path)
    write_split(folder / "split_zhou_EuroSAT.json", split)
    spec = replace(
        DATASETS["eurosat"],
        counts=(50, 20, 30),
        split_digest=content_digest(folder / "split_zhou_EuroSAT.json"),
    )
    monkeypatch.setitem(DATASETS, "eurosat", spec)
    return folder


def write_split(file: Path, split: object) -> None:
    parts = {
        part: [
            [item.path.relative_to(file.parent / "2750").as_posix(), item.label, item.class_name]
            for item in getattr(split, part)
        ]
        for part in ("train", "val", "test")
    }
    file.write_text(json.dumps(parts))


def test_a_complete_data_set(eurosat: Path) -> None:
    done: list[tuple[str, int, int]] = []
    checkup = examine("eurosat", eurosat.parent, True, lambda *progress: done.append(progress))
    assert (checkup.state, checkup.class_count, checkup.counts) == ("complete", 10, (50, 20, 30))
    assert checkup.rule == "split file split_zhou_EuroSAT.json"
    assert texts(checkup, "note").splitlines() == [
        "split_zhou_EuroSAT.json is CoOp's own",
        "class names are those of its own files",
        "all 100 images were opened",
    ]
    assert done == [("eurosat", 100, 100)]
    by_path = examine(str(eurosat))
    assert (by_path.state, by_path.spec) == ("complete", DATASETS["eurosat"])


def test_a_missing_split_file_is_told_though_the_rule_serves(eurosat: Path) -> None:
    (eurosat / "split_zhou_EuroSAT.json").unlink()
    checkup = examine("eurosat", eurosat.parent)
    assert (checkup.state, checkup.counts) == ("incomplete", (50, 20, 30))
    assert texts(checkup, "missing").endswith(f"CoOp's split: {DATASETS['eurosat'].split_url}")
    assert "not CoOp's own parts" in checkup.rule
    for path in sorted((eurosat / "2750/River").iterdir())[4:]:
        path.unlink()
    short = texts(examine("eurosat", eurosat.parent), "missing")
    assert "has 47 train, 19 val, 28 test images; known are 50 train, 20 val, 30 test" in short


def test_missing_images_are_named_and_counted(eurosat: Path) -> None:
    gone = sorted((eurosat / "2750/River").iterdir())[:7]
    for path in gone:
        path.unlink()
    checkup = examine("eurosat", eurosat.parent, open_images=True)
    assert checkup.state == "incomplete"
    assert sorted(checkup.missing_images) == gone
    assert texts(checkup, "missing").startswith("7 of 100 images: ")
    assert texts(checkup, "missing").count(".jpg") == 5 and texts(checkup, "missing").endswith(", ...")
    assert "all 93 images were opened" in texts(checkup, "note")
    (eurosat / "2750").rename(eurosat / "pictures")
    checkup = examine("eurosat", eurosat.parent)
    assert checkup.state == "incomplete"
    assert texts(checkup, "missing") == f"there is no {eurosat / '2750'}, nor EuroSAT_RGB beside it"


def test_a_class_that_was_not_unpacked_and_one_too_much(eurosat: Path) -> None:
    (eurosat / "2750/River").rename(eurosat / "River")
    checkup = examine("eurosat", eurosat.parent)
    assert checkup.state == "incomplete"
    assert "1 of 10 classes, such as 'River'" in texts(checkup, "missing")
    (eurosat / "River").rename(eurosat / "2750/River")
    known_trees.touch(eurosat / "2750", ["Clouds/1.jpg"])
    checkup = examine("eurosat", eurosat.parent)
    assert checkup.state == "complete"
    assert "1 classes are not in the split, such as 'Clouds'" in texts(checkup, "note")


def test_links_to_nothing_are_missing_images(eurosat: Path) -> None:
    path = eurosat / "2750/River/River_0000.jpg"
    path.unlink()
    path.symlink_to(eurosat / "nowhere.jpg")
    assert examine("eurosat", eurosat.parent).missing_images == [path]


def test_unreadable_images_are_listed(eurosat: Path) -> None:
    (eurosat / "2750/River/River_0000.jpg").write_bytes(b"<html>404</html>")
    (eurosat / "2750/Forest/Forest_0001.jpg").write_bytes(b"")
    assert examine("eurosat", eurosat.parent).state == "complete"
    checkup = examine("eurosat", eurosat.parent, open_images=True)
    assert checkup.state == "wrong"
    assert len(checkup.unreadable) == 2
    assert "2 of 100 images cannot be read: " in texts(checkup, "wrong")
    assert "River_0000.jpg: this is not an image" in texts(checkup, "wrong")
    assert "Forest_0001.jpg: the file is empty" in texts(checkup, "wrong")


def test_a_split_file_that_is_another(eurosat: Path) -> None:
    file = eurosat / "split_zhou_EuroSAT.json"
    parts = json.loads(file.read_text())
    parts["train"][0], parts["val"][0] = parts["val"][0], parts["train"][0]
    file.write_text(json.dumps(parts, indent=2))
    checkup = examine("eurosat", eurosat.parent)
    assert (checkup.state, checkup.counts) == ("wrong", (50, 20, 30))
    assert "is not CoOp's file of this name, which is at https://drive" in texts(checkup, "wrong")
    parts["test"].append(parts["train"].pop())
    parts["test"].append(parts["train"][0])
    for row in (row for part in parts.values() for row in part if row[1] == 3):
        row[2] = "Motorway"
    file.write_text(json.dumps(parts))
    wrong = texts(examine("eurosat", eurosat.parent), "wrong")
    assert "has 49 train, 20 val, 32 test images; known are 50 train, 20 val, 30 test" in wrong
    assert "class 3 is 'Highway or Road' by its own files, 'Motorway' in the split" in wrong
    assert "1 images are in train and in test, such as" in wrong
    file.write_text("{")
    assert "is not JSON" in texts(examine("eurosat", eurosat.parent), "wrong")


def test_the_folder_of_another_data_set(tmp_path: Path) -> None:
    known_trees.build("dtd", tmp_path).rename(tmp_path / "food-101")
    checkup = examine("food101", tmp_path)
    assert checkup.state == "wrong"
    assert "has 47 classes, food101 has 101" in texts(checkup, "wrong")


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_missing_of_each(name: str, tmp_path: Path) -> None:
    spec = DATASETS[name]
    checkup = examine(name, tmp_path)
    assert (checkup.state, checkup.spec) == ("absent", spec)
    assert texts(checkup, "missing") == f"there is no folder {tmp_path / spec.folder}"
    (tmp_path / spec.folder).mkdir()
    checkup = examine(name, tmp_path)
    assert checkup.state == "incomplete"
    for path in filter(None, (*spec.needed_folders, *spec.annotations, spec.split_file)):
        assert str(tmp_path / spec.folder / path) in texts(checkup, "missing")
    assert not texts(checkup, "wrong")


@pytest.mark.parametrize("name", DATASETS)
def test_small_trees_are_too_small(name: str, tmp_path: Path) -> None:
    known_trees.build(name, tmp_path)
    checkup = examine(name, tmp_path)
    assert checkup.class_count == DATASETS[name].class_count
    assert "known are" in texts(checkup, "missing")


def test_names_that_cannot_be_looked_up(tmp_path: Path) -> None:
    checkup = examine("eurosat")
    assert (checkup.state, texts(checkup, "missing")) == (
        "absent",
        "no root is given; say where eurosat/ lies: --root ROOT",
    )
    checkup = examine("eurosaat", tmp_path)
    assert checkup.state == "absent" and "Did you mean 'eurosat'?" in texts(checkup, "wrong")
    assert "no such file or folder" in texts(examine(str(tmp_path / "gone.csv")), "wrong")
    (tmp_path / "eurosat").write_text("a file")
    assert texts(examine("eurosat", tmp_path), "wrong") == f"{tmp_path / 'eurosat'} is a file"


def test_folders_tables_and_feature_files(make_images: Make, tmp_path: Path) -> None:
    root = make_images("r", "a/1.jpg", "b/1.jpg", "b/2.jpg")
    (root / "b/notes.txt").touch()
    checkup = examine(str(root), open_images=True)
    assert (checkup.state, checkup.class_count, checkup.counts) == ("complete", 2, (3, 0, 0))
    assert "1 files are passed over, such as" in texts(checkup, "note")
    (root / "a/1.jpg").write_bytes(b"x")
    assert examine(str(root), open_images=True).state == "wrong"
    table = tmp_path / "t.csv"
    table.write_text("r/a/1.jpg,a,train\nr/b/1.jpg,b,train\nr/b/2.jpg,b,test\n")
    checkup = examine(str(table))
    assert (checkup.state, checkup.counts) == ("complete", (2, 0, 1))
    assert texts(checkup, "note") == "1 classes have no test images, such as 'a'"
    write_feature_file(tmp_path / "f.npz", FeatureFile.of(read_folder(root), np.ones((3, 5))))
    checkup = examine(str(tmp_path / "f.npz"))
    assert (checkup.state, checkup.counts) == ("complete", (3, 0, 0))
    assert "features of 5 numbers" in texts(checkup, "note")
    (tmp_path / "e/a").mkdir(parents=True)
    assert "this class folder holds no images" in texts(examine(str(tmp_path / "e")), "wrong")


def test_hugging_face_data(tmp_path: Path, hugging_face: Path) -> None:
    sets = {"train": image_set([0, 1, 2, 1]), "test": image_set([0, 2], 40)}
    folder = save_disk(tmp_path / "saved", sets)
    checkup = examine(f"hf:{folder}", open_images=True)
    assert (checkup.state, checkup.place, checkup.spec) == ("complete", folder, None)
    assert (checkup.class_count, checkup.counts) == (3, (4, 0, 2))
    assert checkup.rule == "its splits train, test"
    notes = texts(checkup, "note").splitlines()
    assert notes[0].startswith(f"its images are in {hugging_face / 'datasets'}")
    assert notes[1:] == ["1 classes have no test images, such as 'dog'", "all 6 images were opened"]
    stored = [{"bytes": b"no image", "path": "a.jpg"}, *({"bytes": encoded(i), "path": ""} for i in range(2))]
    rows = image_set([0, 1, 2])
    damaged = rows.remove_columns("image").add_column("image", stored).cast(rows.features)
    damaged.to_parquet(str(tmp_path / "bad.parquet"))
    for source in (f"hf:{tmp_path / 'bad.parquet'}", str(tmp_path / "bad.parquet")):
        assert examine(source).state == "complete"
        checkup = examine(source, open_images=True)
        assert (checkup.state, checkup.place, checkup.counts) == (
            "wrong",
            tmp_path / "bad.parquet",
            (3, 0, 0),
        )
        assert "1 of 3 images cannot be read: " in texts(checkup, "wrong")
        assert "this is not an image that is read" in checkup.unreadable[0]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    assert examine(str(tmp_path / "bad.parquet")).state == "wrong"
    assert "?image=COLUMN&label=COLUMN" in texts(examine(f"hf:{folder}?label"), "wrong")


def test_a_split_file_by_its_path(eurosat: Path, tmp_path: Path) -> None:
    file = eurosat / "split_zhou_EuroSAT.json"
    checkup = examine(str(file))
    assert (checkup.state, checkup.spec) == ("complete", DATASETS["eurosat"])
    assert "is CoOp's own" in texts(checkup, "note")
    checkup = examine(str(file), tmp_path / "elsewhere")
    assert (checkup.state, len(checkup.missing_images)) == ("incomplete", 100)
    own = tmp_path / "mine.json"
    own.write_text(file.read_text())
    assert examine(str(own), eurosat / "2750").spec is None


def test_the_mini_world_is_always_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.mini import datasets

    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "PARTS", {"train": 1, "val": 1, "test": 1})
    checkup = examine("mini-land", open_images=True)
    assert (checkup.state, checkup.class_count, checkup.counts) == ("complete", 10, (10, 10, 10))
    assert checkup.place.is_relative_to(tmp_path)


@pytest.mark.realbed
@pytest.mark.slow
def test_the_real_caltech101(realbed: Path, tmp_path: Path) -> None:
    checkup = examine("caltech101", realbed / "data")
    assert (checkup.state, checkup.counts) == ("complete", (4128, 1649, 2465))
    assert texts(checkup, "note").splitlines() == [
        "split_zhou_Caltech101.json is CoOp's own",
        "class names are those of its own files",
    ]
    folder = tmp_path / "caltech-101"
    folder.mkdir()
    (folder / "101_ObjectCategories").symlink_to(realbed / "data/caltech-101/101_ObjectCategories")
    by_rule = examine("caltech101", tmp_path)
    assert (by_rule.state, by_rule.counts) == ("incomplete", (4128, 1649, 2465))
    assert "split_zhou_Caltech101.json, CoOp's split: https://" in texts(by_rule, "missing")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dtd", "oxford_flowers"])
def test_real_split_files_over_trees_of_their_names(name: str, coop_splits: Path, tmp_path: Path) -> None:
    spec = DATASETS[name]
    folder = tmp_path / spec.folder
    text = (coop_splits / spec.split_file).read_text()
    rows = [row for part in json.loads(text).values() for row in part]
    known_trees.touch(folder / spec.image_folder, (row[0] for row in rows))
    (folder / spec.split_file).write_text(text)
    checkup = examine(name, tmp_path)
    assert (checkup.state, checkup.counts) == ("complete", spec.counts)
    assert "is CoOp's own" in texts(checkup, "note")
    (folder / spec.image_folder / rows[5][0]).unlink()
    assert examine(name, tmp_path).state == "incomplete"
