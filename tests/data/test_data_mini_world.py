"""The mini world's data sets as files: drawn once, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptlet.data import Split, load_dataset, open_image
from promptlet.data.load import expand_names
from promptlet.data.readers.mini_world import read_mini
from promptlet.errors import DataError, OptionError
from promptlet.mini import datasets
from promptlet.mini.names import HARDER_NAMES, MINI_NAMES

NAME = "mini-land"  # the one of fewest classes


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets, "PARTS", {"train": 2, "val": 1, "test": 1})
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))


def test_read_by_name() -> None:
    split = load_dataset(NAME)
    assert isinstance(split, Split)
    assert split.name == NAME
    world = datasets.EVERY_DATASET[NAME]
    assert split.class_names == world.class_names
    assert (len(split.train), len(split.val), len(split.test)) == (20, 10, 10)
    item = split.train[3]
    drawn = world.picture(item.class_name, "train", int(item.path.stem))
    assert np.array_equal(np.asarray(open_image(item.path)), np.asarray(drawn))


def test_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_dataset(NAME)
    monkeypatch.setattr(datasets.MiniDataset, "picture", lambda *_: pytest.fail("drawn again"))
    assert load_dataset(NAME) == first


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = datasets.MiniDataset.picture, []

    def stops(self: datasets.MiniDataset, *args: object) -> Image.Image:
        calls.append(args)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(datasets.MiniDataset, "picture", stops)
    with pytest.raises(KeyboardInterrupt):
        read_mini(NAME, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert len(read_mini(NAME, tmp_path).train) == 20


def test_another_process_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = datasets.MiniDataset.picture
    target = tmp_path / "drawn" / NAME

    def meanwhile(self: datasets.MiniDataset, *args: object) -> Image.Image:
        (target / "mark").mkdir(parents=True, exist_ok=True)
        return original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(datasets.MiniDataset, "picture", meanwhile)
    assert datasets.draw_dataset(NAME, target) == target
    assert (target / "mark").is_dir()
    assert [path.name for path in target.parent.iterdir()] == [NAME]


def test_shifted_ones_have_a_test_part_alone() -> None:
    split = load_dataset("mini-general-sketch")
    assert isinstance(split, Split)
    assert (len(split.train), len(split.val)) == (0, 0)
    assert len(split.test) == len(split.class_names)


def test_no_place_to_draw(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"mini-land.*cannot be drawn into.*PROMPTLET_CACHE"):
        read_mini(NAME, tmp_path / "file")


def test_all_at_once_and_nearly_right_names() -> None:
    assert expand_names(["a.npz", "mini"]) == ["a.npz", *MINI_NAMES]
    assert expand_names(["mini-shifts"]) == [
        *("mini-general-v2", "mini-general-sketch", "mini-general-hard", "mini-general-rendition")
    ]
    assert expand_names(["mini-harder", "mini-land"]) == [*HARDER_NAMES, "mini-land"]
    assert expand_names(["imagenet-shifts"]) == ["imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"]
    eleven = "imagenet caltech101 oxford_pets stanford_cars oxford_flowers food101 fgvc_aircraft sun397 dtd"
    assert expand_names(["eleven"]) == [*eleven.split(), "eurosat", "ucf101"]
    with pytest.raises(OptionError, match="mini-flowers"):
        load_dataset("mini-flower")
