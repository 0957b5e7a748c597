"""Is a data set all there? What is missing, where it comes from, and whether it is what it is known to be."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptlet.data.catalog import DATASETS, DatasetSpec, spec_of_split_file
from promptlet.data.files import is_file, is_folder, is_there
from promptlet.data.hugging_face.source import SUFFIXES, is_hub_source, local_path
from promptlet.data.images.checks import find_unreadable, not_there
from promptlet.data.items import SPLIT_NAMES, Split, clean_class_name
from promptlet.data.known.layouts import read_layout
from promptlet.data.known.load import (
    ASK,
    has_split_file,
    locate,
    missing_paths,
    read_known,
    spec_of_folder,
)
from promptlet.data.load import load_dataset
from promptlet.data.readers.coop_split import content_digest
from promptlet.data.readers.feature_file import FeatureFile
from promptlet.data.readers.folder import ignored_files
from promptlet.errors import DataError, PromptletError, why
from promptlet.reasons import reason_of

KINDS = ("missing", "wrong", "note")
SHOWN = 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Finding:
    """``kind``: one of `KINDS`; a note leaves a data set complete."""

    kind: str
    text: str


@dataclass
class Checkup:
    """What was found of one data set. ``spec``: the known facts, if it is a known one."""

    name: str
    place: Path
    spec: DatasetSpec | None = None
    rule: str = ""
    class_count: int | None = None
    counts: tuple[int, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    missing_images: list[Path] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``complete``, ``incomplete``, ``wrong`` or ``absent``."""
        kinds = {finding.kind for finding in self.findings}
        if not _seen(self.place):
            return "absent"
        return "wrong" if "wrong" in kinds else "incomplete" if "missing" in kinds else "complete"

    def add(self, kind: str, text: str) -> None:
        """Note down a finding."""
        self.findings.append(Finding(kind, text))


def examine(
    source: str,
    root: str | Path | None = None,
    open_images: bool = False,
    on_progress: Progress | None = None,
) -> Checkup:
    """A data set by known name below ``root``, by path, or of Hugging Face; never raises for what is wrong.

    ``open_images`` decodes every image, in several threads; on_progress(name, done, total) follows that.
    """
    checkup = Checkup(source, Path(source))
    try:
        spec = _find(checkup, root)
        split = _examine_path(checkup, root) if spec is None else _examine_known(checkup, spec, root)
        if split is not None:
            _examine_images(checkup, split, open_images, on_progress)
    except PromptletError as error:
        checkup.add("wrong", str(error).partition(f"; {ASK}")[0])
    except OSError as error:
        checkup.add("wrong", f"{checkup.place}: cannot be read ({why(error)}); check its permissions")
    except Exception as error:  # whatever is wrong with one data set, the others are examined
        checkup.add("wrong", f"{checkup.name}: {reason_of(error)}")
    return checkup


def _seen(path: Path) -> bool:
    try:
        return is_there(path)
    except DataError:  # one may not look: it is not absent
        return True


def _find(checkup: Checkup, root: str | Path | None) -> DatasetSpec | None:
    """Set place and facts, where the source is a known name or the folder of a known data set."""
    if is_hub_source(checkup.name):
        checkup.place = local_path(checkup.name) or checkup.place
        return None
    checkup.spec = DATASETS.get(checkup.name)
    if checkup.spec is not None and root is not None:
        checkup.spec, checkup.place = locate(checkup.spec, root)
    elif checkup.spec is None and is_folder(checkup.place):
        checkup.spec = spec_of_folder(checkup.place)
    return checkup.spec


def _examine_known(checkup: Checkup, spec: DatasetSpec, root: str | Path | None) -> Split | None:
    folder = checkup.place
    if spec.name == checkup.name and root is None:
        checkup.add("missing", f"no root is given; say where {spec.folder}/ lies: --root ROOT")
        return None
    if is_file(folder):
        checkup.add("wrong", f"{folder} is a file")
        return None
    if not is_folder(folder):
        checkup.add("missing", f"there is no folder {folder}")
        return None
    has_split = has_split_file(spec, folder)
    missing = missing_paths(spec, folder, has_split)
    if spec.split_file and not has_split:
        checkup.add("missing", f"there is no {folder / spec.split_file}, CoOp's split: {spec.split_url}")
    for path in missing:
        others = "".join(f", nor {name} beside it" for name in spec.also_called)
        checkup.add("missing", f"there is no {path}{others}")
    if missing:
        if spec.to_add:
            checkup.add("note", spec.to_add)
        return None
    split = read_known(spec, folder, folder if root is None else root)
    _compare(checkup, spec, split)
    return split


def _compare(checkup: Checkup, spec: DatasetSpec, split: Split) -> None:
    """The split against the facts, and against the data set's own annotation."""
    folder = checkup.place
    has_split = has_split_file(spec, folder)
    _tell(checkup, split)
    if checkup.counts != spec.counts:
        kind = "missing" if not has_split and sum(checkup.counts) < sum(spec.counts) else "wrong"
        checkup.add(kind, f"has {_said(checkup.counts)} images; known are {_said(spec.counts)}")
    if has_split:
        _compare_split_file(checkup, spec, folder / spec.split_file)
        if not missing_paths(spec, folder, has_split=False):
            _compare_names(checkup, split, spec)


