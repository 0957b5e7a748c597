"""Feature vectors on disk, so that one view of one image is encoded once per backbone, ever.

The cache never stands in the way: when the disk is full, the folder cannot be written or another process
holds the file too long, the work goes on without it and `FeatureCache.notes` says why. A wrong vector is
never returned: each entry carries a checksum over its key and its numbers. A damaged file is renamed to
``*.damaged`` and a new one begun.

Processes and threads may use one folder at once: every call opens its own connection and writes one
transaction, so a kill at any moment loses at most that batch, and a fork inherits nothing open.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from promptlet.data.cache import store
from promptlet.data.cache.store import Key, Vector
from promptlet.errors import DataError, OptionError

T = TypeVar("T")

FILE_NAME = f"features-{store.SCHEMA_VERSION}.sqlite"
USE_TIME_STEP = 6 * 3600
"""Seconds: use times are kept this coarse, so that reading a fresh entry writes nothing."""

CIRCUMSTANCES = (
    "locked",
    "full",
    "disk i/o error",
    "unable to open",
    "readonly",
    "out of memory",
    "interrupted",
)
"""Words in SQLite's messages that speak of the surroundings, not of damage to the file."""


@dataclass(frozen=True)
class CacheStats:
    """Where the cache is, how many entries it has, its size on disk in bytes, and entries per fingerprint."""

    path: Path
    entries: int
    bytes: int
    by_fingerprint: dict[str, int] = field(default_factory=dict)


class FeatureCache:
    """Vectors (D,) float32 by backbone fingerprint, image content hash and view.

    ``folder`` defaults to ``$PROMPTLET_CACHE``, else the user's cache folder. Above ``max_bytes`` the least
    recently used entries go. ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        max_bytes: int = 4 * 2**30,
        clock: Callable[[], float] = time.time,
        busy_seconds: float = store.BUSY_SECONDS,
    ) -> None:
        if max_bytes < store.MIN_BYTES:
            raise OptionError(f"max_bytes={max_bytes} is not allowed; allowed: at least {store.MIN_BYTES:,}")
        self.path = (default_folder() if folder is None else Path(folder)) / FILE_NAME
        self.max_bytes = max_bytes
        self.notes: list[str] = []
        self._clock = clock
        self._busy_seconds = busy_seconds

    def get_many(self, fingerprint: str, keys: Sequence[Key]) -> dict[Key, Vector]:
        """The vectors found, by (content hash, view); what is missing or damaged is left out."""
        if not keys or not os.path.lexists(self.path):
            return {}
        return self._run(lambda database: self._get(database, fingerprint, keys), {})

    def put_many(self, fingerprint: str, vectors: Mapping[Key, npt.NDArray[Any]]) -> int:
        """Store (D,) vectors by (content hash, view) in one transaction; how many were stored (all, or 0).

        Vectors with numbers that are not finite are passed over, with a note. Raises `DataError` for other
        shapes.
        """
        payloads = {
            key: payload for key, vector in vectors.items() if (payload := self._payload(key, vector))
        }
        if not payloads:
            return 0

        def put(database: sqlite3.Connection) -> int:
            store.write(database, fingerprint, payloads, self._now(), self.max_bytes)
            return len(payloads)

        return self._run(put, 0)

    def stats(self) -> CacheStats:
        """Counts and size now; all zero when there is no cache yet."""
        rows: dict[str, int] = {}
        if self.path.exists():
            rows = self._run(store.rows_by_fingerprint, rows)
        size = self.path.stat().st_size if self.path.exists() else 0
        return CacheStats(self.path, sum(rows.values()), size, rows)

    def clear(self, fingerprint: str | None = None) -> int:
        """Remove the entries of one backbone, or all; how many were removed. Raises DataError, with the
        reason, where they could not be."""
        if not self.path.exists():
            return 0
        removed = self._run(lambda database: store.clear(database, fingerprint), -1)
        if removed < 0:
            reason = self.notes[-1].replace("going on without the feature cache ", "")
            raise DataError(f"the cache was not cleared: {reason}; try again, or remove {self.path} by hand")
        return removed

    def _get(self, database: sqlite3.Connection, fingerprint: str, keys: Sequence[Key]) -> dict[Key, Vector]:
        found, damaged, used = store.read(database, fingerprint, keys)
        now = self._now()
        stale = [row for row, last in used.items() if last < now]
        if damaged:
            self._note(
                f"{self.path}: some entries were damaged; they were dropped and will be computed again"
            )
        if damaged or stale:
            try:
                store.drop_and_touch(database, damaged, stale, now)
            except sqlite3.OperationalError as error:  # what was read is good all the same
                self._note(f"{self.path}: use times could not be stored ({error})")
        return found

    def _payload(self, key: Key, vector: npt.NDArray[Any]) -> bytes:
        if vector.ndim != 1 or vector.size == 0:
            raise DataError(
                f"the feature cache stores vectors (D,); the one for {key} has shape {vector.shape}"
            )
        with np.errstate(over="ignore", under="ignore"):
            narrow = vector.astype("<f4")
        if np.isfinite(narrow).all():
            return narrow.tobytes()
        self._note("features that are not finite (NaN or infinity) were not stored in the cache")
        return b""

    def _now(self) -> int:
        return int(self._clock() // USE_TIME_STEP)

    def _run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """``work`` on an open connection; a damaged file is set aside once; else a note and ``otherwise``."""
        for _ in range(2):
            identity = _identity(self.path)
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with store.connection(self.path, self._busy_seconds) as database:
                    return work(database)
            except sqlite3.ProgrammingError:
                raise
            except (sqlite3.Error, store.DamagedStoreError) as error:
                if not self._is_damage(error):
                    self._note(f"{self.path}: going on without the feature cache ({error})")
                    return otherwise
                if not self._set_aside(identity, error):
                    return otherwise
            except OSError as error:
                self._note(f"{self.path}: going on without the feature cache ({error.strerror or error})")
                return otherwise
        self._note(f"{self.path}: going on without the feature cache (damaged again at once)")
        return otherwise

    def _is_damage(self, error: Exception) -> bool:
        message = str(error).lower()
        if "readonly" in message and self.path.is_file():
            # A flipped header byte also makes a database read-only.
            return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        if isinstance(error, sqlite3.OperationalError):
            return not any(words in message for words in CIRCUMSTANCES)
        return True

    def _set_aside(self, identity: tuple[int, int] | None, error: Exception) -> bool:
        """Rename the damaged file; whether another try makes sense."""
        if _identity(self.path) != identity:
            return True  # another process has set it aside already
        aside = self.path.with_name(f"{self.path.name}.damaged")
        journal = self.path.with_name(f"{self.path.name}-journal")
        try:
            journal.unlink(missing_ok=True)  # or it would be rolled back into the new file
            self.path.replace(aside)
        except OSError as problem:
            self._note(f"{self.path}: damaged ({error}), and cannot be set aside ({problem.strerror})")
            return False
        self._note(
            f"{self.path}: was damaged ({error}); it was set aside as {aside.name} and a new cache begun"
        )
        return True

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def default_folder() -> Path:
    """``$PROMPTLET_CACHE`` when set and not empty, else the user's cache folder."""
    chosen = os.environ.get("PROMPTLET_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("promptlet", appauthor=False)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, to notice that another process has replaced the file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def choose_cache(given: bool | str | Path | FeatureCache) -> FeatureCache | None:
    """The user's cache for True, that in a folder, a cache as it is, or none for False."""
    if isinstance(given, FeatureCache):
        return given
    return None if not given else FeatureCache() if given is True else FeatureCache(given)
