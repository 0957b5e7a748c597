"""Data sets where torchvision puts them: images, labels and class names are those that torchvision reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import known_trees
import numpy as np
import pytest
from known_trees import touch, write_lines
from scipy.io import savemat

from promptlet.data import DATASETS, Split, load_dataset
from promptlet.data.doctor import examine
from promptlet.data.known.flower_names import FLOWERS
from promptlet.data.known.layouts import read_layout
from promptlet.data.known.load import locate, spec_of_folder
from promptlet.data.known.places import TORCHVISION
from promptlet.errors import DataError

Samples = list[tuple[Path, int]]
WNIDS = ("n01440764", "n01443537", "n01484850")


def caltech101(root: Path) -> None:
    names = ["Faces", "airplanes", *(f"object_{i:02d}" for i in range(98)), "Faces_easy", "BACKGROUND_Google"]
    images = (f"{name}/image_{i:04d}.jpg" for name in names for i in range(1, 11))
    touch(root / "caltech101/101_ObjectCategories", images)


def oxford_flowers(root: Path) -> None:
    known_trees.oxford_flowers(root / "flowers-102")
    (root / "flowers-102/cat_to_name.json").unlink()
    ids = {name: np.arange(first, 1021, 3) for first, name in enumerate(("trnid", "valid", "tstid"), 1)}
    savemat(root / "flowers-102/setid.mat", ids)


def food101(root: Path) -> None:
    known_trees.food101(root / "food-101")
    dishes = sorted(path.name for path in (root / "food-101/images").iterdir())
    for part, numbers in (("train", range(7)), ("test", range(7, 10))):
        text = json.dumps({dish: [f"{dish}/{dish}_{i:04d}" for i in numbers] for dish in dishes})
        write_lines(root / "food-101/meta" / f"{part}.json", [text])


def dtd(root: Path) -> None:
    known_trees.dtd(root / "dtd/dtd")
    images = sorted((root / "dtd/dtd/images").glob("*/*.jpg"))
    for part, first in (("train", 0), ("val", 1), ("test", 2)):
        lines = (f"{path.parent.name}/{path.name}" for path in images[first::3])
        write_lines(root / f"dtd/dtd/labels/{part}1.txt", lines)


def sun397(root: Path) -> None:
    known_trees.sun397(root / "SUN397")
    (root / "SUN397/SUN397").rmdir()
    for file in ("Training_01.txt", "Testing_01.txt"):
        touch(root / "SUN397", (line[1:] for line in (root / "SUN397" / file).read_text().splitlines()))


def imagenet(root: Path) -> None:
    import torch

    touch(root / "train", (f"{wnid}/{wnid}_{i}.JPEG" for wnid in WNIDS for i in range(3)))
    touch(root / "val", (f"{wnid}/ILSVRC2012_val_{i:08d}.JPEG" for i, wnid in enumerate(WNIDS)))
    torch.save(({wnid: (f"thing {wnid}",) for wnid in WNIDS}, list(WNIDS)), root / "meta.bin")
    write_lines(root / "classnames.txt", [f"{wnid} thing {wnid}" for wnid in WNIDS])


BUILD: dict[str, Callable[[Path], None]] = {
    "imagenet": imagenet,
    "caltech101": caltech101,
    "oxford_pets": lambda root: known_trees.oxford_pets(root / "oxford-iiit-pet"),
    "stanford_cars": lambda root: known_trees.stanford_cars(root / "stanford_cars"),
    "oxford_flowers": oxford_flowers,
    "food101": food101,
    "fgvc_aircraft": lambda root: known_trees.fgvc_aircraft(root / "fgvc-aircraft-2013b/data"),
    "sun397": sun397,
    "dtd": dtd,
    "eurosat": lambda root: known_trees.eurosat(root / "eurosat"),
}


def torchvisions(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Samples, list[str]]:
    """What torchvision itself finds below ``root``: every (path, label) and its class names."""
    sets = pytest.importorskip("torchvision.datasets")
    trees: dict[str, tuple[Any, tuple[str, ...], tuple[str, str]]] = {
        "oxford_pets": (sets.OxfordIIITPet, ("trainval", "test"), ("_images", "_labels")),
        "oxford_flowers": (sets.Flowers102, ("train", "val", "test"), ("_image_files", "_labels")),
        "food101": (sets.Food101, ("train", "test"), ("_image_files", "_labels")),
        "fgvc_aircraft": (sets.FGVCAircraft, ("train", "val", "test"), ("_image_files", "_labels")),
        "dtd": (sets.DTD, ("train", "val", "test"), ("_image_files", "_labels")),
    }
    if name in trees:
        # A small tree cannot have the checksums of the real annotation; torchvision's other checks stay.
        files = {key: (file, None) for key, (file, _) in sets.Flowers102._file_dict.items()}
        monkeypatch.setattr(sets.Flowers102, "_file_dict", files)
        kind, parts, (paths, labels) = trees[name]
        read = [kind(root, split=part, download=False) for part in parts]
        pairs = [
            pair for part in read for pair in zip(getattr(part, paths), getattr(part, labels), strict=True)
        ]
        return [(Path(path), label) for path, label in pairs], list(read[0].classes)
    if name == "stanford_cars":
        read = [sets.StanfordCars(root, split=part) for part in ("train", "test")]
        return [(Path(p), int(label)) for part in read for p, label in part._samples], list(read[0].classes)
    if name == "eurosat":
        one = sets.EuroSAT(root)
        return [(Path(path), label) for path, label in one.samples], list(one.classes)
    if name == "sun397":
        one = sets.SUN397(root)
        return list(zip(one._image_files, one._labels, strict=True)), list(one.classes)
    if name == "imagenet":
        read = [sets.ImageNet(root, split=part) for part in ("train", "val")]
        names = [first for first, *_ in read[0].classes]
        return [(Path(path), label) for part in read for path, label in part.samples], names
    one = sets.Caltech101(root, download=False)
    folder = Path(one.root) / "101_ObjectCategories"
    paths = (
        folder / one.categories[label] / f"image_{number:04d}.jpg"
        for number, label in zip(one.index, one.y, strict=True)
    )
    return list(zip(paths, one.y, strict=True)), list(one.categories)


def own_samples(name: str, root: Path) -> Iterator[tuple[Path, int]]:
    laid, folder = locate(DATASETS[name], root)
    rows = read_layout(laid, folder).rows
    for part in rows:
        if (name, part) != ("imagenet", "val"):  # which is test, too
            yield from rows[part]


@pytest.mark.parametrize("name", BUILD)
def test_images_and_labels_are_torchvisions(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BUILD[name](tmp_path)
    theirs, names = torchvisions(name, tmp_path, monkeypatch)
    ours = sorted(own_samples(name, tmp_path))
    if name == "caltech101":  # CoOp leaves out a class that torchvision has
        kept = [label for label, folder in enumerate(names) if folder != "Faces_easy"]
        theirs = [(path, kept.index(label)) for path, label in theirs if label in kept]
    assert len(ours) >= 9
    assert ours == sorted(theirs)


RENAMED: dict[str, Callable[[str], str]] = {
    "caltech101": lambda name: {"Faces": "face", "airplanes": "airplane"}.get(name, name),
    "oxford_pets": str.lower,
    "stanford_cars": lambda name: " ".join([name.split()[-1], *name.split()[:-1]]),
    "oxford_flowers": lambda name: name.rstrip("?"),
    "sun397": lambda name: " ".join(name.split("/")[::-1]),
}


@pytest.mark.parametrize("name", sorted(set(BUILD) - {"eurosat"}))
def test_class_names_are_torchvisions_but_for_coops_corrections(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BUILD[name](tmp_path)
    _, names = torchvisions(name, tmp_path, monkeypatch)
    laid, folder = locate(DATASETS[name], tmp_path)
    correct = RENAMED.get(name, str)
    expected = [correct(theirs) for theirs in names if theirs != "Faces_easy"]
    spaced = [own.replace("_", " ") for own in read_layout(laid, folder).class_names]
    assert spaced == [own.replace("_", " ") for own in expected]


@pytest.mark.parametrize("name", sorted(set(BUILD) - {"imagenet"}))
def test_they_are_loaded_by_name(name: str, tmp_path: Path) -> None:
    BUILD[name](tmp_path)
    split = load_dataset(name, tmp_path)
    assert isinstance(split, Split)
    assert (split.name, len(split.class_names)) == (name, DATASETS[name].class_count)
    assert split.train and split.val and split.test
    folder = locate(DATASETS[name], tmp_path)[1]
    assert folder != tmp_path
    assert load_dataset(name, folder) == split  # the folder itself does as well
    if "/" in str(folder.relative_to(tmp_path)):
        assert load_dataset(name, folder.parent) == split


@pytest.mark.parametrize("name", sorted(set(TORCHVISION) - {"imagenet"}))
def test_the_doctor_knows_them(name: str, tmp_path: Path) -> None:
    BUILD[name](tmp_path)
    checkup = examine(name, tmp_path)
    folder = locate(DATASETS[name], tmp_path)[1]
    assert (checkup.place, checkup.class_count) == (folder, DATASETS[name].class_count)
    assert "known are" in checkup.findings[-2].text or "known are" in checkup.findings[-1].text
    by_path = spec_of_folder(folder)
    assert by_path is not None and by_path.name == name
    assert examine(str(folder)).counts == checkup.counts


def test_a_split_file_in_torchvisions_folder_is_used(tmp_path: Path) -> None:
    BUILD["dtd"](tmp_path)
    rule = load_dataset("dtd", tmp_path)
    assert isinstance(rule, Split) and "not CoOp's own parts" in rule.rule
    rows = [[f"{name}/{name}_0000.jpg", i, name] for i, name in enumerate(rule.class_names)]
    file = DATASETS["dtd"].split_file
    for place in ("dtd", "dtd/dtd"):
        (tmp_path / place / file).write_text(json.dumps({"train": rows, "val": [], "test": rows[:5]}))
        split = load_dataset("dtd", tmp_path)
        assert isinstance(split, Split)
        assert (split.rule, len(split.train), len(split.test)) == (f"split file {file}", 47, 5)
        assert split.train[0].path == tmp_path / "dtd/dtd/images/banded/banded_0000.jpg"
        assert split.train[0].path.is_file()
        (tmp_path / place / file).unlink()


def test_coops_place_comes_first_where_both_are_there(tmp_path: Path) -> None:
    BUILD["oxford_pets"](tmp_path)
    assert locate(DATASETS["oxford_pets"], tmp_path)[1] == tmp_path / "oxford-iiit-pet"
    known_trees.build("oxford_pets", tmp_path)
    assert locate(DATASETS["oxford_pets"], tmp_path)[1] == tmp_path / "oxford_pets"
    (tmp_path / "oxford_pets/annotations/test.txt").unlink()
    assert locate(DATASETS["oxford_pets"], tmp_path)[1] == tmp_path / "oxford-iiit-pet"


def test_flowers_need_no_file_of_names(tmp_path: Path, coop_splits: Path) -> None:
    rows = json.loads((coop_splits / "split_zhou_OxfordFlowers.json").read_text()).values()
    assert dict(enumerate(FLOWERS)) == {label: name for part in rows for _, label, name in part}
    BUILD["oxford_flowers"](tmp_path)
    split = load_dataset("oxford_flowers", tmp_path)
    assert isinstance(split, Split) and split.class_names == FLOWERS


def test_imagenet_at_the_root_needs_its_names(tmp_path: Path) -> None:
    imagenet(tmp_path)
    with pytest.raises(DataError, match="has 3 classes, imagenet has 1000; download"):
        load_dataset("imagenet", tmp_path)  # too small, but read
    (tmp_path / "classnames.txt").unlink()
    (tmp_path / "meta.bin").write_bytes(b"never opened")
    with pytest.raises(DataError) as caught:
        load_dataset("imagenet", tmp_path)
    message = str(caught.value)
    assert f"there is no {tmp_path / 'classnames.txt'}; " in message
    assert "'n01440764 tench'" in message and "drive.google.com" in message and "never opened" in message
    checkup = examine("imagenet", tmp_path)
    assert (checkup.state, checkup.place) == ("incomplete", tmp_path)
    assert any("meta.bin is a pickle" in finding.text for finding in checkup.findings)


def test_a_root_with_train_and_val_of_other_things_is_not_imagenet(tmp_path: Path) -> None:
    touch(tmp_path, ["train/cat/1.jpg", "val/cat/1.jpg"])
    checkup = examine("imagenet", tmp_path)
    assert (checkup.state, checkup.place) == ("absent", tmp_path / "imagenet")


def test_sun397_without_its_lists(tmp_path: Path) -> None:
    BUILD["sun397"](tmp_path)
    for file in ("Training_01.txt", "Testing_01.txt"):
        (tmp_path / "SUN397" / file).unlink()  # as torchvision leaves it
    with pytest.raises(DataError) as caught:
        load_dataset("sun397", tmp_path)
    message = str(caught.value)
    assert all(f"SUN397/{file}" in message for file in ("Training_01.txt", "Testing_01.txt"))
    assert "Partitions.zip" in message and "nor split_zhou_SUN397.json in" in message


def test_what_was_looked_for_names_torchvisions_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nor torchvision's oxford-iiit-pet/; it comes from https://"):
        load_dataset("oxford_pets", tmp_path)
    with pytest.raises(DataError) as caught:
        load_dataset("ucf101", tmp_path)
    assert "torchvision" not in str(caught.value)
