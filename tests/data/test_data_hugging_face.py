"""Reading what Hugging Face `datasets` saves: bytes, labels, parts and class names are those put in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hf_toys
import numpy as np
import pytest
from hf_toys import FORMATS, NAMES, encoded, image_set, save_disk, save_hub_layout
from PIL import Image as PillowImage

from promptlet.data import Item, Split, load_dataset, open_image, read_hugging_face
from promptlet.errors import DataError, OptionError

pytestmark = pytest.mark.usefixtures("hugging_face")
CLEAN = ("maple tree", "dog", "oak tree")
SAVE: dict[str, Callable[[Path, dict[str, Any]], Path]] = {"disk": save_disk, "hub layout": save_hub_layout}


def bytes_of(items: tuple[Item, ...]) -> list[bytes]:
    return [item.path.read_bytes() for item in items]


def read(source: object, options: str = "") -> Split:
    return read_hugging_face(f"hf:{source}{options}")


@pytest.mark.parametrize("save", SAVE)
def test_bytes_labels_and_parts_are_those_put_in(save: str, tmp_path: Path) -> None:
    labels = {"train": [2, 0, 1, 1], "validation": [1, 2], "test": [0, 2, 1]}
    sets = {name: image_set(labels[name], 10 * i) for i, name in enumerate(labels)}
    folder = SAVE[save](tmp_path / "trees", sets)
    split = load_dataset(f"hf:{folder}")
    assert isinstance(split, Split)
    assert (split.name, split.class_names) == ("trees", CLEAN)
    assert split.rule == "its splits train, validation as val, test"
    for i, (part, name) in enumerate({"train": "train", "val": "validation", "test": "test"}.items()):
        items = getattr(split, part)
        assert [item.label for item in items] == labels[name]
        assert bytes_of(items) == [encoded(10 * i + k) for k in range(len(items))]
        assert [item.path for item in items] == sorted(item.path for item in items)


@pytest.mark.parametrize("kind", ["parquet", "arrow stream", "arrow file"])
def test_one_file(kind: str, tmp_path: Path) -> None:
    import pyarrow as pa

    rows = image_set([0, 1, 2, 1], 5)
    path = tmp_path / ("things.parquet" if kind == "parquet" else "things.arrow")
    if kind == "parquet":
        rows.to_parquet(str(path), batch_size=3)
    else:
        new = pa.ipc.new_stream if kind == "arrow stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, new(sink, rows.data.table.schema) as writer:
            writer.write_table(rows.data.table, max_chunksize=3)
    split = load_dataset(path)
    assert isinstance(split, Split)
    assert split == load_dataset(f"hf:{path}")
    assert (split.name, split.rule) == ("things", "every image is a training image")
    assert [item.label for item in split.train] == [0, 1, 2, 1]
    assert bytes_of(split.train) == [encoded(5 + i) for i in range(4)]
    assert split.val == split.test == ()


def test_one_split_alone_is_train_unless_its_name_says_otherwise(tmp_path: Path) -> None:
    import datasets

    split = read(save_disk(tmp_path / "d", {"full": image_set([0, 1, 2])}))
    assert (len(split.train), split.val, split.test) == (3, (), ())
    assert split.rule == "its splits full as train"
    image_set([2, 1]).save_to_disk(str(tmp_path / "one"))
    assert read(tmp_path / "one").rule == "its splits train"
    image_set([2, 1]).to_parquet(str(tmp_path / "t.parquet"))
    tests = datasets.Dataset.from_parquet(str(tmp_path / "t.parquet"), split="test")
    tests.save_to_disk(str(tmp_path / "tests"))
    assert read(tmp_path / "tests").rule == "its splits test"
    assert [item.label for item in read(tmp_path / "tests").test] == [2, 1]


def test_every_format_is_kept_and_gets_its_suffix(tmp_path: Path) -> None:
    import datasets

    stored = [{"bytes": encoded(i, name), "path": "wrong.png"} for i, name in enumerate(FORMATS)]
    stored += [{"bytes": b"damaged", "path": "x.jpg"}, {"bytes": b"", "path": None}]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = datasets.Dataset.from_dict({"image": stored, "label": [0] * len(stored)}, features=features)
    rows.to_parquet(str(tmp_path / "all.parquet"))
    items = load_dataset(tmp_path / "all.parquet").train  # type: ignore[union-attr]
    suffixes = [".png", ".jpg", ".gif", ".bmp", ".webp", ".tif", ".ppm", ".jpg", ".bin"]
    assert [item.path.suffix for item in items] == suffixes
    assert bytes_of(items) == [image["bytes"] for image in stored]
    picture = PillowImage.open(items[1].path).convert("RGB")
    assert np.array_equal(np.asarray(open_image(items[1].path)), np.asarray(picture))
    for item, message in ((items[7], "this is not an image that is read"), (items[8], "the file is empty")):
        with pytest.raises(DataError, match=message):
            open_image(item.path)


def test_labels_as_text_are_class_names(tmp_path: Path) -> None:
    import datasets

    text = datasets.Value("string")
    sets = {
        "train": image_set(["oak_tree", "ant", "oak_tree"], kind=text, label="class_name"),
        "test": image_set(["ant", "bee"], 7, kind=text, label="class_name"),
    }
    split = read(save_hub_layout(tmp_path / "r", sets))
    assert split.class_names == ("ant", "bee", "oak tree")
    assert [item.label for item in split.train + split.test] == [2, 0, 2, 0, 1]


def test_two_label_columns_as_of_cifar_100(tmp_path: Path) -> None:
    import datasets

    coarse = datasets.ClassLabel(names=["plants", "animals"])
    rows = image_set([0, 1, 2], label="fine_label", image="img", coarse_label=(coarse, [0, 1, 0]))
    folder = save_hub_layout(tmp_path / "cifar", {"train": rows})
    with pytest.raises(DataError) as caught:
        read(folder)
    message = str(caught.value)
    assert "has 2 columns that can be the label, fine_label and coarse_label; choose with ?label=" in message
    assert "img (Image), fine_label (ClassLabel of 3), coarse_label (ClassLabel of 2)" in message
    fine, other = read(folder, "?label=fine_label"), read(folder, "?image=img&label=coarse_label")
    assert (fine.class_names, other.class_names) == (CLEAN, ("plants", "animals"))
    assert [item.label for item in fine.train] == [0, 1, 2] and [i.label for i in other.train] == [0, 1, 0]
    assert (fine.name, other.name) == ("cifar?label=fine_label", "cifar?label=coarse_label")


def test_two_image_columns(tmp_path: Path) -> None:
    import datasets

    masks = [{"bytes": encoded(50 + i), "path": None} for i in range(2)]
    save_disk(tmp_path / "d", {"train": image_set([0, 1], mask=(datasets.Image(), masks))})
    with pytest.raises(
        DataError, match=r"2 columns that can be the image, image and mask; choose with \?image="
    ):
        read(tmp_path / "d")
    assert bytes_of(read(tmp_path / "d", "?image=mask").train) == [encoded(50), encoded(51)]
    with pytest.raises(OptionError, match=r"image='masc' is no column; .* Did you mean 'mask'\?"):
        read(tmp_path / "d", "?image=masc")
    with pytest.raises(OptionError, match="image='label' holds ClassLabel of 3; expected an Image"):
        read(tmp_path / "d", "?image=label")
    with pytest.raises(OptionError, match="label='mask' holds Image; expected a ClassLabel"):
        read(tmp_path / "d", "?image=image&label=mask")


def test_an_image_comes_before_bytes_of_other_things(tmp_path: Path) -> None:
    import datasets

    more = {"sound": (datasets.Value("binary"), [b"x", b"y"])}
    image_set([0, 1], **more).to_parquet(str(tmp_path / "t.parquet"))
    assert bytes_of(load_dataset(tmp_path / "t.parquet").train) == [encoded(0), encoded(1)]  # type: ignore[union-attr]


def test_labels_of_minus_one_are_none_and_validation_serves_as_test(tmp_path: Path) -> None:
    sets = {
        "train": image_set([0, 1, 2]),
        "validation": image_set([2, 1], 10),
        "test": image_set([-1, -1, -1], 20),
        "extra": image_set([0], 30),
    }
    split = read(save_hub_layout(tmp_path / "r", sets))
    assert (len(split.train), split.val) == (3, ())
    assert bytes_of(split.test) == [encoded(10), encoded(11)]
    assert split.rule == (
        "its splits train, validation as test; test is left out: none of its 3 rows has a label; "
        "not used: extra"
    )
    folder = split.train[0].path.parents[3]
    assert len(list(folder.rglob("*.png"))) == 5  # those without a label are not written


def test_validation_is_val_where_there_is_a_test(tmp_path: Path) -> None:
    sets = {"train": image_set([0, 1]), "dev": image_set([2], 5), "test": image_set([1], 9)}
    split = read(save_disk(tmp_path / "d", sets))
    assert [len(split.train), len(split.val), len(split.test)] == [2, 1, 1]
    assert split.rule == "its splits train, dev as val, test"


def test_none_is_no_label_and_a_test_split_may_lack_the_column(tmp_path: Path) -> None:
    sets = {
        "train": image_set([0, 1]),
        "valid": image_set([None, None], 5),
        "test": image_set([0], 7).remove_columns("label"),
    }
    split = read(save_disk(tmp_path / "d", sets))
    assert [len(split.train), len(split.val), len(split.test)] == [2, 0, 0]
    assert split.rule == (
        "its splits train; valid is left out: none of its 2 rows has a label; "
        "test is left out: no column label"
    )


@pytest.mark.parametrize("bad", [-1, None])
@pytest.mark.parametrize("first", [True, False])
def test_some_labels_missing_is_an_error(bad: int | None, first: bool, tmp_path: Path) -> None:
    labels = [bad, 1] if first else [0, 1, bad]
    save_disk(tmp_path / "d", {"train": image_set(labels)})
    with pytest.raises(
        DataError, match=rf"d, train, row {1 if first else 2}: some rows have a label, and others none"
    ):
        read(tmp_path / "d")
    assert not list((tmp_path / "cache").rglob("*.png"))


def test_no_label_at_all_and_empty_parts(tmp_path: Path) -> None:
    save_disk(tmp_path / "bare", {"train": image_set([-1, -1]), "test": image_set([])})
    with pytest.raises(
        DataError, match=r"no image has a label: train \(none of its 2 rows has a label\), test \("
    ):
        read(tmp_path / "bare")
    save_disk(tmp_path / "half", {"train": image_set([0, 1]), "test": image_set([])})
    assert read(tmp_path / "half").rule == "its splits train; test is left out: empty"


def test_numbers_without_names(tmp_path: Path) -> None:
    import datasets

    whole = datasets.Value("int64")
    save_disk(tmp_path / "d", {"train": image_set([0, 1], kind=whole)})
    with pytest.raises(
        DataError, match=r"no label column; expected a ClassLabel.* \(numbers have no names; "
    ):
        read(tmp_path / "d")
    with pytest.raises(OptionError, match="label='label' holds int64; expected a ClassLabel, or text"):
        read(tmp_path / "d", "?label=label")


def test_no_image_column(tmp_path: Path) -> None:
    rows = image_set([0, 1]).remove_columns("image")
    rows.to_parquet(str(tmp_path / "x.parquet"))
    with pytest.raises(
        DataError, match=r"has no image column; expected an Image, .* it has label \(ClassLabel of"
    ):
        load_dataset(tmp_path / "x.parquet")


def test_splits_that_disagree(tmp_path: Path) -> None:
    import datasets

    sets = {"train": image_set([0, 1]), "test": image_set([0, 1], kind=("dog", "maple_tree", "oak_tree"))}
    save_disk(tmp_path / "names", sets)
    with pytest.raises(DataError, match="the split test has other classes or columns than the first one"):
        read(tmp_path / "names")
    sets["test"] = image_set(["dog"], kind=datasets.Value("string"))
    save_disk(tmp_path / "kinds", sets)
    with pytest.raises(DataError, match="the split test has other classes or columns than the first one"):
        read(tmp_path / "kinds")


def test_splits_of_unknown_names(tmp_path: Path) -> None:
    save_disk(tmp_path / "d", {"fold1": image_set([0, 1]), "fold2": image_set([0, 1])})
    with pytest.raises(
        DataError, match="has the splits fold1, fold2; expected train, and perhaps validation"
    ):
        read(tmp_path / "d")


def test_class_names_that_do_not_do(tmp_path: Path) -> None:
    save_disk(tmp_path / "d", {"train": image_set([0, 1], kind=("a_b", "A b"))})
    with pytest.raises(DataError, match="the class names 'a_b' and 'A b' differ only by"):
        read(tmp_path / "d")


def test_pixels_become_png(tmp_path: Path) -> None:
    import datasets

    draw = np.random.default_rng(0)
    kinds: dict[str, tuple[Any, np.ndarray]] = {
        "grey": (datasets.Array2D((4, 6), "uint8"), draw.integers(0, 256, (2, 4, 6), dtype=np.uint8)),
        "last": (datasets.Array3D((4, 6, 3), "int64"), draw.integers(0, 256, (2, 4, 6, 3))),
        "first": (datasets.Array3D((3, 4, 6), "uint8"), draw.integers(0, 256, (2, 3, 4, 6), dtype=np.uint8)),
        "float": (datasets.Array2D((4, 6), "float32"), draw.random((2, 4, 6), dtype=np.float32)),
    }
    for name, (kind, pixels) in kinds.items():
        features = datasets.Features({"pixels": kind, "label": datasets.ClassLabel(names=["a", "b"])})
        columns = {"pixels": list(pixels), "label": [0, 1]}
        path = tmp_path / f"{name}.parquet"
        datasets.Dataset.from_dict(columns, features=features).to_parquet(str(path))
        found = [np.asarray(PillowImage.open(item.path)) for item in load_dataset(path).train]  # type: ignore[union-attr]
        wanted = pixels.transpose(0, 2, 3, 1) if name == "first" else pixels
        if name == "float":
            wanted = np.rint(pixels.astype(np.float64) * 255)
        if wanted.ndim == 3:
            wanted = np.stack([wanted] * 3, -1)
        assert np.array_equal(np.stack(found), wanted), name
    features = datasets.Features(
        {"pixels": datasets.Array2D((2, 2), "int64"), "label": datasets.Value("string")}
    )
    columns = {"pixels": [[[0, 999], [0, 0]]], "label": ["a"]}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(str(tmp_path / "deep.parquet"))
    with pytest.raises(DataError, match=r"deep\.parquet, train, row 0: an array of int64 is no image"):
        load_dataset(tmp_path / "deep.parquet")


def test_a_table_of_other_makers(tmp_path: Path) -> None:
    """Parquet written without `datasets`: bytes or structures of bytes, text or categories as labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [encoded(i) for i in range(3)]
    labels = pa.array(["dog", "ant", "dog"])
    images: dict[str, Any] = {
        "plain": pa.array(files, pa.binary()),
        "struct": pa.array([{"bytes": file, "path": None} for file in files]),
    }
    for name, column in images.items():
        for kind in (labels, labels.dictionary_encode()):
            path = tmp_path / f"{name}-{kind.type.id}.parquet"
            pq.write_table(pa.table({"picture": column, "label": kind}), path)
            split = load_dataset(path)
            assert isinstance(split, Split)
            assert split.class_names == ("ant", "dog")
            assert [item.label for item in split.train] == [1, 0, 1]
            assert bytes_of(split.train) == files


