"""Images that cannot be read: left out of a data set, or all named at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from promptlet.data import FeatureFile, find_unreadable, without_unreadable
from promptlet.errors import ImageError
from promptlet.own_images.data import OwnData, read_own

SHOWN = 100
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Taken:
    """A person's own data, and what is wrong with the images that were left out, by path."""

    data: OwnData
    left_out: Mapping[Path, str] = field(default_factory=dict)


def take(path: Path, skip_bad: bool = False, on_progress: Progress | None = None) -> Taken:
    """Read what lies at ``path``; with ``skip_bad`` without the images that cannot be read, of which
    features have none.

    Raises DataError, also where that leaves a class without training images.
    """
    data = read_own(path, check_files=not skip_bad)
    if not skip_bad or isinstance(data, FeatureFile):
        return Taken(data)
    return Taken(*without_unreadable(data, on_progress))


@contextmanager
def all_named(data: OwnData, hint: str) -> Iterator[None]:
    """An ImageError of some images becomes one that names every image of ``data`` that cannot be read.

    hint: what to do with them. Nothing is opened where none is raised.
    """
    try:
        yield
    except ImageError as error:
        if isinstance(data, FeatureFile):
            raise
        paths = list(dict.fromkeys(item.path for item in data.every_item))
        found = find_unreadable(paths)
        if not found:
            raise
        raise ImageError(named_together(found, len(paths), hint)) from error


def named_together(found: Mapping[Path, str], total: int, hint: str) -> str:
    """What is wrong with each, a line for each where there are several."""
    reasons = list(found.values())
    if len(reasons) == 1:
        return f"{reasons[0]}. {hint}"
    lines = "".join(f"\n  {reason}" for reason in reasons[:SHOWN])
    more = f"\n  ... and {len(reasons) - SHOWN:,} more" if len(reasons) > SHOWN else ""
    return f"{len(reasons):,} of {total:,} images cannot be read. {hint}:{lines}{more}"
