from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptlet.data import read_table
from promptlet.errors import DataError

Make = Callable[..., Path]


def table(root: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    (root / name).write_text(text, encoding=encoding)
    return root / name


def test_without_header(make_images: Make) -> None:
    root = make_images("r", "a/1.jpg", "a/2.jpg")
    split = read_table(table(root, "a/1.jpg,wild_cat\r\n\r\na/2.jpg,ant\r\n"))
    assert (split.name, split.class_names) == ("t", ("ant", "wild cat"))
    assert [(item.path, item.label) for item in split.train] == [(root / "a/1.jpg", 1), (root / "a/2.jpg", 0)]


def test_header_byte_order_mark_quotes_and_semicolons(make_images: Make) -> None:
    root = make_images("r", "1,2.jpg", "3.jpg")
    text = 'id;Label;path;split\n1;"tools; sharp";"1,2.jpg";train\n2; ant ;3.jpg;Test\n'
    split = read_table(table(root, text, encoding="utf-8-sig"))
    assert split.class_names == ("ant", "tools; sharp")
    assert [item.path.name for item in split.train] == ["1,2.jpg"]
    assert [item.class_name for item in split.test] == ["ant"]


def test_tabs_and_absolute_paths(make_images: Make, tmp_path: Path) -> None:
    root = make_images("r", "a, b.jpg", "c.jpg")
    other = tmp_path / "tables"
    other.mkdir()
    split = read_table(table(other, f"{root / 'a, b.jpg'}\tx\tval\n{root / 'c.jpg'}\ty\ttrain\n", "t.tsv"))
    assert [item.path for item in split.val] == [root / "a, b.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg,a\n9.jpg,b\n", "t.csv, line 2: there is no image file"),
        ("1.jpg,a\n2.jpg\n", "t.csv, line 2: has 1 columns, 2 are needed"),
        ("1.jpg,a\n2.jpg,\n", "t.csv, line 2: label is empty"),
        (
            "1.jpg,a,train\n2.jpg,b,tset\n",
            "split 'tset' is not known; allowed: train, val, test. Did you mean 'test'?",
        ),
        ("path,label\n1.jpg,a\n\n1.jpg,b\n", "t.csv, line 4: 1.jpg was already in line 2"),
        (
            "path,breed\n1.jpg,a\n",
            "no column of 'path', 'breed' is called as the label of an image is; call one",
        ),
        ("who,class\n1.jpg,a\n", "is called as the path of an image is; call one 'path', or 'filename'"),
        (
            "filename,image_path,class\n1.jpg,1.jpg,a\n",
            "line 1: the columns 'filename' and 'image_path' are all called as the path of an image is; call",
        ),
        (
            "file,target,Category\n1.jpg,a,b\n",
            "the columns 'target' and 'Category' are all called as the label",
        ),
        (
            "file,label,class_name\n1.jpg,0,a\n",
            "line 2: the column 'label' holds numbers and 'class_name' words; class names are read as words",
        ),
        ("1.jpg,a\n8.jpg,a\n9.jpg,b\n", "line 2: there is no image file"),
        ("1.jpg,a\n8.jpg,a\n9.jpg,b\n", "(1 more like it: line 3)"),
        ("path,label,label\n", "the column 'label' is there twice"),
        ("1.jpg\n", "line 1: has 1 columns; expected the columns path,label"),
        ("path,label\n", "the table has no images"),
        ("", "the table has no images"),
        ('1.jpg,"a\n', "not a well-formed table"),
        ("1.jpg,a\n2.jpg,a\n", "there is only one class, 'a'"),
        ("1.jpg,a b\n2.jpg,A_b\n", "'A_b' and 'a b' differ only by"),
    ],
)
def test_errors_name_the_line(make_images: Make, text: str, message: str) -> None:
    root = make_images("r", "1.jpg", "2.jpg")
    with pytest.raises(DataError) as caught:
        read_table(table(root, text))
    assert message in str(caught.value)


def test_unreadable_tables(make_images: Make) -> None:
    root = make_images("r", "1.jpg")
    with pytest.raises(DataError, match="not in UTF-8"):
        read_table(table(root, "1.jpg,caf\u00e9\n", encoding="latin-1"))
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read"):
        read_table(root / "gone.csv")


