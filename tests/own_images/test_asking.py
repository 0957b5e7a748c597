"""Many images at once: the bad ones are found with few calls, and what is of no image is raised."""

from __future__ import annotations

import pytest

from promptlet.errors import BackboneError, ImageError, OptionError
from promptlet.own_images.asking import ask


def looking(bad: dict[int, Exception], calls: list[list[int]]) -> object:
    def look(some: list[int]) -> list[int]:
        calls.append(some)
        for one in some:
            if one in bad:
                raise bad[one]
        return [10 * one for one in some]

    return look


def test_the_others_are_answered_by_their_places_with_few_calls() -> None:
    calls: list[list[int]] = []
    bad = {37: ImageError("no image"), 90: TypeError("x")}
    found, wrong = ask(looking(bad, calls), range(128))  # type: ignore[arg-type]
    assert found == {place: 10 * place for place in range(128) if place not in bad}
    assert wrong[37] == "no image" and wrong[90].startswith("TypeError: x")
    assert len(calls) < 32
    assert ask(looking({}, calls), []) == ({}, {})  # type: ignore[arg-type]


def test_what_is_of_no_image_is_raised() -> None:
    same, other = BackboneError("no numbers"), BackboneError("another reason")
    with pytest.raises(BackboneError, match="no numbers"):
        ask(looking({0: same, 1: same}, []), range(2))  # type: ignore[arg-type]
    assert set(ask(looking({0: same, 1: other}, []), range(2))[1]) == {0, 1}  # type: ignore[arg-type]
    assert set(ask(looking({0: same}, []), range(2))[1]) == {0}  # type: ignore[arg-type]
    with pytest.raises(OptionError):
        ask(looking({1: OptionError("no such rule")}, []), range(4))  # type: ignore[arg-type]
