from __future__ import annotations

import struct
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_toys import split_of

from promptlet.data import FeatureFile, read_coop_split, read_feature_file, write_feature_file
from promptlet.errors import DataError, OptionError


def arrays(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "features": np.arange(8, dtype=np.float16).reshape(4, 2),
        "labels": np.array([1, 0, 1, 0], dtype=np.int16),
        "class_names": np.array(["wild_cat", "ant"]),
        "split": np.array([0, 0, 2, 0], dtype=np.int8),
        "paths": np.array(["a/1.jpg", "b/1.jpg", "c/1.jpg", "b/0.jpg"]),
        "wnids": np.array(["extra", "arrays"]),
    }
    good.update(changes)
    return {name: value for name, value in good.items() if value is not None}


def save(folder: Path, **changes: Any) -> Path:
    path = folder / "f.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_reading(tmp_path: Path) -> None:
    file = read_feature_file(save(tmp_path))
    assert (file.split.name, file.split.class_names) == ("f", ("wild cat", "ant"))
    assert file.features.dtype == np.float32
    assert file.features.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert not file.features.flags.writeable
    assert [(str(item.path), item.label, item.row) for item in file.split.train] == [
        ("a/1.jpg", 1, 0),
        ("b/1.jpg", 0, 1),
        ("b/0.jpg", 0, 3),
    ]
    assert file.split.val == ()
    assert file.split.test[0].row == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"paths": None, "split": None},
            "has no array split, paths; it has features, labels, class_names, wnids",
        ),
        (
            {"class_names": np.array(["a", "b"], dtype=object)},
            "never loaded; save text as np.array(class_names, dtype",
        ),
        (
            {"class_names": np.array([b"a", b"b"])},
            "class_names is |S1 of shape (2,); expected text (dtype str)",
        ),
        (
            {"class_names": np.array(["a_b", "A b"])},
            "class_names: the class names 'a_b' and 'A b' differ only",
        ),
        ({"features": np.zeros(4)}, "features is float64 of shape (4,); expected floats with 2 dimension(s)"),
        ({"features": np.zeros((4, 2), int)}, "features is int64 of shape (4, 2); expected floats"),
        ({"features": np.zeros((4, 0))}, "features has shape (4, 0); expected at least one row"),
        ({"features": np.full((4, 2), np.nan)}, "features[0] holds a number that is NaN or infinite"),
        (
            {"features": np.full((4, 2), 1e300)},
            "features[0] holds a number that is NaN or infinite, or too large",
        ),
        (
            {"features": np.array([[1, 0], [0, 2], [0, 0], [0, 0]], np.float16)},
            "features[2] holds zeros alone, which have no direction (2 of 4 rows do)",
        ),
        ({"features": np.array([[1, 0], [0, 2], [1, 0], [0, 1e-60]])}, "features[3] holds zeros alone"),
        ({"paths": np.array(["a", "b\0c", "d", "e"])}, "paths[1] 'b\\x00c' holds a NUL character"),
        ({"paths": np.array(["a", "b", "\ud800", "e"])}, "paths[2] '\\ud800' is no text in UTF-8"),
        ({"class_names": np.array(["a", "\udcff"])}, "class_names: the class name '\\udcff' is no text"),
        ({"labels": np.array([0, 1, 2, 0])}, "labels[2] is 2; allowed: 0 to 1 (1 of 4 entries are outside)"),
        ({"labels": np.array([0, 1])}, "labels has 2 entries and features 4 rows"),
        ({"labels": np.array([0.0, 1, 1, 0])}, "labels is float64 of shape (4,); expected whole numbers"),
        ({"split": np.array([0, 1, 2, -1])}, "split[3] is -1; allowed: 0 to 2"),
        (
            {"split_names": np.array(["train", "test", "val"])},
            "split_names is train, test, val; expected train, val",
        ),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_feature_file(save(tmp_path, **changes))
    assert message in str(caught.value)
    assert str(tmp_path / "f.npz") in str(caught.value)


