"""Every reader says what fixed the parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import known_trees
import numpy as np
import pytest

from promptlet.data import FeatureFile, Split, base_new, load_dataset, sample_shots, write_feature_file
from promptlet.mini import datasets

Make = Callable[..., Path]


def rule(source: object, root: Path | None = None) -> str:
    content = load_dataset(source, root)  # type: ignore[arg-type]
    return (content.split if isinstance(content, FeatureFile) else content).rule


def test_folders(make_images: Make) -> None:
    assert rule(make_images("one", "a/1.png", "b/1.png")) == "every image is a training image"
    root = make_images("parts", "train/a/1.png", "train/b/1.png", "test/a/1.png")
    assert rule(root) == "its folders train, test"
    assert rule(make_images("parts", "val/a/1.png")) == "its folders train, val, test"


def test_tables(make_images: Make) -> None:
    root = make_images("r", "1.png", "2.png")
    (root / "t.csv").write_text("1.png,a\n2.png,b\n")
    assert rule(root / "t.csv") == "every image is a training image"
    (root / "t.csv").write_text("1.png,a,train\n2.png,b,train\n")
    assert rule(root / "t.csv") == "its column split"


def test_feature_files(make_images: Make, tmp_path: Path) -> None:
    split = load_dataset(make_images("r", "train/a/1.png", "train/b/1.png", "test/a/1.png"))
    assert isinstance(split, Split)
    write_feature_file(tmp_path / "f.npz", FeatureFile.of(split, np.ones((3, 2))))
    assert rule(tmp_path / "f.npz") == "its folders train, test"


def test_split_files_and_known_names(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(
        '{"train": [["1.jpg", 0, "a"], ["2.jpg", 1, "b"]], "val": [], "test": []}'
    )
    assert rule(tmp_path / "mine.json") == "split file mine.json"
    known_trees.build("fgvc_aircraft", tmp_path)
    assert rule("fgvc_aircraft", tmp_path).startswith("the official train, val and test lists")


def test_the_mini_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "PARTS", {"train": 1, "val": 1, "test": 1})
    assert rule("mini-land") == "drawn part by part (mini world, version 1)"


def test_drawing_and_cutting_keep_it(make_images: Make) -> None:
    split = load_dataset(make_images("r", "a/1.png", "a/2.png", "b/1.png"))
    assert isinstance(split, Split) and split.rule
    parts = [sample_shots(split, 1, 1), *base_new(split)]
    assert [part.rule for part in parts] == [split.rule] * 3
