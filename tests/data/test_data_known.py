"""Known data sets without a split file: every layout, the rule that makes the parts, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import known_trees
import numpy as np
import pytest
from known_trees import build
from scipy.io import savemat

from promptlet.data import DATASETS, Split, load_dataset
from promptlet.data.catalog import DRAWN_RULES
from promptlet.data.known.annotations import read_mat
from promptlet.errors import DataError


def load(name: str, root: Path) -> Split:
    split = load_dataset(name, root)
    assert isinstance(split, Split)
    return split


def per_class(split: Split) -> set[tuple[int, ...]]:
    counts = [Counter(item.label for item in part) for part in (split.train, split.val, split.test)]
    return {tuple(count[label] for count in counts) for label in range(len(split.class_names))}


EXPECTED = {"pool": {(5, 2, 3)}, "trainval": {(4, 1, 2)}, "lists": {(2, 2, 2)}, "imagenet": {(2, 1, 1)}}


def test_every_data_set_has_a_tree() -> None:
    assert list(known_trees.BUILD) == list(DATASETS)


@pytest.mark.parametrize("name", DATASETS)
def test_every_layout_is_read_and_cut_by_its_rule(name: str, tmp_path: Path) -> None:
    spec = DATASETS[name]
    folder = build(name, tmp_path / "one")
    split = load(name, tmp_path / "one")
    assert (split.name, len(split.class_names)) == (name, spec.class_count)
    assert per_class(split) == EXPECTED.get(spec.rule, {(0, 0, 1)})
    assert all(item.path.is_relative_to(folder / spec.image_folder) for item in split.every_item)
    if spec.rule != "imagenet":
        assert len({item.path for item in split.every_item}) == len(split.every_item)
    drawn = f"drawn here with seed 1 as there is no {spec.split_file}: not CoOp's own parts"
    assert (drawn in split.rule) == (spec.rule in DRAWN_RULES)
    assert f"of {len(split.every_item):,} images, {sum(spec.counts):,} are known" in split.rule
    assert load(name, folder) == split  # the folder itself does as well


@pytest.mark.parametrize("name", ["eurosat", "oxford_pets"])
def test_the_parts_are_the_same_in_every_place(name: str, tmp_path: Path) -> None:
    splits = []
    for place in ("one", "two/three"):
        folder = build(name, tmp_path / place)
        parts = [load(name, tmp_path / place).train, load(name, tmp_path / place).val]
        splits.append([[item.path.relative_to(folder).as_posix() for item in part] for part in parts])
    assert splits[0] == splits[1]
    assert splits[0][0] != sorted(splits[0][0])


def test_golden_cut(tmp_path: Path) -> None:
    build("eurosat", tmp_path)
    split = load("eurosat", tmp_path)
    drawn = ["".join(i.path.stem[-1] for i in part if i.label == 9) for part in (split.train, split.val)]
    assert drawn == ["31469", "82"]


NAMES = {
    "caltech101": {0: "face", 1: "leopard", 2: "motorbike", 3: "accordion", 4: "airplane", 99: "yin yang"},
    "oxford_pets": {0: "abyssinian", 1: "american bulldog", 36: "breed 34"},
    "stanford_cars": {0: "2000 AM General Hummer SUV", 2: "2001 Maker Model-1 Coupe"},
    "oxford_flowers": {20: "fire lily", 76: "flower 77"},
    "food101": {0: "apple pie"},
    "fgvc_aircraft": {0: "707-320", 1: "Boeing 717", 2: "F-16A/B"},
    "sun397": {0: "abbey", 1: "outdoor apartment building", 2: "indoor church", 3: "outdoor church"},
    "dtd": {0: "banded"},
    "eurosat": {0: "Annual Crop Land", 1: "Forest", 3: "Highway or Road", 9: "Sea or Lake"},
    "ucf101": {0: "Apply Eye Makeup", 1: "Yo Yo", 2: "Tai Chi", 3: "Pull Ups"},
    "imagenetv2": {0: "thing 0", 995: "thing 995"},
}
FIRST_TEST = {
    "oxford_pets": "images/Abyssinian_100.jpg",
    "stanford_cars": "cars_test/00001.jpg",
    "fgvc_aircraft": "images/4000000.jpg",
    "sun397": "SUN397/a/abbey/sun_Te0.jpg",
    "ucf101": "UCF-101-midframes/Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c00.jpg",
    "imagenet": "images/val/n00000000/ILSVRC2012_val_00000000.JPEG",
    "imagenetv2": "imagenetv2-matched-frequency-format-val/0/0000.jpeg",
}


@pytest.mark.parametrize("name", NAMES)
def test_class_names_are_corrected_as_coop_does(name: str, tmp_path: Path) -> None:
    build(name, tmp_path)
    names = load(name, tmp_path).class_names
    assert {label: names[label] for label in NAMES[name]} == NAMES[name]


@pytest.mark.parametrize("name", FIRST_TEST)
def test_where_the_images_are(name: str, tmp_path: Path) -> None:
    folder = build(name, tmp_path)
    first = load(name, tmp_path).test[0]
    assert (first.path.relative_to(folder).as_posix(), first.label) == (FIRST_TEST[name], 0)


def test_flowers_keep_the_order_of_the_labels(tmp_path: Path) -> None:
    folder = build("oxford_flowers", tmp_path)
    train = load("oxford_flowers", tmp_path).train
    assert [train[0].label, train[5].label] == [76, 0]
    assert {item.path for item in train[:5]} < {folder / f"jpg/image_{i:05d}.jpg" for i in range(1, 11)}


@pytest.mark.slow
def test_imagenet_serves_val_twice_and_tells_its_twins_apart(tmp_path: Path) -> None:
    build("imagenet", tmp_path)
    split = load("imagenet", tmp_path)
    assert split.val == split.test
    assert [item.path.name for item in split.train[:2]] == ["n00000000_10.JPEG", "n00000000_9.JPEG"]
    twins = [split.class_names[list(known_trees.CLASSNAMES).index(wnid)] for wnid in known_trees.TWINS]
    assert twins == ["missile", "projectile", "sunglass", "sunglasses"]
    assert "n04008634 'missile' is called 'projectile'" in split.rule


def test_a_variant_with_one_twin_keeps_coops_name(tmp_path: Path) -> None:
    build("imagenet_a", tmp_path)
    split = load("imagenet_a", tmp_path)
    assert split.class_names[-1] == "sunglasses" and "is called" not in split.rule


def test_a_variant_finds_the_class_names_of_imagenet_beside_it(tmp_path: Path) -> None:
    folder = build("imagenet_r", tmp_path)
    (folder / "classnames.txt").unlink()
    with pytest.raises(DataError, match=r"there is no .*imagenet-rendition/classnames\.txt; it comes from"):
        load("imagenet_r", tmp_path)
    (tmp_path / "imagenet").mkdir()
    known_trees.classnames(tmp_path / "imagenet")
    assert len(load("imagenet_r", tmp_path).class_names) == 200


@pytest.mark.parametrize("name", DATASETS)
def test_an_absent_data_set_says_where_it_comes_from(name: str, tmp_path: Path) -> None:
    spec = DATASETS[name]
    with pytest.raises(DataError) as caught:
        load_dataset(name, tmp_path)
    message = str(caught.value)
    expected = (str(tmp_path / spec.folder), spec.page, *spec.needed_folders, spec.split_file, spec.split_url)
    assert all(words in message for words in expected)
    assert message.endswith(f"see: promptlet datasets doctor {name} --root {tmp_path}")
    assert "\n" not in message


@pytest.mark.parametrize("name", DATASETS)
def test_every_missing_path_is_named(name: str, tmp_path: Path) -> None:
    spec = DATASETS[name]
    folder = tmp_path / spec.folder
    folder.mkdir()
    with pytest.raises(DataError) as caught:
        load_dataset(name, tmp_path)
    for path in (*spec.needed_folders, *spec.annotations):
        assert str(folder / path) in str(caught.value)
    assert not spec.split_file or f"nor {spec.split_file} in {folder}" in str(caught.value)


Damage = Callable[[Path], object]
CASES: list[tuple[str, Damage, str]] = [
    (
        "eurosat",
        lambda f: [p.unlink() for p in (f / "2750/River").iterdir()],
        "2750/River: this class folder",
    ),
    (
        "eurosat",
        lambda f: [p.unlink() for p in list((f / "2750/River").iterdir())[3:]],
        "'River' has 3 image",
    ),
    ("eurosat", lambda f: (f / "2750/Clouds").mkdir(), "Clouds: this class folder holds no images"),
    ("dtd", lambda f: known_trees.pool(f, "images", ["one_more"]), "has 48 classes, dtd has 47; download or"),
    (
        "oxford_pets",
        lambda f: (f / "annotations/test.txt").write_text("Abyssinian_1\n"),
        "test.txt, line 1: is",
    ),
    (
        "oxford_pets",
        lambda f: (f / "annotations/test.txt").write_text("A_1 x 1 1\n"),
        "'x' is no class number",
    ),
    (
        "oxford_pets",
        lambda f: (f / "annotations/test.txt").write_text("Beagle_1 1 1 1\n"),
        "line 1: class 1 is both 'abyssinian' and 'beagle'",
    ),
    (
        "oxford_pets",
        lambda f: (f / "annotations/test.txt").write_text("\n../x_1 1 1 1\n"),
        "test.txt, line 2: class 1 is both",
    ),
    (
        "oxford_pets",
        lambda f: (f / "annotations/test.txt").write_bytes(b"\xff\xfe\x00"),
        "is no text in UTF-8",
    ),
    ("stanford_cars", lambda f: (f / "devkit/cars_meta.mat").write_bytes(b"nothing"), "is no MATLAB file"),
    (
        "stanford_cars",
        lambda f: savemat(f / "devkit/cars_meta.mat", {"labels": 1}),
        "cars_meta.mat: holds labels, but not 'class_names'",
    ),
    (
        "stanford_cars",
        lambda f: savemat(f / "cars_test_annos_withlabels.mat", {"annotations": np.ones((1, 3))}),
        "its annotations have no class",
    ),
    ("oxford_flowers", lambda f: (f / "cat_to_name.json").write_text("["), "cat_to_name.json: is not JSON"),
    (
        "oxford_flowers",
        lambda f: (f / "cat_to_name.json").write_text("[1]"),
        'expected {"1": "pink primrose"',
    ),
    (
        "oxford_flowers",
        lambda f: (f / "cat_to_name.json").write_text(json.dumps({"1": "a", "3": "b"})),
        "imagelabels.mat: the class",
    ),
    (
        "fgvc_aircraft",
        lambda f: (f / "images_variant_val.txt").write_text("1 Boeing 717\n2 Concorde\n"),
        "images_variant_val.txt, line 2: the class 'Concorde' is not in variants.txt",
    ),
    (
        "fgvc_aircraft",
        lambda f: (f / "images_variant_val.txt").write_text("../../x 707-320\n"),
        "the path '../../x.jpg' is not inside",
    ),
    (
        "sun397",
        lambda f: (f / "Testing_01.txt").write_text("/z/zoo/sun_1.jpg\n"),
        "Testing_01.txt, line 1: the class 'z/zoo' is not in ClassName.txt",
    ),
    (
        "ucf101",
        lambda f: (f / "ucfTrainTestlist/classInd.txt").write_text("1 ApplyEyeMakeup\n3 YoYo\n"),
        "is not in classInd.txt",
    ),
    ("imagenet", lambda f: (f / "images/val/n99999999").mkdir(), "the class 'n99999999' is not in"),
    (
        "imagenet",
        lambda f: (f / "classnames.txt").write_text("n00000000 tench\n"),
        "classnames.txt: has no line for the class folder 'n00000001'",
    ),
    (
        "imagenetv2",
        lambda f: (f / "imagenetv2-matched-frequency-format-val/1000").mkdir(),
        "expected the folders 0 to 999, one per line of classnames.txt; '1000' is missing or too much",
    ),
]


@pytest.mark.parametrize(("name", "damage", "message"), CASES, ids=[f"{c[0]}: {c[2]}" for c in CASES])
def test_damaged_data_sets_are_refused(name: str, damage: Damage, message: str, tmp_path: Path) -> None:
    damage(build(name, tmp_path))
    with pytest.raises(DataError) as caught:
        load_dataset(name, tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_imagenet_val_that_was_not_sorted(tmp_path: Path) -> None:
    folder = build("imagenet", tmp_path)
    (folder / "images/val").rename(folder / "sorted")
    known_trees.touch(folder / "images/val", ["ILSVRC2012_val_00000001.JPEG"])
    with pytest.raises(
        DataError, match="images/val: has no class folders; images belong into one folder per"
    ):
        load_dataset("imagenet", tmp_path)


@pytest.mark.parametrize("place", ["eurosat/EuroSAT_RGB", "EuroSAT_RGB", "eurosat/2750"])
@pytest.mark.parametrize("has_split", [True, False])
def test_the_names_that_eurosats_folder_has(place: str, has_split: bool, tmp_path: Path) -> None:
    """2750 in the older archive, EuroSAT_RGB in the newer one, which may lie beside eurosat/ as well."""
    images = build("eurosat", tmp_path) / "2750"
    expected = load("eurosat", tmp_path)
    folder = tmp_path / place
    images.rename(tmp_path / "moved")
    (tmp_path / "moved").rename(folder)
    if has_split:
        rows = {
            part: [
                [item.path.relative_to(images).as_posix(), item.label, item.class_name]
                for item in getattr(expected, part)
            ]
            for part in ("train", "val", "test")
        }
        (folder.parent / "split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    found = load("eurosat", tmp_path)
    assert found.class_names == expected.class_names
    for part in ("train", "val", "test"):
        paths = [item.path.relative_to(images) for item in getattr(expected, part)]
        assert [item.path.relative_to(folder) for item in getattr(found, part)] == paths
    if has_split:
        alone = load_dataset(folder.parent / "split_zhou_EuroSAT.json")
        assert isinstance(alone, Split) and alone.train == found.train


def test_what_to_unpack_of_eurosat_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"which holds split_zhou_EuroSAT\.json, 2750, or EuroSAT_RGB"):
        load("eurosat", tmp_path)
    (tmp_path / "eurosat/EuroSAT_MS").mkdir(parents=True)
    with pytest.raises(DataError, match=r"there is no .*eurosat/2750 \(nor EuroSAT_RGB\), nor split_zhou"):
        load("eurosat", tmp_path)
    assert "EuroSAT_MS, of 13 bands, is not" in DATASETS["eurosat"].get


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1e30, -1, 0, 103])
def test_class_numbers_that_are_none(number: float, tmp_path: Path) -> None:
    folder = build("oxford_flowers", tmp_path)
    savemat(folder / "imagelabels.mat", {"labels": np.array([1.0, 2.0, number])})
    with pytest.raises(DataError, match=r"imagelabels\.mat: the class .* is not one of 1 to 102"):
        load("oxford_flowers", tmp_path)


@pytest.mark.parametrize("order", ["whole", "in parts"])
def test_a_matlab_file_that_unpacks_to_too_much_is_refused_before(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 1 if order == "whole" else 4
    parts = {f"x{i}": np.zeros((1 << 20) // count, np.uint8) for i in range(count)}
    savemat(tmp_path / "a.mat", {"labels": np.arange(5), **parts}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 5000
    assert read_mat(tmp_path / "a.mat", "labels").tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr("promptlet.data.known.annotations.MOST_MAT_BYTES", 1 << 20)
    monkeypatch.setattr("scipy.io.loadmat", None)
    with pytest.raises(DataError, match="it unpacks to more than 1,048,576 bytes"):
        read_mat(tmp_path / "a.mat", "labels")
