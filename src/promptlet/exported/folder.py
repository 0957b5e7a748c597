"""An exported folder: made beside its place and put there whole, and read with every file's sum checked."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from promptlet.data.files import is_passed_over, open_regular
from promptlet.disk import has_no_room, put_folder
from promptlet.errors import ExportError, listed, shown, why
from promptlet.exported.fields import strict_object
from promptlet.exported.files.npz import MOST_BYTES as MOST_VECTORS
from promptlet.exported.files.npz import read_npz
from promptlet.exported.files.whole import opened
from promptlet.exported.manifest import NAME, FileFacts, Manifest, manifest_of
from promptlet.exported.vectors import Vectors
from promptlet.promptfile.files import reason_of

MOST_MANIFEST = 1 << 22
CHUNK = 1 << 20
USUAL = {
    *("vectors.npz", "golden.png", "golden.npy", "weights.data"),
    *("classifier.onnx", "tower.onnx", "picture.onnx"),
    *("classifier.pt2", "classifier.xml", "classifier.bin"),
}
"""What `promptlet export` calls its files."""


@dataclass(frozen=True)
class Exported:
    """A folder whose ``export.json`` was read, and whose files are there with the sizes that it tells."""

    folder: Path
    manifest: Manifest

    def file(self, name: str) -> Path:
        """The path of a file, its sum checked. Raises ExportError where its content is another one."""
        path, told = self.folder / name, self.manifest.files.get(name)
        if told is None:
            raise ExportError(f"{self.folder}: {NAME} does not name {name!r}")
        if _facts_of(path) != told:
            raise ExportError(
                f"{path} was changed after it was exported, or damaged: its sum (sha256) is not that of "
                f"{NAME}; take a sound copy, or export anew"
            )
        return path

    @cached_property
    def vectors(self) -> Vectors:
        """Its class vectors. Raises ExportError."""
        with opened(self.file(self.manifest.vectors), MOST_VECTORS) as file:
            return read_npz(file)

    def check(self) -> None:
        """Look at every file's sum, and read the vectors. Raises ExportError."""
        for name in self.manifest.files:
            self.file(name)
        _ = self.vectors


def open_exported(folder: str | Path) -> Exported:
    """The folder, its ``export.json`` read and every file's size seen; sums are looked at as files are used.

    Raises ExportError for what is no exported folder, damaged, hostile, or of another version.
    """
    try:
        return _opened(Path(folder))
    except (OSError, ValueError) as error:  # of folders that nobody here may enter, and names that none has
        raise ExportError(f"{folder} cannot be read ({why(error)}); check the path") from error


def _opened(folder: Path) -> Exported:
    if not folder.is_dir():
        raise ExportError(f"{folder} is no folder; give one that `promptlet export` made")
    if not (folder / NAME).is_file():
        raise ExportError(f"{folder} is no exported folder: it has no {NAME}; `promptlet export` makes one")
    _check_regular(folder / NAME)
    with opened(folder / NAME, MOST_MANIFEST) as file:
        manifest = manifest_of(strict_object(_text(file.read()), NAME))
    for name, told in manifest.files.items():
        _check_regular(folder / name)
        size = (folder / name).stat().st_size
        if size != told.bytes:
            raise ExportError(
                f"{folder / name} has {size:,} bytes, and {NAME} tells {told.bytes:,}: cut off, or changed; "
                "take a sound copy, or export anew"
            )
    _check_nothing_else(folder, manifest)
    return Exported(folder, manifest)


def is_exported(folder: Path) -> bool:
    """Whether this looks like an exported folder, sound or not."""
    try:
        return (folder / NAME).is_file()
    except (OSError, ValueError):
        return False


