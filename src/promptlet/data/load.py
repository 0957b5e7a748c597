"""One word or path in, one data set out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptlet.data.catalog import DATASETS, DatasetSpec
from promptlet.data.files import is_file, is_folder, is_there
from promptlet.data.hugging_face.reader import read_hugging_face
from promptlet.data.hugging_face.source import is_hub_source, looks_saved
from promptlet.data.items import Split
from promptlet.data.known.load import load_known
from promptlet.data.readers.coop_split import read_coop_split
from promptlet.data.readers.feature_file import FeatureFile, read_feature_file
from promptlet.data.readers.folder import read_folder
from promptlet.data.readers.table import read_table
from promptlet.errors import DataError, OptionError, did_you_mean
from promptlet.mini.names import EVERY_NAME, HARDER, HARDER_NAMES, MINI, MINI_NAMES, SHIFT_NAMES

KINDS = (
    "a folder of images per class, a table (.csv, .tsv), a CoOp split (split_zhou_*.json), a feature file "
    "(.npz), Hugging Face data (hf:OWNER/NAME, hf:FOLDER, .parquet, .arrow), or a known name: "
    f"{', '.join((*DATASETS, *EVERY_NAME))}"
)


GROUPS: dict[str, tuple[str, ...]] = {
    "eleven": tuple(DATASETS)[:11],
    "imagenet-shifts": tuple(DATASETS)[11:],
    MINI: MINI_NAMES,
    "mini-shifts": SHIFT_NAMES,
    HARDER: tuple(HARDER_NAMES),
}
"""Names that stand for several data sets: those of the field's tables, and of the mini world."""


def load_dataset(
    source: str | Path, root: str | Path | None = None, check_files: bool = True
) -> Split | FeatureFile:
    """Read a data set by known name, from a folder, a table, a split file, a feature file, or Hugging Face.

    A known name is looked up below ``root``, as in ``load_dataset("caltech101", "data")``; those of the mini
    world (``"mini-flowers"``) are drawn when they are first asked for.
    For a split file ``root`` is the folder that its paths start at; otherwise it is not used. What begins
    with ``hf:`` is described in `promptlet.data.hugging_face.source`.
    check_files: False keeps the images of a table that are not there, for `without_unreadable` to leave out.
    Raises `OptionError` for a name that is not known or lacks ``root``, `DataError` for what cannot be read,
    and `MissingExtraError` for Hugging Face data without their package.
    """
    if is_hub_source(source):
        return read_hugging_face(source)
    if isinstance(source, str) and source in DATASETS:
        return _load_known(DATASETS[source], root)
    if isinstance(source, str) and source in EVERY_NAME:
        from promptlet.data.readers.mini_world import read_mini

        return read_mini(source)
    path = Path(source)
    if is_folder(path):
        return _read_folder(path)
    if not is_there(path):
        raise _not_found(str(source), path)
    if not is_file(path):
        raise DataError(f"{path}: is not a regular file, but a device, a pipe or a socket; allowed: {KINDS}")
    match path.suffix.lower():
        case ".csv" | ".tsv":
            return read_table(path, check_files)
        case ".json":
            return read_coop_split(path, root)
        case ".npz":
            return read_feature_file(path)
        case ".parquet" | ".arrow":
            return read_hugging_face(path)
    raise DataError(f"{path}: files ending in {path.suffix!r} are not read as a data set; allowed: {KINDS}")


def read_own(source: str | Path, check_files: bool = True) -> Split | FeatureFile:
    """A person's own data by its path: a bare name is a folder here, never a data set known by name.

    check_files: as in `load_dataset`. Raises DataError, MissingExtraError.
    """
    if is_hub_source(source):
        return read_hugging_face(source)
    path = Path(source)
    return load_dataset(path, check_files=check_files) if is_there(path) else read_folder(path)


def expand_names(sources: Sequence[str]) -> list[str]:
    """The sources, with the names of `GROUPS` replaced by what they stand for."""
    return [name for source in sources for name in GROUPS.get(source, (source,))]


def _read_folder(path: Path) -> Split:
    """Folders of images; for one that is a data set of another kind, the error says how to give it."""
    try:
        return read_folder(path)
    except DataError as error:
        if looks_saved(path):
            raise DataError(
                f"{error}; for what Hugging Face datasets has saved here, give hf:{path}"
            ) from error
        raise


def _load_known(spec: DatasetSpec, root: str | Path | None) -> Split:
    if root is None:
        raise OptionError(
            f"the data set {spec.name!r} needs root, the folder that holds {spec.folder}/; for a folder "
            f"of images called {spec.name!r}, give a path such as './{spec.name}'"
        )
    return load_known(spec, root)


def _not_found(source: str, path: Path) -> DataError | OptionError:
    if path.suffix or len(path.parts) > 1:
        return DataError(f"{source}: there is no such file or folder; allowed: {KINDS}")
    hint = did_you_mean(source, (*DATASETS, *EVERY_NAME, *GROUPS))
    return OptionError(
        f"data set {source!r} is neither a known name nor an existing path; allowed: {KINDS}.{hint}"
    )
