"""From what a person names (files, folders, patterns, lists, addresses) to paths of images. Reads none."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptlet.data.files import check_length, files_below, open_regular
from promptlet.data.images.formats import has_heic_name, has_image_name
from promptlet.data.images.reading import opened
from promptlet.errors import DataError, why
from promptlet.reasons import reason_of
from promptlet.web.loading import is_address

STANDARD_INPUT = "-"
LIST = "@"


@dataclass
class Found:
    """paths: of images, each once; errors: what is wrong with arguments, or folders below them, that give
    none; repeated: how many were named again."""

    paths: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    repeated: int = 0


@dataclass(frozen=True)
class Finder:
    """standard_input: reads all of it; with_addresses: whether addresses of the web are taken."""

    standard_input: Callable[[], bytes] | None = None
    with_addresses: bool = False

    def find(self, given: Sequence[str]) -> Found:
        """The images that ``given`` names: what is wrong with one of them costs itself alone."""
        found, seen, here = Found(), set[str](), _here()
        for text in given:
            unread: list[OSError] = []
            some, known = False, len(found.errors)
            try:
                for name in self._named(text, unread, found.errors):
                    some = True
                    key = name if is_address(name) else str(here / name)
                    found.repeated += key in seen
                    if key not in seen:
                        seen.add(key)
                        found.paths.append(name)
            except OSError as error:
                unread.append(error)
            except DataError as error:
                found.errors[text] = str(error)
                continue
            except Exception as error:
                found.errors[text] = f"{text}: {reason_of(error)}"
                continue
            found.errors |= {_place(error, text): _words(error, text) for error in unread}
            if not (some or unread or len(found.errors) > known):
                found.errors[text] = f"{text}: {_nothing(text)}"
        return found

    def _named(self, text: str, unread: list[OSError], errors: dict[str, str]) -> Iterator[str]:
        lines = None if os.path.lexists(text) else self._lines(text)
        if lines is None:
            yield from self._images(text, unread)
            return
        for line in lines:
            try:
                yield from self._images(line, unread, is_pattern=False)
            except Exception as error:
                errors[line] = reason_of(error)

    def _lines(self, text: str) -> list[str] | None:
        """The lines of a list; None where ``text`` names none. Raises OSError, DataError."""
        if text == STANDARD_INPUT:
            return [] if self.standard_input is None else paths_of(self.standard_input())
        if not text.startswith(LIST) or text == LIST:
            return None
        path = Path(text[1:])
        try:
            with open_regular(path) as file:
                check_length(file)
                return paths_of(file.read())
        except OSError as error:
            raise DataError(
                f"{text}: the list {path} cannot be read ({why(error)}); check the path"
            ) from error

    def _images(self, text: str, unread: list[OSError], is_pattern: bool = True) -> Iterator[str]:
        path = Path(text)
        if path.is_dir():
            yield from sorted(_below(path, unread), key=lambda name: Path(name).parts)
        elif path.is_file():
            yield text
        elif is_address(text):
            yield self._address(text)
        elif is_pattern and glob.has_magic(text) and not os.path.lexists(text):
            for match in sorted(glob.glob(text, recursive=True)):  # noqa: PTH207 (patterns may be absolute)
                yield from self._images(match, unread, is_pattern=False)
        elif not os.path.lexists(text):
            raise DataError(
                f"{text}: there is no such file or folder; check the path, which starts at {_here()}"
            )
        else:
            with opened(path, text):  # raises what is wrong with it
                yield text

    def _address(self, text: str) -> str:
        if not text.lower().startswith(("http://", "https://")):
            raise DataError(f"{text}: only http:// and https:// addresses are loaded; give the file itself")
        if not self.with_addresses:
            raise DataError(
                f"{text}: this is an address of the web; give --allow-urls to load pictures from it"
            )
        return text


def paths_of(content: bytes) -> list[str]:
    """The paths of a list, one a line, or ended by NUL as ``find -print0`` writes them; empty lines are
    passed over."""
    end = b"\0" if b"\0" in content else b"\n"
    lines = content.removeprefix(b"\xef\xbb\xbf").split(end)
    names = [os.fsdecode(line if end == b"\0" else line.rstrip(b"\r")) for line in lines]
    return [name for name in names if name.strip()]


def _nothing(text: str) -> str:
    if text == STANDARD_INPUT:
        return "standard input names no image; send it paths, one a line"
    if text.startswith(LIST):
        return "the list is empty; write paths into it, one a line"
    return "no image matches; give an image file, a folder of images, or a pattern"


def _below(folder: Path, unread: list[OSError]) -> Iterator[str]:
    """What has the name of an image, or of a HEIC photo: reading one says what it needs."""
    for path in files_below(folder, unread.append):
        if has_image_name(path.name) or has_heic_name(path.name):
            yield str(path)


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it is gone
        return Path()


def _place(error: OSError, text: str) -> str:
    return str(error.filename) if error.filename else text


def _words(error: OSError, text: str) -> str:
    reason = why(error)
    return f"{_place(error, text)}: cannot be looked into ({reason}); check the path and its permissions"
