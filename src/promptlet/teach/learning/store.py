"""What learning needs of the projects on the disk, whoever keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Picture:
    """An image of a project. id: of its content; name: of the file as it was dropped."""

    id: str
    path: Path
    name: str


@dataclass(frozen=True)
class Pictures:
    """A project at one moment. classes: in their order, each with its images; also those without any."""

    id: str
    title: str
    revision: int
    folder: Path
    classes: tuple[tuple[str, tuple[Picture, ...]], ...]
    unlabelled: tuple[Picture, ...]
    settings: dict[str, Any]

    @property
    def taught(self) -> tuple[tuple[str, Picture], ...]:
        """All images that have a class, with its name."""
        return tuple((name, picture) for name, own in self.classes for picture in own)

    @property
    def every(self) -> tuple[Picture, ...]:
        """All images."""
        return (*(picture for _, picture in self.taught), *self.unlabelled)


class Store(Protocol):
    """The projects. To be called from any thread; raises KeyError for a project that is not there."""

    @property
    def root(self) -> Path:
        """The folder of all projects, and of their prompt files."""

    def pictures(self, project: str) -> Pictures:
        """The project as it is now."""

    def result(self, project: str) -> dict[str, Any] | None:
        """Of its last training; None where there was none."""

    def keep_result(self, project: str, result: dict[str, Any]) -> None:
        """In the place of the former one."""
