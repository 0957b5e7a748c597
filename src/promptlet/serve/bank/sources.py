"""Places of prompt files: what is asked of them, and the names that prompts may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from promptlet.errors import OptionError, shown

Item = TypeVar("Item")
Made = TypeVar("Made")
SUFFIX = ".prompt"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ALLOWED = "1 to 100 letters a to z, digits, dots, _ and -, of which the first is a letter or a digit"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as a listing tells of it, before it is read.

    modified: when, for people, in seconds since 1970, 0 where that is not told; changed: the same as the
    system sees it. mark: another one whenever the file is another, None where nothing tells. problem: why it
    cannot be read.
    """

    size: int
    modified: float
    changed: float
    mark: Hashable | None
    problem: str = ""


class Source(Protocol):
    """A flat place of files ``NAME.prompt``. Everything raises OSError where the place cannot be used.

    where: for people. folder: what can be watched; None where changes are only seen by listing again.
    at_once: how many files are best read side by side.
    """

    where: str
    folder: Path | None
    at_once: int

    def look(self, names: Iterable[str] | None = None) -> dict[str, Seen]:
        """All files, or those of ``names`` that are there, by name; hidden ones are passed over."""

    def read(self, name: str) -> bytes:
        """All bytes of one, or one more than a prompt file may have."""

    def write(self, name: str, data: bytes) -> None:
        """Put one there, in the place of another, whole or not at all."""

    def delete(self, name: str) -> None:
        """Take one away. Raises FileNotFoundError where there is none."""


def side_by_side(source: Source, work: Callable[[Item], Made], items: Collection[Item]) -> Iterator[Made]:
    """What ``work``, which reads, makes of each of them, in order; of as many at a time as is best there."""
    if source.at_once == 1 or len(items) <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(source.at_once) as pool:
        yield from pool.map(work, items)


def is_name(name: str) -> bool:
    """Whether a prompt may be called so."""
    return NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """The name itself. Raises OptionError where no prompt may be called so."""
    if not is_name(name):
        raise OptionError(f"{shown(name)} is no name of a prompt; give {ALLOWED}")
    return name


def name_of(file_name: str) -> str | None:
    """The prompt's name, whether or not it can be served; None for files that are none of a bank's."""
    if file_name.startswith(".") or not file_name.endswith(SUFFIX):
        return None
    name = file_name.removesuffix(SUFFIX)
    return name.encode("utf-8", "backslashreplace").decode()  # half characters, which no answer can hold


def unnameable(name: str) -> str:
    """Why a file of this name cannot be served; "" where it can."""
    return "" if is_name(name) else f"its name cannot be served; rename it: {ALLOWED}, and {SUFFIX}"
