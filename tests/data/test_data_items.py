from __future__ import annotations

from pathlib import Path

import pytest

from promptlet.data import Item, Split, check_class_names, clean_class_name
from promptlet.errors import DataError


def test_cleaning() -> None:
    assert clean_class_name(" golden__retriever \t dog_") == "golden retriever dog"
    assert clean_class_name("cafe\u0301") == "caf\u00e9"  # as macOS writes it, as everyone else does


def test_names_are_cleaned_in_order() -> None:
    assert check_class_names(["wild_cat", "ant"]) == ("wild cat", "ant")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "here: the class name 'a' is there twice; rename"),
        (["Wild_cat", "b", "wild  cat"], "'Wild_cat' and 'wild  cat' differ only by '_', case or spaces"),
        (["a", " _ "], "the class name ' _ ' is empty; give every class a name"),
        (["cat"], "there is only one class, 'cat'; a classifier tells at least 2 apart"),
        ([], "there is no class; a classifier tells at least 2 apart"),
    ],
)
def test_bad_names_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        check_class_names(names, "here")
    assert message in str(caught.value)


@pytest.mark.parametrize("item", [Item(Path("x.jpg"), 2, "a"), Item(Path("x.jpg"), 1, "a")])
def test_a_split_whose_labels_disagree_is_refused(item: Item) -> None:
    with pytest.raises(DataError, match=r"x\.jpg has label [12] and class name 'a', but class_names has"):
        Split("s", ("a", "b"), (), (), (item,))
