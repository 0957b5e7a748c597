"""CoOp's own split files: the facts of the catalog, halves and draws, and the rules that made them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import known_trees
import pytest
from test_data_sampling import check_against_dassl

from promptlet.data import DATASETS, Split, base_new, load_dataset, read_coop_split, sample_shots
from promptlet.data.catalog import DatasetSpec
from promptlet.data.readers.coop_split import content_digest

NAMES = ("oxford_pets", "stanford_cars", "oxford_flowers", "dtd", "eurosat", "ucf101")
BASE_CLASSES = {
    "oxford_pets": 19,
    "stanford_cars": 98,
    "oxford_flowers": 51,
    "dtd": 24,
    "eurosat": 5,
    "ucf101": 51,
}
PARTS = ("train", "val", "test")


@pytest.fixture(params=NAMES)
def spec(request: Any) -> DatasetSpec:
    return DATASETS[request.param]


@pytest.fixture
def file(coop_splits: Path, spec: DatasetSpec) -> Path:
    return coop_splits / spec.split_file


def per_class(split: Split) -> list[list[int]]:
    counts = [Counter(item.label for item in getattr(split, part)) for part in PARTS]
    return [[count[label] for count in counts] for label in range(len(split.class_names))]


@pytest.mark.slow
def test_the_facts_of_the_catalog(spec: DatasetSpec, file: Path) -> None:
    split = read_coop_split(file)
    assert (split.name, split.rule) == (spec.name, f"split file {spec.split_file}")
    assert len(split.class_names) == spec.class_count
    assert tuple(len(getattr(split, part)) for part in PARTS) == spec.counts
    assert content_digest(file) == spec.split_digest
    assert split.train[0].path.is_relative_to(file.parent / spec.image_folder)


@pytest.mark.slow
def test_the_sizes_follow_the_rule(spec: DatasetSpec, file: Path) -> None:
    for train, val, test in per_class(read_coop_split(file)):
        if spec.rule == "pool":
            total = train + val + test
            assert (train, val) == (round(0.5 * total), round(0.2 * total))
        else:
            assert val == round(0.2 * (train + val))


@pytest.mark.slow
def test_base_and_new_halves(spec: DatasetSpec, file: Path) -> None:
    split = read_coop_split(file)
    base, new = base_new(split)
    assert len(base.class_names) == BASE_CLASSES[spec.name]
    assert base.class_names + new.class_names == split.class_names
    assert base.rule == split.rule


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coops_draws(spec: DatasetSpec, file: Path, seed: int) -> None:
    split, again = read_coop_split(file), read_coop_split(file)
    for shots in (1, 2, 4, 8, 16):
        check_against_dassl(split, shots, seed)
        drawn = sample_shots(split, shots, seed, "coop")
        assert drawn == sample_shots(again, shots, seed, "coop")
        for (train, val, _), (pool, _, _) in zip(per_class(drawn), per_class(split), strict=True):
            assert (train, val) == (min(shots, pool), min(shots, 4))


def test_coops_draws_are_these(coop_splits: Path) -> None:
    split = read_coop_split(coop_splits / DATASETS["eurosat"].split_file)
    drawn = {seed: sample_shots(split, 1, seed, "coop").train[0].path.name for seed in (1, 2, 3)}
    assert drawn == {1: "AnnualCrop_2365.jpg", 2: "AnnualCrop_1566.jpg", 3: "AnnualCrop_2418.jpg"}


def rebuild(spec: DatasetSpec, file: Path, root: Path) -> None:
    """The data set's own annotation, as it must have been for CoOp to make this split file."""
    rows: dict[str, list[Any]] = json.loads(file.read_text())
    folder = root / spec.folder
    trainval = sorted((row for part in ("train", "val") for row in rows[part]), key=lambda row: row[0])
    names = {label: name for part in rows.values() for _, label, name in part}
    match spec.name:
        case "dtd":
            known_trees.touch(folder / "images", (row[0] for part in rows.values() for row in part))
        case "oxford_pets":
            for part, listed in (("trainval", trainval), ("test", rows["test"])):
                lines = (f"{path[:-4]} {label + 1} 1 1" for path, label, _ in listed)
                known_trees.write_lines(folder / f"annotations/{part}.txt", lines)
            (folder / "images").mkdir()
        case "stanford_cars":
            year_last = [" ".join((*names[i].split()[1:], names[i].split()[0])) for i in range(len(names))]
            numbered = {
                "devkit/cars_train_annos.mat": [(Path(path).name, label + 1) for path, label, _ in trainval],
                "cars_test_annos_withlabels.mat": [(Path(p).name, label + 1) for p, label, _ in rows["test"]],
            }
            known_trees.write_mat_cars(folder, year_last, numbered)
            known_trees.touch(folder, ("cars_train/00001.jpg", "cars_test/00001.jpg"))
        case "oxford_flowers":
            labels = {path: label for part in rows.values() for path, label, _ in part}
            numbers = [labels[f"image_{i:05d}.jpg"] + 1 for i in range(1, len(labels) + 1)]
            known_trees.write_flowers(folder, numbers, {})
            shutil.copyfile(file.parent / "cat_to_name.json", folder / "cat_to_name.json")
        case "ucf101":
            lists = folder / "ucfTrainTestlist"
            actions = {label: name.replace("_", "") for label, name in names.items()}
            known_trees.write_lines(
                lists / "classInd.txt", (f"{i + 1} {actions[i]}" for i in range(len(names)))
            )
            for name, listed in (("trainlist01.txt", trainval), ("testlist01.txt", rows["test"])):
                lines = (f"{actions[label]}/{Path(path).stem}.avi {label + 1}" for path, label, _ in listed)
                known_trees.write_lines(lists / name, lines)
            (folder / "UCF-101-midframes").mkdir()
        case "eurosat":
            names_of = dict.fromkeys(row[0] for part in rows.values() for row in part)
            known_trees.touch(folder / "2750", names_of)


@pytest.mark.slow
def test_the_rule_gives_other_parts_of_the_same_sizes(spec: DatasetSpec, file: Path, tmp_path: Path) -> None:
    """Names, labels, pools and sizes are CoOp's to the image; only the draw within a class is not."""
    rebuild(spec, file, tmp_path)
    folder = tmp_path / spec.folder
    official = read_coop_split(file, folder / spec.image_folder)
    ours = load_dataset(spec.name, tmp_path)
    assert isinstance(ours, Split)
    assert ours.class_names == official.class_names
    assert per_class(ours) == per_class(official)
    assert {(item.path, item.label) for item in ours.every_item} == {
        (item.path, item.label) for item in official.every_item
    }
    if spec.rule == "trainval":
        assert set(ours.test) == set(official.test)
    assert set(ours.train) != set(official.train)
    assert "not CoOp's own parts" in ours.rule and "are known" not in ours.rule
    first_labels = [list(dict.fromkeys(item.label for item in split.train)) for split in (ours, official)]
    if spec.name in ("dtd", "eurosat", "oxford_flowers"):
        assert first_labels[0] == first_labels[1]
