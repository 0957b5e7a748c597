"""How a data set in the formats of Hugging Face `datasets` is named: on its hub, or in a folder or file here.

``hf:OWNER/NAME[:CONFIG][@REVISION]``, ``hf:FOLDER[:CONFIG]`` or ``hf:FILE``, each perhaps followed by
``?image=COLUMN&label=COLUMN``. What exists on disk comes before the hub. A .parquet or .arrow file needs no
``hf:`` where no column is chosen.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote

from promptlet.data.files import is_file, is_there
from promptlet.errors import DataError, OptionError, did_you_mean

PREFIX = "hf:"
SUFFIXES = (".parquet", ".arrow")
DICT, STATE = "dataset_dict.json", "state.json"
"""Files of which `save_to_disk` writes one: of several splits, and of one."""
OPTIONS = ("image", "label")
GRAMMAR = (
    "hf:OWNER/NAME[:CONFIG][@REVISION], hf:FOLDER or hf:FILE.parquet, perhaps with ?image=COLUMN&label=COLUMN"
)
_BODY = re.compile(r"(?P<place>[^:@]+)(?::(?P<config>[^@]+))?(?:@(?P<revision>.+))?")
_HUB_ID = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """``place``: an id on the hub, or a path if ``is_local``. ``image``, ``label``: columns, where chosen."""

    place: str
    is_local: bool
    config: str | None = None
    revision: str | None = None
    image: str | None = None
    label: str | None = None

    @property
    def text(self) -> str:
        """The source in words that give it again, whatever folder one is in."""
        place = str(Path(self.place).resolve()) if self.is_local else self.place
        options = [
            f"{name}={quote(value, safe='')}"
            for name, value in (("image", self.image), ("label", self.label))
            if value is not None
        ]
        return f"{PREFIX}{place}{self._which}" + (f"?{'&'.join(options)}" if options else "")

    @property
    def name(self) -> str:
        """In tables: the hub's id, or the name of folder or file; and the label, where one is chosen."""
        place = Path(self.place).resolve() if self.is_local else None
        short = self.place if place is None else place.stem if is_file(place) else place.name
        return f"{short}{self._which}" + (f"?label={self.label}" if self.label is not None else "")

    @property
    def _which(self) -> str:
        config = f":{self.config}" if self.config else ""
        return config + (f"@{self.revision}" if self.revision else "")


def is_hub_source(source: str | Path) -> bool:
    """Whether it begins with ``hf:``."""
    return str(source).startswith(PREFIX)


def looks_saved(folder: Path) -> bool:
    """Whether `datasets` has written this folder, or one of Parquet files."""
    names: list[str] = []
    for place in (folder, folder / "data"):
        with suppress(OSError):  # one may not look, or there is none
            names += [path.name for path in place.iterdir()]
    has_tables = any(name.lower().endswith(SUFFIXES) for name in names)
    return has_tables or any(is_file(folder / name) for name in (DICT, STATE))


def local_path(source: str | Path) -> Path | None:
    """Where a source of any kind lies on this disk; None for one on the hub. Raises as `parse_source`."""
    if not is_hub_source(source):
        return Path(source)
    parsed = parse_source(source)
    return Path(parsed.place) if parsed.is_local else None


def parse_source(source: str | Path) -> HubSource:
    """The parts of a source. Raises `OptionError` for another grammar, `DataError` where there is nothing."""
    text = str(source)
    body = text.removeprefix(PREFIX)
    if _is_there(body):
        return HubSource(place=body, is_local=True)
    body, _, query = body.partition("?")
    options = _options(query, text)
    if _is_there(body):
        return HubSource(place=body, is_local=True, **options)
    found = _BODY.fullmatch(body)
    if found is None:
        raise OptionError(f"{text}: is no source of Hugging Face data; write {GRAMMAR}")
    place, config, revision = found["place"], found["config"], found["revision"]
    if _is_there(place):
        if revision:
            raise OptionError(f"{text}: {place} is on this disk and has no revisions; leave out @{revision}")
        return HubSource(place=place, is_local=True, config=config, **options)
    if not is_hub_source(text) or not _HUB_ID.fullmatch(place) or place.endswith(SUFFIXES):
        raise DataError(f"{text}: there is no such file or folder; write {GRAMMAR}")
    return HubSource(place=place, is_local=False, config=config, revision=revision, **options)


def _is_there(place: str) -> bool:
    return bool(place) and is_there(Path(place))


def _options(query: str, text: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if query and (len(options) != len(pairs) or not pairs or not all(options.values())):
        raise OptionError(f"{text}: {query!r} is not ?image=COLUMN&label=COLUMN, each of them at most once")
    for name in options:
        if name not in OPTIONS:
            raise OptionError(
                f"{text}: the option {name!r} is not known; allowed: {', '.join(OPTIONS)}."
                f"{did_you_mean(name, OPTIONS)}"
            )
    return options