def test_images_that_are_files_are_used_where_they_lie(tmp_path: Path) -> None:
    import datasets

    names = [tmp_path / "photos" / f"{i}.png" for i in range(2)]
    names[0].parent.mkdir()
    for i, path in enumerate(names):
        path.write_bytes(encoded(i))
    import pyarrow as pa
    import pyarrow.parquet as pq

    stored = pa.array([{"bytes": None, "path": str(path)} for path in names], datasets.Image().pa_type)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    table = pa.table({"image": stored, "label": [0, 1]}).cast(features.arrow_schema)
    pq.write_table(table, tmp_path / "t.parquet")
    split = load_dataset(tmp_path / "t.parquet")
    assert isinstance(split, Split) and [item.path for item in split.train] == names
    names[1].unlink()
    with pytest.raises(
        DataError, match=r"row 1: the image is not stored in the data set, and the file .*1\.png is"
    ):
        load_dataset(tmp_path / "t.parquet")


def test_a_folder_of_images_as_datasets_reads_it(tmp_path: Path) -> None:
    for part, count in (("train", 2), ("test", 1)):
        for name in ("maple_tree", "dog"):
            for i in range(count):
                path = tmp_path / "tree" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(i))
    theirs, ours = read(tmp_path / "tree"), load_dataset(tmp_path / "tree")
    assert isinstance(ours, Split)
    assert theirs.class_names == ours.class_names
    assert sorted(i.path for i in theirs.every_item) == sorted(i.path for i in ours.every_item)
    assert {(i.path, i.label) for i in theirs.train} == {(i.path, i.label) for i in ours.train}


