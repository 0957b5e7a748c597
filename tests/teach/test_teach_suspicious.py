"""What a check finds, as the page shows it: ids of images, names as they were dropped, a repair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlet.own_images.checking import result as kinds
from promptlet.own_images.checking.result import KINDS, Finding, Findings, Photo
from promptlet.teach.learning.results.suspicious import NAMES, suspicious


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Photo]:
    """Three of cat, two of dog; their files are called by ids."""
    made = {}
    for number, (name, of) in enumerate(
        [("a", "cat"), ("b", "cat"), ("c", "cat"), ("d", "dog"), ("e", "dog")]
    ):
        path = tmp_path / of / f"{number:016x}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        made[name] = Photo(path, f"{of}/{path.name}", "train", of)
    return made


def told(photos: dict[str, Photo], *found: Finding) -> list[dict[str, Any]]:
    images = {one.source: (one.source.stem, f"{name}.jpg") for name, one in photos.items()}
    return suspicious(Findings(tuple(photos.values()), ("cat", "dog"), found), images)


def ids(photos: dict[str, Photo], names: str) -> list[str]:
    return [photos[name].source.stem for name in names]


def test_a_doubtful_label_is_moved(photos: dict[str, Photo]) -> None:
    a = photos["a"]
    text = f"{a.name}: labelled cat (3 %), the other images say dog (90 %)"
    [found] = told(photos, Finding(kinds.DOUBTFUL, text, (a,), ("cat", "dog"), said="dog", score=0.03))
    assert found == {
        "kind": "doubtful-label",
        "images": ids(photos, "a"),
        "class": "cat",
        "suggested": "dog",
        "words": "a.jpg: labelled cat (3 %), the other images say dog (90 %)",
        "repair": {"action": "move-images", "images": ids(photos, "a"), "to": "dog"},
    }


@pytest.mark.parametrize(("how", "kind"), [(kinds.BYTES, "duplicate"), (kinds.NEARLY, "near-duplicate")])
def test_of_copies_the_first_stays(photos: dict[str, Photo], how: str, kind: str) -> None:
    some = tuple(photos[name] for name in "abc")
    [found] = told(photos, Finding(kinds.COPIES, how, some, ("cat",), how))
    assert found["kind"] == kind
    assert found["repair"] == {"action": "remove-images", "images": ids(photos, "bc")}


def test_a_photo_in_two_classes_stays_where_the_others_see_it(photos: dict[str, Photo]) -> None:
    both = Finding(kinds.TWO_CLASSES, "the same", (photos["a"], photos["d"]), ("cat", "dog"), kinds.BYTES)
    assert told(photos, both)[0]["repair"] is None
    doubt = Finding(kinds.DOUBTFUL, "", (photos["d"],), ("dog", "cat"), said="cat", score=0.01)
    by_kind = {one["kind"]: one for one in told(photos, both, doubt)}
    assert by_kind["two-classes"]["repair"] == {"action": "remove-images", "images": ids(photos, "d")}


def test_what_teaches_nothing_is_removed_and_what_a_person_decides_is_left(photos: dict[str, Photo]) -> None:
    e = (photos["e"],)
    found = told(
        photos,
        Finding(kinds.UNREADABLE, "", e),
        Finding(kinds.TINY, "", e),
        Finding(kinds.UNIFORM, "", e),
        Finding(kinds.ASPECT, "", e),
        Finding(kinds.UNKNOWN_NAME, "dog: ...", (), ("dog",)),
        Finding(kinds.ALIKE_NAME, "", (), ("cat", "dog")),
        Finding(kinds.IMBALANCE, "give more of the small classes, or --shots to fit", (), ("cat", "dog")),
    )
    remove = {"action": "remove-images", "images": ids(photos, "e")}
    repairs = {one["kind"]: one["repair"] for one in found}
    assert repairs == {
        "unreadable": remove,
        "tiny": remove,
        "uniform": remove,
        "aspect": None,
        "unknown-name": None,
        "alike-name": {"action": "merge-classes", "names": ["cat", "dog"], "to": "cat"},
        "imbalance": None,
    }
    assert found[0]["class"] == "dog" and "--" not in found[-1]["words"]


def test_images_that_went_away_are_passed_over(photos: dict[str, Photo]) -> None:
    photos["a"].source.unlink()
    some = (photos["a"], photos["b"])
    assert told(photos, Finding(kinds.COPIES, "", some, ("cat",), kinds.BYTES)) == []


def test_every_kind_has_a_name_but_what_the_advice_says() -> None:
    assert set(KINDS) - set(NAMES) == {kinds.FEW, kinds.LEAK}