def test_files_that_are_no_feature_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npz: cannot be read"):
        read_feature_file(tmp_path / "gone.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name, data in (("one.npz", (tmp_path / "one.npy").read_bytes()), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=r"is no \.npz file, or is cut off"):
            read_feature_file(tmp_path / name)


def test_damaged_files_give_data_errors_or_load(tmp_path: Path) -> None:
    path = save(tmp_path)
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            read_feature_file(path)
        except DataError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_round_trip(tmp_path: Path, dtype: str) -> None:
    split = split_of([(2, 1, 1), (3, 0, 1)])
    features = np.random.default_rng(0).normal(size=(8, 5)).astype(dtype)
    file = FeatureFile.of(split, features)
    write_feature_file(tmp_path / "toy.npz", file, dtype)
    again = read_feature_file(tmp_path / "toy.npz")
    assert again.split == replace(file.split, rule="the array split of toy.npz")
    assert np.array_equal(again.features, features.astype(np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["toy.npz"]


def test_what_fixed_the_parts_is_kept(tmp_path: Path) -> None:
    split = replace(split_of([(1, 1, 1), (2, 0, 1)]), rule="split file split_zhou_Ünïcode.json")
    write_feature_file(tmp_path / "toy.npz", FeatureFile.of(split, np.ones((6, 2))))
    assert read_feature_file(tmp_path / "toy.npz").split == split
    with np.load(tmp_path / "toy.npz", allow_pickle=False) as arrays:
        assert arrays["rule"].tolist() == ["split file split_zhou_Ünïcode.json"]
    with pytest.raises(DataError, match=r"rule is int64 of shape \(1,\); expected text"):
        read_feature_file(save(tmp_path, rule=np.array([1])))


def test_writing_part_of_the_rows(tmp_path: Path) -> None:
    file = read_feature_file(save(tmp_path))
    write_feature_file(tmp_path / "g.npz", file)
    assert read_feature_file(tmp_path / "g.npz").features.tolist() == [[0, 1], [2, 3], [6, 7], [4, 5]]


def test_writing_errors(tmp_path: Path) -> None:
    split = split_of([(1, 0, 0)] * 2)
    good = FeatureFile.of(split, np.ones((2, 3)))
    with pytest.raises(DataError, match=r"features have shape \(3, 3\); expected \(2, D\)"):
        FeatureFile.of(split, np.ones((3, 3)))
    with pytest.raises(OptionError, match="dtype='int8' is not known; allowed: float32, float16"):
        write_feature_file(tmp_path / "f.npz", good, "int8")
    with pytest.raises(DataError, match=r"as float16: features\[0\] holds a number that is NaN or infinite"):
        write_feature_file(tmp_path / "f.npz", FeatureFile.of(split, np.full((2, 3), 1e9)), "float16")
    with pytest.raises(DataError, match=r"its row is 1, expected 0 to 0; FeatureFile\.of numbers"):
        write_feature_file(tmp_path / "f.npz", FeatureFile(good.split, good.features[:1]))
    with pytest.raises(DataError, match="cannot be written"):
        write_feature_file(tmp_path / "no" / "f.npz", good)
    (tmp_path / "taken.npz").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_feature_file(tmp_path / "taken.npz", good)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.npz"]


@pytest.mark.realbed
def test_real_feature_files(realbed: Path) -> None:
    sizes = {
        path.stem: (file.features.shape, *map(len, (file.split.train, file.split.val, file.split.test)))
        for path in sorted((realbed / "features").glob("*.npz"))
        for file in [read_feature_file(path)]
    }
    assert sizes == {
        "caltech101": ((8242, 512), 4128, 1649, 2465),
        "imagenet_samples": ((1000, 512), 0, 0, 1000),
        "tiny_imagenet": ((16000, 512), 12000, 0, 4000),
    }


@pytest.mark.realbed
def test_the_caltech_features_follow_coops_order(realbed: Path) -> None:
    features = read_feature_file(realbed / "features" / "caltech101.npz").split
    images = read_coop_split(realbed / "data" / "caltech-101" / "split_zhou_Caltech101.json", "")
    assert features.class_names == images.class_names
    for part in ("train", "val", "test"):
        for ours, theirs in zip(getattr(features, part), getattr(images, part), strict=True):
            assert (ours.path, ours.label) == (theirs.path, theirs.label)


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e25, 1e37])
def test_any_length_is_read(tmp_path: Path, scale: float) -> None:
    features = np.array([[3, 4], [1, 0], [0, 2], [5, 12]]) * scale
    assert np.allclose(
        read_feature_file(save(tmp_path, features=features)).features / scale, features / scale
    )


@pytest.mark.parametrize(
    ("shape", "bytes_"),
    [
        ("(10000000000,4)", 64),
        ("(-4,4)", 64),
        ("(4,4)", 60),
        ("(4,4)", 68),
        ("(4,)", 0),
        ("(99999999999999999999,)", 8),
    ],
)
def test_a_header_that_claims_other_than_is_there(tmp_path: Path, shape: str, bytes_: int) -> None:
    path = save(tmp_path)
    head = f"{{'descr':'<f4','fortran_order':False,'shape':{shape}}}\n".encode()
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is there twice now, and the later one counts
        archive.writestr(
            "features.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(bytes_)
        )
    with pytest.raises(
        DataError, match=rf"features cannot be read: damaged \(its header asks .*{bytes_} bytes follow"
    ):
        read_feature_file(path)


def test_a_file_that_unpacks_to_far_more(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "f.npz", **arrays(features=np.ones((20_000_000, 2), np.float16)))
    assert (tmp_path / "f.npz").stat().st_size < 1 << 20
    with pytest.raises(
        DataError, match=r"features cannot be read: damaged \([0-9,]* bytes claim to be 80,000,128"
    ):
        read_feature_file(tmp_path / "f.npz")
