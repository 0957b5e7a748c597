"""What is looked for, as plain data: words, classes of prompts, images; and what is not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptlet.errors import OptionError, listed, shown
from promptlet.methods.templates import TEMPLATE, check_template

ARTICLES = ("a", "an", "the")


@dataclass(frozen=True)
class ClassOf:
    """A class of a prompt file, taught or not. called: what people call the file, its own name for ""."""

    file: str
    class_name: str
    called: str = ""

    @classmethod
    def parse(cls, text: str) -> ClassOf:
        """``pets.prompt:beagle``. A path may hold colons: what names a file is the file.

        Raises OptionError."""
        ends = [place for place, sign in enumerate(text) if sign == ":"]
        ways = [(text[:end], text[end + 1 :].strip()) for end in ends]
        named = [(file, name) for file, name in ways if file and name]
        for file, name in named:
            if os.path.isfile(file):  # noqa: PTH113 (any text)
                return cls(file, name)
        if not named:
            raise OptionError(
                f"{shown(text)} names no class of a prompt; give the file and one of its classes, as in "
                "pets.prompt:beagle"
            )
        return cls(*named[-1])

    def __str__(self) -> str:
        return f"{self.called or Path(self.file).name}:{self.class_name}"


@dataclass(frozen=True)
class Query:
    """words, classes, images: what an image shall be like, all of them together. not_words, not_images: what
    it shall not be. template: what words are put into; ``{}`` takes them as they are.

    Raises OptionError where nothing is looked for, and for a template without a place for words.
    """

    words: Sequence[str] = ()
    classes: Sequence[ClassOf] = ()
    images: Sequence[str | Path] = ()
    not_words: Sequence[str] = ()
    not_images: Sequence[str | Path] = ()
    template: str = TEMPLATE

    def __post_init__(self) -> None:
        check_template(self.template)
        for text in (*self.words, *self.not_words):
            if not str(text).strip():
                raise OptionError("words to look for are empty; write what the images show")
        if not (self.words or self.classes or self.images):
            raise OptionError(
                "nothing is looked for; give words, a class of a prompt, or an image: what images shall not "
                "be like is not enough"
            )

    def __str__(self) -> str:
        found = [*self.words, *map(str, self.classes), *(f"like {Path(one).name}" for one in self.images)]
        left_out = [*self.not_words, *(Path(one).name for one in self.not_images)]
        text = listed(found, len(found)).replace(", ", " + ")
        return text + (f", not {listed(left_out, len(left_out))}" if left_out else "")


def sentence(template: str, words: str) -> str:
    """``words`` put into a template; one that brings its own article takes the place of the template's."""
    plain = " ".join(words.split())
    first = plain.split(" ")[0].casefold()
    if first in ARTICLES and " " in plain:
        for article in ("a {}", "an {}", "the {}"):
            if f" {article}" in template or template.startswith(article):
                return template.replace(article, plain)
    return template.replace("{}", plain)
