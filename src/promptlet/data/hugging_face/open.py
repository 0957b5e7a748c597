"""Open what Hugging Face `datasets` has written to this disk. No code of a data set is ever run.

`datasets` is an optional package, loaded here only. What it prints is off meanwhile, and whatever it raises
becomes a `DataError`.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.data.files import files_below, is_file, read_text
from promptlet.data.hugging_face.columns import Features
from promptlet.data.hugging_face.source import DICT, STATE, SUFFIXES, HubSource
from promptlet.errors import DataError, MissingExtraError

ROWS = 64
"""Rows read at a time."""
EXPECTED = (
    "expected what `datasets` saves: a folder of save_to_disk, Parquet files such as "
    "data/train-00000-of-00001.parquet, or one .parquet or .arrow file"
)


@dataclass(frozen=True)
class OpenSplit:
    """``tables(columns)``: its rows as Arrow tables of these columns."""

    features: Features
    tables: Callable[[list[str]], Iterator[Any]]


@dataclass(frozen=True)
class Opened:
    """Splits by name. ``files``: those on disk that hold the rows. ``commit``: the hub's, where known."""

    splits: Mapping[str, OpenSplit]
    files: tuple[Path, ...]
    commit: str = ""


def local_files(source: HubSource) -> tuple[Path, ...]:
    """Every file of a source on this disk, by path; hidden ones are left out."""
    place = Path(source.place)
    if is_file(place):
        return (place,)
    return tuple(files_below(place))


def open_local(source: HubSource) -> Opened:
    """The splits of a folder or file. Raises `DataError` for what cannot be read, `MissingExtraError`."""
    datasets = import_datasets()
    with quiet(datasets), readable(source):
        return Opened(_splits(datasets, source), local_files(source))


@contextmanager
def readable(source: HubSource) -> Iterator[None]:
    """Turn whatever `datasets` and Arrow raise into a `DataError` about ``source``."""
    try:
        yield
    except (DataError, MissingExtraError):
        raise
    except Exception as error:  # they raise OSError, ValueError, KeyError, RuntimeError and their own
        said = " ".join(str(error).split())
        has_no_data = type(error).__name__ in ("EmptyDatasetError", "DataFilesNotFoundError")
        hint = "download or save it again"
        if re.search(r"[Dd]ataset scripts? ", said):
            hint = "a data set that is a program is never run"
            if not source.is_local:
                hint += f"; on the hub, most are there as Parquet too: hf:{source.place}@refs/convert/parquet"
        elif re.search(r"BuilderConfig|[Cc]onfig name", said):
            hint = f"choose a configuration: hf:{source.place}:CONFIG"
        elif source.is_local and has_no_data and any(sign in source.place for sign in "*?[]"):
            hint = "datasets takes *, ?, [ and ] in paths for patterns; rename the folder"
        elif has_no_data:
            hint = EXPECTED
        raise DataError(
            f"{source.text}: cannot be read ({type(error).__name__}: {said[:400]}); {hint}"
        ) from error


def import_datasets() -> Any:
    """The package. Raises `MissingExtraError`."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            "Hugging Face data sets need the optional package datasets: pip install 'promptlet[huggingface]'"
        ) from error
    return datasets


@contextmanager
def quiet(datasets: Any) -> Iterator[None]:
    """No bars and no warnings of `datasets` and its hub client; their settings are put back."""
    import huggingface_hub.utils

    hub: Any = huggingface_hub.utils
    with warnings.catch_warnings(), ExitStack() as after:
        warnings.simplefilter("ignore")
        for bars in (datasets, hub):
            if not bars.are_progress_bars_disabled():
                after.callback(bars.enable_progress_bars)
                bars.disable_progress_bars()
        for logging in (datasets.logging, hub.logging):
            after.callback(logging.set_verbosity, logging.get_verbosity())
            logging.set_verbosity(logging.CRITICAL)
        yield


def _splits(datasets: Any, source: HubSource) -> dict[str, OpenSplit]:
    place = Path(source.place)
    if is_file(place):
        return {"train": _open_file(datasets, place)}
    if is_file(place / DICT):
        names = json.loads(read_text(place / DICT))["splits"]
        return {str(name): _saved(datasets, place / name) for name in names}
    if is_file(place / STATE):
        name = json.loads(read_text(place / STATE)).get("_split")
        return {str(name or "train"): _saved(datasets, place)}
    files = local_files(source)
    if not files:
        raise DataError(f"{place}: this folder is empty; {EXPECTED}")
    # Tables are read where they lie; of other kinds, datasets makes tables in its own cache.
    has_tables = any(path.suffix.lower() in SUFFIXES for path in files)
    loaded = load(datasets, str(place.resolve()), source.config, streaming=has_tables)
    return {name: split_of(part) for name, part in loaded.items()}


def _saved(datasets: Any, folder: Path) -> OpenSplit:
    """What `Dataset.save_to_disk` has written; `datasets` itself cannot load one that is empty."""
    if not json.loads(read_text(folder / STATE))["_data_files"]:
        features = datasets.DatasetInfo.from_directory(str(folder)).features
        return OpenSplit(dict(features), lambda _: iter(()))
    return split_of(datasets.load_from_disk(str(folder)))


def load(datasets: Any, path: str, config: str | None, **options: Any) -> Any:
    """`datasets.load_dataset`, which must not run code."""
    if int(datasets.__version__.partition(".")[0]) < 4:  # later versions run no code at all
        options["trust_remote_code"] = False
    return datasets.load_dataset(path, config, **options)


def split_of(part: Any) -> OpenSplit:
    """A `Dataset` or an `IterableDataset`."""

    def tables(columns: list[str]) -> Iterator[Any]:
        rows = part.select_columns(columns).with_format("arrow")
        return iter(rows.iter(batch_size=ROWS))

    return OpenSplit(dict(part.features or {}), tables)


def _open_file(datasets: Any, path: Path) -> OpenSplit:
    """One file, read where it lies: Parquet, or Arrow in either of its formats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: is no {' or '.join(SUFFIXES)} file; {EXPECTED}")
    if suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    else:
        with pa.OSFile(str(path)) as stored:
            schema = _arrow_reader(pa, stored).schema

    def tables(columns: list[str]) -> Iterator[Any]:
        if suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=ROWS, columns=columns):
                    yield pa.Table.from_batches([batch])
            return
        with pa.OSFile(str(path)) as stored:  # not mapped: what is cut off later would end the process
            reader = _arrow_reader(pa, stored)
            for batch in _arrow_batches(reader):
                batch.validate(full=True)  # offsets that lead astray would end it, too
                for start in range(0, batch.num_rows, ROWS):
                    yield pa.Table.from_batches([batch.slice(start, ROWS)]).select(columns)

    for place, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):  # as pandas stores a category
            schema = schema.set(place, field.with_type(field.type.value_type))
    return OpenSplit(dict(datasets.Features.from_arrow_schema(schema)), tables)


def _arrow_reader(pa: Any, stored: Any) -> Any:
    """A stream, as `datasets` writes it, or a file with its table of contents at the end."""
    try:
        return pa.ipc.open_stream(stored)
    except pa.ArrowInvalid:
        stored.seek(0)
        return pa.ipc.open_file(stored)


def _arrow_batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)
