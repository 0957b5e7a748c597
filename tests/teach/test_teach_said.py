"""What the server says has keys, and the page has words for each of them in both languages."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from colours import QUICK, ended
from dropped import photo

from promptlet.errors import ImageError, OptionError
from promptlet.teach.http import files
from promptlet.teach.learning.learning import Learning
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.learning.results.notes import REASONS, of_check
from promptlet.teach.projects import names
from promptlet.teach.projects.checking import checked
from promptlet.teach.projects.project import Project

SOURCE = files.FOLDER.parents[1]
PLACES = ("data/images", "teach/projects", "teach/learning", "teach/learning/results", "serve/bank")


def words(language: str) -> dict[str, str]:
    text = (files.FOLDER / "app/words" / language / "said.js").read_text(encoding="utf-8")
    return dict(re.findall(r'"said\.([a-z-]+)": (.*?),?\n', text))


def given() -> set[str]:
    """Keys that the code gives, wherever errors and notes have some."""
    code = [path.read_text(encoding="utf-8") for place in PLACES for path in (SOURCE / place).glob("*.py")]
    keyed = re.findall(r'\.keyed\(\s*"([a-z-]+)"', "\n".join(code))
    noted = re.findall(r'\bnote\([^\n]*?, "([a-z-]+)"[,)]', "\n".join(code))
    wrong = re.findall(r'_Wrong\([^\n]*?, "(name-[a-z]+)"', "\n".join(code))
    return {*keyed, *noted, *wrong, *REASONS.values()}


def test_every_key_has_words_in_both_languages() -> None:
    found = given()
    assert len(found) >= 30 and {"one-class", "image-heic", "hardly-better", "name-sign"} <= found
    for language in ("en", "de"):
        assert found - set(words(language)) == set(), language
    assert set(words("en")) == set(words("de"))
    assert set(words("en")) - found <= {
        "disk",
        "no-memory",
        "unexpected",
        "not-kept",
        "image-empty",
        "name-long",
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("", "name-empty"),
        ("x" * 101, "name-long"),
        ("é" * 100 + "\u200d" * 60, "name-long"),
        ("a/b", "name-sign"),
        (".git", "name-dot"),
        ("end.", "name-dot"),
        ("con", "name-kept"),
        ("a\u202eb", "name-invisible"),
    ],
)
def test_names_that_cannot_be_have_keys(name: str, key: str) -> None:
    with pytest.raises(OptionError) as refused:
        names.class_name(name)
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "image-empty"),
        (b"<svg onload='x'/>", "image-drawing"),
        (b"no image at all", "image-unknown"),
        (photo(1)[: len(photo(1)) // 2], "image-damaged"),
    ],
)
def test_files_that_are_no_photos_have_keys(data: bytes, key: str) -> None:
    with pytest.raises(ImageError) as refused:
        checked(data, "file")
    assert refused.value.key == key


def test_a_training_that_cannot_begin_has_a_key(learning: Learning, colours: Project) -> None:
    for name, key in (("red", ""), ("green", "one-class"), ("blue", "no-class")):
        colours.change({"action": "delete-class", "name": name})
        if key:
            with pytest.raises(NotNowError) as refused:
                learning.train("colours", QUICK)
            assert refused.value.key == key
            assert dict(refused.value.values) == ({"class": "blue"} if key == "one-class" else {})


def test_a_training_that_fails_tells_its_key(learning: Learning, colours: Project) -> None:
    for one in colours.seen().classes:
        for image in one.images:
            colours.seen().path(image).write_bytes(b"broken")
    job = ended(learning.train("colours", QUICK), "failed")
    facts: dict[str, Any] = job.facts()
    assert (facts["error_key"], facts["error_values"]) == ("unreadable-classes", {})
    assert "fewer than two classes" in facts["error"]


def test_notes_have_keys(learning: Learning, colours: Project) -> None:
    one, *rest = colours.seen().classes[0].images
    assert one
    colours.change({"action": "remove-images", "images": rest})
    ended(learning.train("colours", QUICK))
    result = learning.result("colours")
    assert result is not None
    told = {note["key"]: note["values"] for note in result["notes"]}
    assert told["not-estimated"] == {"classes": ["blue"]} and told["only-ones"] == {"count": 1}
    assert of_check("something else")["key"] == ""


def test_why_nothing_can_be_said_has_a_key(learning: Learning, colours: Project) -> None:
    for one in colours.seen().classes:
        colours.change({"action": "remove-images", "images": list(one.images[1:])})
    ended(learning.train("colours", QUICK))
    result = learning.result("colours")
    assert result is not None
    assert result["accuracy"]["percent"] is None
    assert result["accuracy"]["reason_key"] == "no-second-photo"
    assert Path(colours.root).is_dir()


def test_keys_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ImageError("a: broken", ["b"]).keyed("image-large", width=3)))
    assert (error.key, error.values, error.lines) == ("image-large", {"width": 3}, ("a: broken", "b"))
