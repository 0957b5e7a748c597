"""From what a person names (files, folders, patterns) to the paths of images. Opens none."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from promptlet.data.files import files_below
from promptlet.data.images.formats import has_heic_name, has_image_name
from promptlet.errors import why
from promptlet.reasons import reason_of


def find_images(given: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Paths of images, each once, and what is wrong with arguments, or folders below them, that give none."""
    paths: dict[str, None] = {}
    errors: dict[str, str] = {}
    for text in given:
        unread: list[OSError] = []
        try:
            found = list(_images(text, unread))
        except OSError as error:
            unread.append(error)
        except Exception as error:
            errors[text] = f"{text}: {reason_of(error)}"
            continue
        errors |= {_place(error, text): _words(error, text) for error in unread}
        if not (found or unread):
            errors[text] = f"{text}: no image matches; give an image file, a folder of images, or a pattern"
        paths |= dict.fromkeys(found)
    return list(paths), errors


def _images(text: str, unread: list[OSError]) -> Iterator[str]:
    path = Path(text)
    if path.is_dir():
        yield from sorted(_below(path, unread), key=lambda name: Path(name).parts)
    elif glob.has_magic(text) and not os.path.lexists(text):
        for match in sorted(glob.glob(text, recursive=True)):  # noqa: PTH207 (patterns may be absolute)
            yield from _images(match, unread) if Path(match).is_dir() else [match]
    else:
        yield text  # reading it says what is wrong with it


def _below(folder: Path, unread: list[OSError]) -> Iterator[str]:
    """What has the name of an image, or of a HEIC photo: reading one says what it needs."""
    for path in files_below(folder, unread.append):
        if has_image_name(path.name) or has_heic_name(path.name):
            yield str(path)


def _place(error: OSError, text: str) -> str:
    return str(error.filename) if error.filename else text


def _words(error: OSError, text: str) -> str:
    reason = why(error)
    return f"{_place(error, text)}: cannot be looked into ({reason}); check the path and its permissions"