def test_rows_without_an_image(tmp_path: Path) -> None:
    rows = image_set([0, 1])
    rows = rows.map(
        lambda row, i: {"image": None} if i else row, with_indices=True, load_from_cache_file=False
    )
    rows.cast_column("image", rows.features["image"]).to_parquet(str(tmp_path / "x.parquet"))
    with pytest.raises(DataError, match=r"x\.parquet, train, row 1: there is no image \(None\)"):
        load_dataset(tmp_path / "x.parquet")


@pytest.mark.parametrize("save", [*SAVE, "file"])
def test_damaged_files_are_told(save: str, tmp_path: Path) -> None:
    rows = image_set([0, 1, 2] * 40)
    if save == "file":
        source = tmp_path / "t.parquet"
        rows.to_parquet(str(source))
    else:
        source = SAVE[save](tmp_path / "d", {"train": rows})
    file = max((p for p in [source, *source.rglob("*")] if p.is_file()), key=lambda p: p.stat().st_size)
    content = file.read_bytes()
    for damaged in (b"", b"nothing", content[: len(content) // 2], content[:-4] + b"xxxx"):
        file.write_bytes(damaged)
        if save == "disk" and damaged[:2] == content[:2] and len(damaged) == len(content):
            continue  # the last bytes of a stream of Arrow say nothing
        with pytest.raises(DataError) as caught:
            read(source)
        assert str(source) in str(caught.value)
        assert not list((tmp_path / "cache" / "datasets").glob("*/index.json"))


def test_folders_that_are_none_of_these(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match="this folder is empty; expected what `datasets` saves: a folder of save_to"
    ):
        read(tmp_path / "empty")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.docx").touch()
    with pytest.raises(DataError, match=r"other: cannot be read \(.*; expected what `datasets` saves"):
        read(tmp_path / "other")
    (tmp_path / "a[1]").mkdir()
    save_hub_layout(tmp_path / "a[1]" / "b", {"train": image_set([0, 1])})
    with pytest.raises(DataError, match=r"datasets takes \*, \?, \[ and \] in paths for patterns; rename"):
        read(tmp_path / "a[1]/b")
    (tmp_path / "x.txt").touch()
    with pytest.raises(DataError, match=r"x\.txt: is no \.parquet or \.arrow file"):
        read(tmp_path / "x.txt")
    (tmp_path / "script").mkdir()
    (tmp_path / "script/script.py").write_text("raise SystemExit('run')")
    with pytest.raises(DataError, match="a data set that is a program is never run"):
        read(tmp_path / "script")


def test_without_the_prefix_the_error_says_how(tmp_path: Path) -> None:
    for name, save in SAVE.items():
        folder = save(tmp_path / name.replace(" ", "-"), {"train": image_set([0, 1])})
        with pytest.raises(DataError) as caught:
            load_dataset(folder)
        assert str(caught.value).endswith(f"for what Hugging Face datasets has saved here, give hf:{folder}")


def test_a_configuration_of_a_local_clone(tmp_path: Path) -> None:
    folder = save_hub_layout(tmp_path / "r", {"train": image_set([0, 1])})
    (folder / "small").mkdir()
    image_set([2, 1], 40).to_parquet(str(folder / "small/train.parquet"))
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: full\n  data_files: data/*.parquet\n"
        "- config_name: small\n  data_files: small/*.parquet\n---\n"
    )
    assert bytes_of(read(folder, ":small").train) == [encoded(40), encoded(41)]
    assert read(folder, ":full").name == "r:full"
    with pytest.raises(DataError, match=r"full.*small.*choose a configuration: hf:.*:CONFIG"):
        read(folder)
    with pytest.raises(DataError, match="other"):
        read(folder, ":other")


def test_unpacked_once_and_anew_when_the_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.data.hugging_face import reader as hugging_face

    path = tmp_path / "t.parquet"
    image_set([0, 1]).to_parquet(str(path))
    first = load_dataset(path)
    assert isinstance(first, Split)
    opened: list[object] = []
    original = hugging_face.open_local
    monkeypatch.setattr(hugging_face, "open_local", lambda source: opened.append(source) or original(source))
    monkeypatch.chdir(tmp_path)
    assert load_dataset("hf:t.parquet") == first and not opened
    times = path.stat()
    image_set([1, 0]).to_parquet(str(path))
    assert path.stat().st_size == times.st_size  # so only the time tells
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    second = load_dataset(path)
    assert isinstance(second, Split)
    assert [item.label for item in second.train] == [1, 0] and len(opened) == 1
    assert [item.label for item in first.train] == [0, 1] and bytes_of(first.train) == bytes_of(second.train)
    second.train[0].path.unlink()
    assert load_dataset(path) == second and len(opened) == 2
    second.train[0].path.write_bytes(b"shorter")
    assert bytes_of(load_dataset(path).train) == [encoded(0), encoded(1)]  # type: ignore[union-attr]


def test_many_images_are_spread_over_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.data.hugging_face import reader as hugging_face

    monkeypatch.setattr(hugging_face, "PER_FOLDER", 2)
    image_set([0, 1, 2, 0, 1]).to_parquet(str(tmp_path / "t.parquet"))
    items = load_dataset(tmp_path / "t.parquet").train  # type: ignore[union-attr]
    assert [str(Path(*item.path.parts[-2:])) for item in items] == [
        *("000/0000000.png", "000/0000001.png", "001/0000002.png", "001/0000003.png", "002/0000004.png"),
    ]


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from promptlet.errors import MissingExtraError

    path = tmp_path / "t.parquet"
    image_set([0, 1]).to_parquet(str(path))
    known = tmp_path / "known.parquet"
    image_set([0, 1]).to_parquet(str(known))
    before = load_dataset(known)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[huggingface\]'"):
        load_dataset(path)
    assert load_dataset(known) == before  # what is unpacked needs it no more


def test_nothing_is_printed_and_settings_are_put_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import datasets
    import huggingface_hub.utils as hub

    folder = save_hub_layout(tmp_path / "r", {"train": image_set([0, 1] * 100)})
    datasets.enable_progress_bars()
    levels = (datasets.logging.get_verbosity(), hub.logging.get_verbosity())
    try:
        capfd.readouterr()
        read(folder)
        for path in (folder / "data").iterdir():
            path.rename(folder / "data" / "train.png")
        with pytest.raises(DataError):
            read(folder)
        assert capfd.readouterr() == ("", "")
        assert not datasets.are_progress_bars_disabled() and not hub.are_progress_bars_disabled()
        assert (datasets.logging.get_verbosity(), hub.logging.get_verbosity()) == levels
    finally:
        datasets.disable_progress_bars()


def test_toys_differ() -> None:
    assert len({encoded(i) for i in range(60)}) == 60 and len(NAMES) == 3 and hf_toys.FORMATS == FORMATS
