from __future__ import annotations

import pytest

from promptlet.data.items import SPLIT_NAMES
from promptlet.data.words import PARTS, find_columns, part_of, role_of
from promptlet.errors import DataError


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        ("TRAINING", "train"),
        ("training_set", "train"),
        ("Train Images", "train"),
        ("trainset", "train"),
        ("valid", "val"),
        ("Validation", "val"),
        ("val", "val"),
        ("Testing", "test"),
        ("test-data", "test"),
        ("dataset", None),
        ("images", None),
        ("train_1", None),
        ("trains", None),
        ("test tube", None),
        ("", None),
    ],
)
def test_words_for_parts(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_every_part_has_its_own_words() -> None:
    assert tuple(PARTS) == SPLIT_NAMES
    words = [word for names in PARTS.values() for word in names]
    assert len(set(words)) == len(words)
    assert all(part_of(word) == part for part, names in PARTS.items() for word in names)


def test_columns_of_a_table() -> None:
    found = find_columns(["id", "Image File", "Class_Name", "subset"], "t")
    assert (found.path, found.label, found.split, found.is_split_sure) == (1, 2, 3, False)
    assert find_columns(["id", "label"], "t").path == 0
    assert role_of("breed") is None and role_of("imagePath") == "path"
    with pytest.raises(DataError, match="t: the column 'label' is there twice"):
        find_columns(["path", "label", "label"], "t")
