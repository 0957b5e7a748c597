"""What lies in a folder of results, or in a pack, as it is: nothing here judges a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from promptlet.errors import DataError
from promptlet.protocols.records.packs import SUFFIX, Pack, is_foreign, is_pack, open_pack, seen
from promptlet.protocols.records.trust import problem_of_plan, read_json


class Found(NamedTuple):
    """What lies under a key. where: the file, or the pack and the key. problem: why it cannot be read, or an
    empty text."""

    where: str
    key: str
    content: dict[str, Any]
    problem: str
    is_packed: bool = False


class Planned(NamedTuple):
    """A run that was asked for. where: the plan, or the pack. problem: why the plan cannot be read, or an
    empty text."""

    where: str
    run: Any
    problem: str = ""


class Places:
    """A folder with its files and packs, or one pack. A pack is read when it is first asked for, and again
    only where the file is another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: dict[Path, tuple[tuple[int, ...], Pack]] = {}
        self._foreign: dict[tuple[Any, ...], bool] = {}

    @property
    def is_pack(self) -> bool:
        """Whether this is one pack, or would be."""
        return is_pack(self.folder)

    def exists(self) -> bool:
        """Whether the folder, or the pack, is there."""
        return seen(self.folder).is_dir() or (self.is_pack and self.folder.exists())

    def check_exists(self) -> None:
        """Raise DataError when it is not there."""
        if not self.exists():
            what = (
                f"folder of results, and no pack (*{SUFFIX})" if self.folder.exists() else "folder of results"
            )
            raise DataError(f"{self.folder}: no such {what}; `promptlet bench run --out` makes one")

    def packs(self) -> list[Pack]:
        """By name, without files of something else that are named alike.

        Raises PackError for a damaged one: a pack is whole or not there.
        """
        if self.is_pack:
            return [self._open(self.folder)]
        paths = (path for path in sorted(self.folder.glob(f"*{SUFFIX}")) if is_pack(path))
        return [self._open(path) for path in paths if path in self._opened or not self._is_foreign(path)]

    def at(self, key: str) -> Iterator[Found]:
        """Everything under a key: the file first, then what packs have."""
        yield from self._file(key)
        yield from _packed(key, self.packs())

    def contents(self) -> Iterator[Found]:
        """Everything, in the order of (what would be) the names of files.

        Raises DataError when there is no such folder, PackError for a damaged pack.
        """
        self.check_exists()
        packs = self.packs()
        names = [] if self.is_pack else [path.stem for path in self.folder.glob("*.json")]
        for key in sorted({*names, *(key for pack in packs for key in pack.records)}, key="{}.json".format):
            yield from self._file(key)
            yield from _packed(key, packs)

    def planned(self) -> Iterator[Planned]:
        """Every run that was asked for, of whatever protocol, as often as it was; or what is wrong with a
        plan."""
        for path in [] if self.is_pack else sorted((self.folder / "plans").glob("*.json")):
            content, problem = read_json(path)
            wrong = "" if problem else problem_of_plan(content)
            if problem or wrong:
                yield Planned(
                    str(path), None, problem or f"{path}: not a plan of this version ({wrong}); remove it"
                )
                continue
            yield from (Planned(str(path), run) for run in content["plan"])
        yield from (Planned(str(pack.path), run) for pack in self.packs() for run in pack.planned)

    def _file(self, key: str) -> Iterator[Found]:
        path = self.folder / f"{key}.json"
        if not self.is_pack and path.exists():
            yield Found(str(path), key, *read_json(path))

    def _is_foreign(self, path: Path) -> bool:
        state = (path, *_state(path))
        if state not in self._foreign:
            self._foreign[state] = is_foreign(path)
        return self._foreign[state]

    def _open(self, path: Path) -> Pack:
        state = _state(path)
        known = self._opened.get(path)
        if known is None or not state or known[0] != state:
            known = self._opened[path] = (state, open_pack(path))
        return known[1]


def _state(path: Path) -> tuple[int, ...]:
    """Another one for another file; nothing where the disk does not say."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _packed(key: str, packs: Iterable[Pack]) -> Iterator[Found]:
    for pack in packs:
        if key in pack.records:
            yield Found(f"{pack.path} ({key})", key, pack.record(key), "", is_packed=True)
