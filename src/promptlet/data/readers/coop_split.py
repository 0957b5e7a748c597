"""CoOp's split files: ``split_zhou_*.json`` with ``{"train": [[path, label, class name], ...], "val",
"test"}``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath, PureWindowsPath

from promptlet.data.catalog import spec_of_split_file
from promptlet.data.files import is_folder, portable, read_text
from promptlet.data.items import SPLIT_NAMES, Item, Split, check_class_names, check_text, composed
from promptlet.errors import DataError, why

EXPECTED = 'expected {"train": [["path.jpg", 0, "class name"], ...], "val": [...], "test": [...]}'


def read_coop_split(json_path: str | Path, images_root: str | Path | None = None) -> Split:
    """The split with the file's own order and labels; paths are ``images_root`` / the file's paths.

    A path may be written with Windows' backslashes.
    Without ``images_root``: CoOp's image folder beside a split file of a known name, else the file's own
    folder. The images themselves are not looked at, so that feature files can be used without them.
    Raises `DataError` for a file that is no CoOp split, labels that are not 0 to C - 1, or names that
    disagree.
    """
    json_path = Path(json_path)
    parts = _load(json_path)
    rows = {
        name: [_check_row(row, f"{json_path}: {name}[{i}]") for i, row in enumerate(parts[name])]
        for name in parts
    }
    class_names = _class_names(rows, json_path)
    root = _images_root(json_path) if images_root is None else Path(images_root)
    items = {
        name: tuple(Item(portable(root, path), label, class_names[label]) for path, label, _ in rows[name])
        for name in rows
    }
    parts_in_order = (items[name] for name in SPLIT_NAMES)
    return Split(_name(json_path), class_names, *parts_in_order, rule=f"split file {json_path.name}")


def content_digest(json_path: str | Path) -> str:
    """16 hexadecimal digits of a split file's rows in order, however its JSON is spaced. Raises DataError."""
    text = json.dumps(_load(Path(json_path)), ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.blake2b(text.encode("ascii"), digest_size=8).hexdigest()


def _load(path: Path) -> dict[str, list[object]]:
    try:
        content = json.loads(read_text(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({why(error)}); give an existing split file") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{path}: is not JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}; {EXPECTED}")
    for name in SPLIT_NAMES:
        if not isinstance(content.get(name), list):
            raise DataError(
                f"{path}: has no list {name!r} but {', '.join(map(repr, content)) or 'nothing'}; {EXPECTED}"
            )
    return {name: content[name] for name in SPLIT_NAMES}


def _check_row(row: object, where: str) -> tuple[str, int, str]:
    if not (isinstance(row, list) and len(row) == 3):
        raise DataError(f"{where}: is {_short(row)}; expected [path, label, class name]")
    path, label, name = row
    if not (isinstance(path, str) and type(label) is int and isinstance(name, str)):
        raise DataError(f"{where}: is {_short(row)}; expected a text, a whole number and a text")
    check_text(path, where, "the path")
    check_text(name, where, "the class name")
    if not _is_inside(path):
        raise DataError(
            f"{where}: the path {path!r} is not inside the image folder; expected a relative path"
        )
    return path, label, name


def _is_inside(path: str) -> bool:
    """Whether it stays in the folder that it starts at, read as a path of Windows, too."""
    relative = PurePosixPath(path)
    if not path or relative.is_absolute() or ".." in relative.parts:
        return False
    if "\\" not in path and ":" not in path:
        return True
    windows = PureWindowsPath(path)
    return not windows.drive and not windows.root and ".." not in windows.parts


def _class_names(rows: dict[str, list[tuple[str, int, str]]], path: Path) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for part in rows.values():
        for _, label, name in part:
            if names.setdefault(label, composed(name)) != composed(name):
                raise DataError(
                    f"{path}: label {label} is called {names[label]!r} and {name!r}; expected one name "
                    "per label"
                )
    missing = sorted(set(range(len(names))) - set(names))
    if missing:
        raise DataError(
            f"{path}: {len(names)} labels, but no image has label {missing[0]} and one has {max(names)}; "
            f"expected every label from 0 to {len(names) - 1}: number the classes without gaps"
        )
    return check_class_names([names[label] for label in sorted(names)], str(path))


def _images_root(json_path: Path) -> Path:
    spec = spec_of_split_file(json_path.name)
    if spec is None:
        return json_path.parent
    known = [json_path.parent / name for name in (spec.image_folder, *spec.also_called)]
    return next((folder for folder in known if is_folder(folder)), known[0])


def _name(json_path: Path) -> str:
    spec = spec_of_split_file(json_path.name)
    return spec.name if spec else json_path.stem.removeprefix("split_zhou_").lower()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
