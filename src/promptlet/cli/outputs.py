"""Where a command will write is tried before its work begins: a file is made there and removed again."""

from __future__ import annotations

from pathlib import Path

from promptlet.disk import nearest, room_problem
from promptlet.errors import OptionError

PAGES = (".html", ".htm")


def check_file(path: Path, option: str = "--out", make_folders: bool = False) -> None:
    """A file can be written to ``path``. make_folders: the command makes what is missing above it.

    Raises OptionError that says what is in the way.
    """
    if path.is_dir():
        raise OptionError(
            f"{option} {path} is a folder; give the name of a file, such as {path / _like(option)}"
        )
    if make_folders:
        check_folder(path.parent, option)
        return
    if not path.parent.is_dir():
        raise OptionError(
            f"{option} {path}: the folder {path.parent} does not exist; create it, or write elsewhere"
        )
    _check_room(path, option, path.parent)


def check_page(path: Path, option: str = "--out") -> None:
    """A page can be written to ``path``, whose name says that it is one. Raises OptionError."""
    if path.suffix.lower() not in PAGES:
        raise OptionError(f"{option} {path}: the page is HTML; give a name that ends in .html")
    check_file(path, option)


def write_page(path: Path, html: str) -> None:
    """Write a page that was checked. Raises OptionError where that cannot be any more."""
    from promptlet.report.files import write_whole

    write_whole(path, html.encode("utf-8"))


def title_of(data: Path) -> str:
    """What a page calls a person's data: the name of its folder or file, also of one given as ``.``"""
    return data.resolve().name or str(data)


def check_folder(path: Path, option: str = "--out") -> None:
    """Files can be written into ``path``, which is made where it is missing. Raises OptionError."""
    there = nearest(path)
    if not there.is_dir():
        raise OptionError(f"{option} {path}: {there} is a file, no folder; give another folder")
    _check_room(path, option, there)


def _check_room(path: Path, option: str, folder: Path) -> None:
    problem = room_problem(folder)
    if problem:
        raise OptionError(
            f"{option} {path}: nothing can be written into {folder} ({problem}); free some space, or write "
            "elsewhere"
        ) from OSError(problem)


def _like(option: str) -> str:
    return {"--figure": "figure.png", "--checkpoint": "my.checkpoint"}.get(option, "result")