def _compare_split_file(checkup: Checkup, spec: DatasetSpec, file: Path) -> None:
    if not spec.split_digest:
        return
    if content_digest(file) == spec.split_digest:
        checkup.add("note", f"{file.name} is CoOp's own")
    else:
        checkup.add("wrong", f"{file} is not CoOp's file of this name, which is at {spec.split_url}")


def _compare_names(checkup: Checkup, split: Split, spec: DatasetSpec) -> None:
    try:
        names = [clean_class_name(name) for name in read_layout(spec, checkup.place).class_names]
    except DataError as error:
        checkup.add("note", f"class names were not compared: {error}")
        return
    gone = [name for name in split.class_names if name not in names]
    more = [name for name in names if name not in split.class_names]
    if gone and not more:
        checkup.add("missing", f"{len(gone)} of {len(split.class_names)} classes, such as {gone[0]!r}")
    elif more and not gone:
        checkup.add("note", f"{len(more)} classes are not in the split, such as {more[0]!r}")
    elif tuple(names) == split.class_names:
        checkup.add("note", "class names are those of its own files")
    else:
        pairs = enumerate(zip(names, split.class_names, strict=False))
        label, own, other = next((label, *pair) for label, pair in pairs if pair[0] != pair[1])
        checkup.add("wrong", f"class {label} is {own!r} by its own files, {other!r} in the split")


def _examine_path(checkup: Checkup, root: str | Path | None) -> Split | None:
    """A folder, a table, a split or feature file, Hugging Face data, or a data set of the mini world."""
    content = load_dataset(checkup.name, root)
    split = content.split if isinstance(content, FeatureFile) else content
    is_table = is_hub_source(checkup.name) or (
        is_file(checkup.place) and checkup.place.suffix.lower() in SUFFIXES
    )
    if is_table or not is_there(checkup.place):  # unpacked or drawn into the cache
        images = Path(os.path.commonpath([item.path.parent for item in split.every_item]))
        if is_there(checkup.place):
            checkup.add("note", f"its images are in {images}")
        else:
            checkup.place = images
    checkup.spec = spec_of_split_file(checkup.place.name)
    _tell(checkup, split)
    if checkup.spec is not None:
        if checkup.counts != checkup.spec.counts:
            checkup.add(
                "wrong", f"has {_said(checkup.counts)} images; known are {_said(checkup.spec.counts)}"
            )
        _compare_split_file(checkup, checkup.spec, checkup.place)
    for part in ("train", "test"):
        filled = {item.label for item in getattr(split, part)}
        empty = [name for label, name in enumerate(split.class_names) if label not in filled]
        if filled and empty:
            checkup.add("note", f"{len(empty)} classes have no {part} images, such as {empty[0]!r}")
    if is_folder(checkup.place) and not is_table:
        others = ignored_files(checkup.place, split)
        if others:
            checkup.add("note", f"{len(others)} files are passed over, such as {others[0]}")
    if isinstance(content, FeatureFile):
        checkup.add("note", f"features of {content.features.shape[1]} numbers; images are not looked for")
        return None
    return split


def _tell(checkup: Checkup, split: Split) -> None:
    checkup.rule = split.rule
    checkup.class_count = len(split.class_names)
    checkup.counts = tuple(len(getattr(split, part)) for part in SPLIT_NAMES)


def _said(counts: Sequence[int]) -> str:
    return ", ".join(f"{count:,} {part}" for part, count in zip(SPLIT_NAMES, counts, strict=True))


def _examine_images(checkup: Checkup, split: Split, open_images: bool, on_progress: Progress | None) -> None:
    paths = list(dict.fromkeys(item.path for item in split.every_item))
    _look_for_leaks(checkup, split)
    checkup.missing_images = list(not_there(paths))
    if checkup.missing_images:
        first = ", ".join(map(str, checkup.missing_images[:SHOWN]))
        more = ", ..." if len(checkup.missing_images) > SHOWN else ""
        checkup.add("missing", f"{len(checkup.missing_images):,} of {len(paths):,} images: {first}{more}")
    if open_images:
        gone = set(checkup.missing_images)
        _open_every(checkup, [path for path in paths if path not in gone], on_progress)


def _open_every(checkup: Checkup, paths: Sequence[Path], on_progress: Progress | None) -> None:
    def tell(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(checkup.name, done, total)

    checkup.unreadable = list(find_unreadable(paths, tell).values())
    if checkup.unreadable:
        shown = "; ".join(checkup.unreadable[:SHOWN])
        checkup.add("wrong", f"{len(checkup.unreadable):,} of {len(paths):,} images cannot be read: {shown}")
    else:
        checkup.add("note", f"all {len(paths):,} images were opened")


def _look_for_leaks(checkup: Checkup, split: Split) -> None:
    train = {item.path for item in split.train}
    shared = [item.path for item in split.test if item.path in train]
    if shared:
        checkup.add("wrong", f"{len(shared):,} images are in train and in test, such as {shared[0]}")
