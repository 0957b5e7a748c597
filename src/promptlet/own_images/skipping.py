"""Images that cannot be read: left out of a data set, or all named at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from promptlet.data import FeatureFile, Split, without_unreadable
from promptlet.data.images.checks import all_unreadable
from promptlet.data.load import read_own
from promptlet.errors import ImageError
from promptlet.own_images.data import OwnData

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Taken:
    """A person's own data, and what is wrong with the images that were left out, by path."""

    data: OwnData
    left_out: Mapping[Path, str] = field(default_factory=dict)

    @property
    def split(self) -> Split:
        """Its parts."""
        return self.data.split if isinstance(self.data, FeatureFile) else self.data


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
    """An ImageError becomes one that names every image of ``data`` that cannot be read (`all_unreadable`)."""
    try:
        yield
    except ImageError as error:
        if isinstance(data, FeatureFile):
            raise
        raise all_unreadable(data, error, hint) from error