@pytest.mark.parametrize("mark", [",", ";"])
def test_paths_with_backslashes(make_images: Make, mark: str) -> None:
    root = make_images("r", "cats/old/1.jpg", "dogs/1.jpg", "odd\\name.jpg")
    rows = [("cats\\old\\1.jpg", "cat"), (".\\dogs\\1.jpg", "dog"), ("odd\\name.jpg", "cat")]
    (root / "t.csv").write_text("".join(f"{path}{mark}{label}\n" for path, label in rows))
    split = read_table(root / "t.csv")
    assert [(item.path.relative_to(root).as_posix(), item.class_name) for item in split.train] == [
        ("cats/old/1.jpg", "cat"),
        ("dogs/1.jpg", "dog"),
        ("odd\\name.jpg", "cat"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "cats\\9.jpg,cat",
            "line 2: there is no image file {root}/cats/9.jpg; its backslashes were read as Windows' "
            "slashes, and paths start at the table's folder, {root}",
        ),
        (
            "C:\\me\\1.jpg,cat",
            "this is a path on another (Windows) machine; make it relative: its",
        ),
        ("a\0b.jpg,cat", "line 2: the path 'a\\x00b.jpg' holds a NUL character"),
        ("1.jpg,c\0t", "line 2: the label 'c\\x00t' holds a NUL character"),
    ],
)
def test_paths_of_other_machines(make_images: Make, row: str, message: str) -> None:
    root = make_images("r", "0.jpg", "1.jpg")
    (root / "t.csv").write_text(f"0.jpg,dog\n{row}\n")
    with pytest.raises(DataError) as caught:
        read_table(root / "t.csv")
    assert message.replace("{root}", str(root)) in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        "filename,class",
        "File,Class_Name",
        "IMAGE,category",
        "image_path,target",
        "filepaths,labels",
        "File Name,className",
        "image_id,Label",
    ],
)
def test_columns_by_any_of_their_names(make_images: Make, header: str) -> None:
    root = make_images("r", "1.jpg", "2.jpg")
    split = read_table(table(root, f"breed,{header}\nx,1.jpg,ant\ny,2.jpg,bee\n"))
    assert [(item.path.name, item.class_name) for item in split.train] == [("1.jpg", "ant"), ("2.jpg", "bee")]


def test_the_plain_names_come_before_others(make_images: Make) -> None:
    root = make_images("r", "1.jpg", "2.jpg")
    rows = "x,9,1.jpg,ant,test,train,1\ny,8,2.jpg,bee,test,train,2\n"
    text = f"filename,class,path,label,set,split,meta.size\n{rows}"
    split = read_table(table(root, text))
    assert [item.class_name for item in split.train] == ["ant", "bee"]


@pytest.mark.parametrize("column", ["split", "Set", "subset", "data set"])
def test_parts_in_a_table_by_any_of_their_names(make_images: Make, column: str) -> None:
    words = ("train", "Training", "valid", "VALIDATION", "val", "test", "testing")
    root = make_images("r", *(f"{i}.jpg" for i in range(7)))
    rows = "".join(f"{i}.jpg,{'ab'[i % 2]},{word}\n" for i, word in enumerate(words))
    split = read_table(table(root, f"path,label,{column}\n{rows}"))
    assert [len(part) for part in (split.train, split.val, split.test)] == [2, 3, 2]


def test_a_column_that_may_hold_parts_and_does_not_is_passed_over(make_images: Make) -> None:
    root = make_images("r", "1.jpg", "2.jpg")
    split = read_table(table(root, "path,label,part\n1.jpg,ant,leg\n2.jpg,bee,test\n"))
    assert (len(split.train), split.rule) == (2, "every image is a training image")


def test_without_a_header_a_class_may_have_the_name_of_a_column(make_images: Make) -> None:
    root = make_images("r", "1.jpg", "2.jpg")
    split = read_table(table(root, "1.jpg,target\n2.jpg,label\n"))
    assert split.class_names == ("label", "target")


def test_accents_in_two_forms_are_one_name(make_images: Make) -> None:
    composed, parted = "caf\u00e9", "cafe\u0301"
    root = make_images("r", f"{parted}/{parted}.jpg", f"{composed}.jpg", "x.jpg")
    rows = f"{composed}\\{composed}.jpg,{composed}\n{composed}.jpg,{parted}\nx.jpg,x\n"
    split = read_table(table(root, rows))
    assert split.class_names == (composed, "x")
    assert [item.path.relative_to(root).as_posix() for item in split.train] == [
        f"{parted}/{parted}.jpg",
        f"{composed}.jpg",
        "x.jpg",
    ]


@pytest.mark.parametrize("given", ["1.jpg", "1", "../elsewhere/1.jpg"])
def test_an_image_in_a_folder_beside_the_table_is_pointed_at(make_images: Make, given: str) -> None:
    root = make_images("r", "train_images/1.jpg")
    with pytest.raises(DataError, match=r"Did you mean train_images/1\.jpg\?"):
        read_table(table(root, f"image_id,label\n{given},a\n"))


def test_images_that_are_not_there_are_kept_when_asked(make_images: Make) -> None:
    root = make_images("r", "1.jpg")
    split = read_table(table(root, "1.jpg,a\n2.jpg,b\n"), check_files=False)
    assert [item.path for item in split.train] == [root / "1.jpg", root / "2.jpg"]
