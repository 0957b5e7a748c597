"""Names of classes, which must be folders everywhere and what `fit` reads back; ids of projects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlet.data.items import clean_class_name
from promptlet.data.readers.folder import read_folder
from promptlet.errors import OptionError
from promptlet.teach.projects import names

GOOD = (
    "beagle",
    "Golden Retriever",
    "Mädchenauge",
    "犬",
    "कुत्ता",
    "نمی‌خواهم",
    "👩‍🚀",
    "C# & C++",
    "50 % (half)",
    "train",
    "test",
    "a.b",
    "it's",
    "-5",
    "~",
    "x" * 100,
)
BAD = {
    "": "empty",
    "   ": "empty",
    "_": "empty",
    "a/b": "cannot hold",
    "..": "begins with a dot",
    ".": "begins with a dot",
    ".hidden": "begins with a dot",
    "../../etc/passwd": "cannot hold",
    "a\\b": "cannot hold",
    "C:evil": "cannot hold",
    "what?": "cannot hold",
    "<script>": "cannot hold",
    "a|b": "cannot hold",
    "star*": "cannot hold",
    'say "hi"': "cannot hold",
    "cat.": "ends with a dot",
    "con": "Windows",
    "NUL": "Windows",
    "com1.txt": "Windows",
    "LPT¹": "Windows",
    "aux .png": "Windows",
    "Thumbs.db": "systems",
    "__MACOSX": "MACOSX",
    "lost+found": "systems",
    "a\x00b": "invisible",
    "a\x1b[31mb": "invisible",
    "\u202egpj.exe": "invisible",
    "zero\u200bwidth": "invisible",
    "half\ud800": "invisible",
    "x" * 101: "characters",
    "\U0001f469" * 64: "bytes",
}


@pytest.mark.parametrize("name", GOOD)
def test_names_that_fit_reads_back_equal(name: str, tmp_path: Path) -> None:
    kept = names.class_name(name)
    for folder in (kept, "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(b"")
    assert kept == name and set(read_folder(tmp_path).class_names) == {name, "other"}


@pytest.mark.parametrize("name", [name for name in BAD if name != "__MACOSX"])
def test_names_that_are_refused_in_words(name: str) -> None:
    with pytest.raises(OptionError, match=re.escape(BAD[name])) as error:
        names.class_name(name)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("given", [None, 5, ["a"], {"name": "a"}, True])
def test_what_is_no_text_is_no_name(given: object) -> None:
    with pytest.raises(OptionError, match="give a text"):
        names.class_name(given)


def test_names_are_cleaned_as_fit_does() -> None:
    assert names.class_name(" golden_retriever\t") == "golden retriever"
    assert names.class_name("Cafe\u0301") == "Caf\xe9"


@given(st.text(max_size=40))
def test_whatever_is_taken_is_a_single_plain_folder(text: str) -> None:
    try:
        name = names.class_name(text)
    except OptionError:
        return
    assert name == clean_class_name(name) == clean_class_name(text)
    assert name not in ("", ".", "..") and not set(name) & set('/\\:*?"<>|\0\n\r')
    assert Path("root", name).parts == ("root", name)


@pytest.mark.parametrize(
    ("first", "second"),
    [("Cat", "cat"), ("a b", "a_b"), ("STRASSE", "straße"), ("é", "e\u0301"), ("x", " x ")],
)
def test_names_that_fit_or_a_disk_would_take_for_one(first: str, second: str) -> None:
    assert names.key_of(first) == names.key_of(second)


@pytest.mark.parametrize(
    ("title", "project"),
    [
        ("Birds of our garden", "birds-of-our-garden"),
        ("Vögel & Käfer!", "vogel-kafer"),
        ("犬", "project"),
        ("../../x", "x"),
        ("con", "con-project"),
        ("pets.prompt", "pets-prompt"),
        ("x" * 90, "x" * 60),
    ],
)
def test_ids_are_made_of_titles(title: str, project: str) -> None:
    assert names.id_of(title, ()) == project and names.is_id(project)


def test_ids_are_never_taken_twice_whatever_their_case() -> None:
    assert names.id_of("Pets", ("pets", "PETS-2")) == "pets-3"


@pytest.mark.parametrize(
    "name", ["", ".removed", "..", "a/b", "a\\b", "a b", "x.prompt", "x.", "é", "x" * 101]
)
def test_what_is_no_id(name: str) -> None:
    assert not names.is_id(name)


@pytest.mark.parametrize("title", [None, "", "  ", "x" * 101, "a\x00b", "\u202e"])
def test_titles_that_are_refused(title: object) -> None:
    with pytest.raises(OptionError):
        names.title(title)
