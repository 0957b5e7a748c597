from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from promptlet.data import FeatureFile, Split, load_dataset, read_folder, write_feature_file
from promptlet.errors import DataError, OptionError

Make = Callable[..., Path]


def test_every_kind_of_source(make_images: Make) -> None:
    root = make_images("r", "a/1.jpg", "b/1.jpg")
    folder = load_dataset(root)
    assert isinstance(folder, Split)
    (root / "t.csv").write_text("a/1.jpg,a\nb/1.jpg,b\n")
    (root / "s.json").write_text(
        json.dumps({"train": [["a/1.jpg", 0, "a"], ["b/1.jpg", 1, "b"]], "val": [], "test": []})
    )
    for name in ("t.csv", "s.json"):
        split = load_dataset(str(root / name))
        assert isinstance(split, Split)
        assert split.train == folder.train
    write_feature_file(root / "f.npz", FeatureFile.of(read_folder(root), np.ones((2, 3))))
    file = load_dataset(root / "f.npz")
    assert isinstance(file, FeatureFile)
    assert file.features.shape == (2, 3)


def test_a_known_name(tmp_path: Path) -> None:
    folder = tmp_path / "caltech-101"
    (folder / "101_ObjectCategories").mkdir(parents=True)
    rows = [[f"{i}/1.jpg", i, f"class_{i}"] for i in range(100)]
    (folder / "split_zhou_Caltech101.json").write_text(json.dumps({"train": rows, "val": [], "test": []}))
    for root in (tmp_path, folder):
        split = load_dataset("caltech101", root)
        assert isinstance(split, Split)
        assert split.train[7].path == folder / "101_ObjectCategories" / "7" / "1.jpg"
    (folder / "split_zhou_Caltech101.json").write_text(json.dumps({"train": rows[:9], "val": [], "test": []}))
    with pytest.raises(DataError, match="has 9 classes, caltech101 has 100"):
        load_dataset("caltech101", tmp_path)
    (folder / "101_ObjectCategories").rmdir()
    with pytest.raises(DataError, match=r"there is no .*101_ObjectCategories; it comes from https://data"):
        load_dataset("caltech101", tmp_path)
    with pytest.raises(DataError, match=r"no folder .*, which holds split_zhou_Caltech101\.json, 101_Object"):
        load_dataset("caltech101", tmp_path / "elsewhere")


def test_sources_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'caltech101' needs root, the folder that holds caltech-101/"):
        load_dataset("caltech101")
    with pytest.raises(OptionError, match=r"'caltec101' is neither .* Did you mean 'caltech101'\?"):
        load_dataset("caltec101")
    with pytest.raises(DataError, match="no such file or folder; allowed: a folder of images per class"):
        load_dataset(tmp_path / "gone")
    (tmp_path / "x.docx").touch()
    with pytest.raises(DataError, match=r"files ending in '\.docx' are not read as a data set; allowed"):
        load_dataset(tmp_path / "x.docx")
