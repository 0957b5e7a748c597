"""Words for readings of images: numbers, and crops alone."""

from __future__ import annotations

from typing import Any

import pytest

from promptlet.errors import OptionError
from promptlet.views import (
    are_in_turn,
    check_views,
    count_of,
    in_words,
    kind_of,
    least_share,
    numbers_of,
    numbers_of_all,
    settled,
)


@pytest.mark.parametrize(
    ("views", "numbers", "words"),
    [
        (1, [0], "1 plain reading"),
        (3, [0, 1, 2], "3 views"),
        ("crops:1", [1], "1 crop"),
        ("crops:3", [1, 2, 3], "3 crops"),
        ("large-crops:2", [1_000_001, 1_000_002], "2 large crops"),
    ],
)
def test_which_readings_are_meant(views: Any, numbers: list[int], words: str) -> None:
    assert check_views("views", views) == views
    assert list(numbers_of(views)) == numbers and count_of(views) == len(numbers)
    assert are_in_turn(views) == isinstance(views, str) == (kind_of(views) is not None)
    assert in_words(views) == words


def test_a_word_without_a_number_is_given_one() -> None:
    assert settled("crops", None) == "crops:16" == settled("crops:16", 5)
    assert settled("large-crops", 20) == "large-crops:20" and settled(4, 20) == 4
    assert len(numbers_of("crops")) == 16


def test_kinds_of_crops_never_meet() -> None:
    assert numbers_of("crops:10000")[-1] < numbers_of("large-crops:1")[0]
    assert (least_share(1), least_share(10_000)) == (0.08, 0.08)
    assert (least_share(1_000_001), least_share(1_010_000)) == (0.5, 0.5)
    assert numbers_of_all([1, "crops:2", 2, "large-crops:1"]) == (0, 1, 2, 1_000_001)


@pytest.mark.parametrize(
    "views",
    [0, -1, 10_001, 1.5, True, "3", "", "crop:3", "crops:", "crops:0", "crops:-1", "crops:10001", "crops:3x",
     "crops: 3", "crops:\uff13", "crops:" + "9" * 5000, "large crops:3"],
)  # fmt: skip
def test_others_are_refused_in_words(views: Any) -> None:
    with pytest.raises(OptionError, match=r"^here="):
        check_views("here", views)


def test_what_is_told_helps() -> None:
    with pytest.raises(OptionError, match=r"here='crop:3' is not allowed.*crops or large-crops.*crops:16"):
        check_views("here", "crop:3")
    with pytest.raises(OptionError, match=r"here='crops:0' is not allowed; give 1 to 10,000 crops$"):
        check_views("here", "crops:0")
    with pytest.raises(OptionError, match=r"here='large-crops:10001'.* 10,000 large-crops$"):
        check_views("here", "large-crops:10001")
    assert check_views("here", None) is None