@contextmanager
def new_folder(target: str | Path, force: bool = False) -> Iterator[Path]:
    """A folder to put files into, which becomes ``target`` when the block ends, and vanishes when it raises.

    `write_manifest` comes last in the block. force: in the place of an exported folder that is there, and of
    no other. Raises ExportError.
    """
    target = Path(target)
    _check_target(target, force)
    made = target.parent / f".promptlet-{secrets.token_hex(8)}.tmp"
    try:
        _make(made, target)
        yield made
        if not is_exported(made):
            raise ExportError(f"cannot write {target}: nothing was exported: {NAME} is missing")
        _put(made, target, force)
    except (OSError, ExportError) as error:
        if isinstance(error, ExportError) and not has_no_room(made):
            raise
        raise ExportError(f"cannot write {target}: {_reason(error, made)}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write ``export.json`` with the sizes and sums of all that lies in the folder; what was written.

    Raises ExportError where that would not be read again.
    """
    names = sorted(path.name for path in folder.iterdir() if path.name != NAME)
    whole = replace(manifest, files={name: _facts_of(folder / name) for name in names})
    manifest_of(json.loads(json.dumps(whole.as_facts())))
    text = json.dumps(whole.as_facts(), ensure_ascii=False, indent=1)
    (folder / NAME).write_text(f"{text}\n", encoding="utf-8")
    return whole


def _reason(error: OSError | ExportError, made: Path) -> str:
    """Why not all could be written; libraries say it in their own ways where a disk is full."""
    if isinstance(error, OSError) and error.errno is not None:
        return reason_of(error)
    if has_no_room(made):
        return reason_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    return f"not all of it could be written ({error}), as on a full disk: free some space or save elsewhere"


def _check_target(target: Path, force: bool) -> None:
    if "\0" in str(target):
        raise ExportError(f"cannot write {shown(str(target))}: no folder can have this name; give another")
    if not os.path.lexists(target):
        return
    if not force:
        raise ExportError(f"cannot write {target}: it is there already; give another name, or --force")
    if target.is_symlink() or not is_exported(target):
        raise ExportError(
            f"cannot write {target}: it is there and no exported folder, so it is not replaced; give another "
            "name"
        )
    strange = sorted(_held(target) - _known(target) - {NAME})
    if strange:
        raise ExportError(
            f"cannot write {target}: beside what was exported it holds {listed(strange)}, so it is not "
            "replaced; move that elsewhere, or give another name"
        )


def _known(folder: Path) -> set[str]:
    """Names of files that its ``export.json`` tells of, also of another version or where other values are
    wrong; where it cannot be read, those that `promptlet export` gives."""
    try:
        with opened(folder / NAME, MOST_MANIFEST) as file:
            told = strict_object(_text(file.read()), NAME).get("files")
    except ExportError:
        told = None
    return set(told) if isinstance(told, dict) else set(USUAL)


def _make(made: Path, target: Path) -> None:
    try:
        made.mkdir()
    except FileNotFoundError:
        is_there = target.parent.is_dir()
        why_not = "takes no new folders: give another place" if is_there else "does not exist: create it"
        raise ExportError(f"cannot write {target}: the folder {target.parent} {why_not}") from None


def _put(made: Path, target: Path, force: bool) -> None:
    for path in made.iterdir():
        _sync(path)
    _check_target(target, force)
    put_folder(made, target)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _check_regular(path: Path) -> None:
    """It is a file in the folder itself: no link, which may lead anywhere, and nothing that waits."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise ExportError(
            f"{path}: {NAME} names it, and it is not there ({why(error)}); take a whole copy"
        ) from None
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
        raise ExportError(
            f"{path} is {kind}, and an exported folder holds files alone; copy the folder again"
        )


def _check_nothing_else(folder: Path, manifest: Manifest) -> None:
    """A graph may read what lies beside it: what no sum is known of is not there."""
    strange = sorted(_held(folder) - set(manifest.files) - {NAME})
    if strange:
        raise ExportError(
            f"{folder} holds {', '.join(strange[:5])}, of which {NAME} knows nothing; move it elsewhere, or "
            "copy the folder again"
        )


def _held(folder: Path) -> set[str]:
    """Names of all in it but for what systems put there."""
    try:
        return {path.name for path in folder.iterdir() if not is_passed_over(path.name)}
    except OSError as error:
        raise ExportError(f"{folder} cannot be listed ({why(error)}); check its permissions") from error


def _facts_of(path: Path) -> FileFacts:
    digest, count = hashlib.sha256(), 0
    try:
        with open_regular(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                count += len(chunk)
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({why(error)}); check it") from error
    return FileFacts(count, digest.hexdigest())


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExportError(f"{NAME} is no UTF-8 ({error.reason} at byte {error.start})") from None
