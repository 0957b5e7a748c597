"""The SQLite file under `FeatureCache`: schema, checksums, eviction. One connection per call, never shared.

A rollback journal, not a write-ahead log, because the latter needs shared memory that network disks lack.
Auto-vacuum is incremental so that evicted rows give their space back.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
PAGE_BYTES = 16384
"""Seven 512-number vectors fit a page; SQLite's default page of 4096 bytes would hold one and waste half."""
MIN_BYTES = 64 * PAGE_BYTES
KEEP_FRACTION = 0.9
"""Eviction goes on until the entries fill at most this part of what is allowed, so that it is rare."""

SCHEMA = """
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, image TEXT NOT NULL, view TEXT NOT NULL,
    used INTEGER NOT NULL, payload BLOB NOT NULL, checksum BLOB NOT NULL,
    UNIQUE (fingerprint, image, view)
)"""
OLDEST_FIRST = "CREATE INDEX oldest_first ON vectors (used)"

Key = tuple[str, str]
Vector = npt.NDArray[np.float32]


class DamagedStoreError(Exception):
    """The file is a database, but not with this schema."""


@contextmanager
def connection(path: Path, busy_seconds: float = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection for one batch; whatever is not committed when it closes is rolled back."""
    with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as database:
        database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        database.execute("PRAGMA synchronous = NORMAL")
        if _version(database) == 0:
            _create(database)
        if _version(database) != SCHEMA_VERSION:
            raise DamagedStoreError(f"unknown schema version {_version(database)}")
        yield database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _create(database: sqlite3.Connection) -> None:
    # Both must come before the first table.
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    with transaction(database):
        if _version(database) == 0:  # another process may have come first
            database.execute(SCHEMA)
            database.execute(OLDEST_FIRST)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; waits for other writers."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def checksum(fingerprint: str, image: str, view: str, payload: bytes) -> bytes:
    """8 bytes over key and payload, so that a vector stored under another key's row is found out too."""
    digest = hashlib.blake2b(digest_size=8, person=b"promptlet-cache")
    for part in (fingerprint.encode(), image.encode(), view.encode(), payload):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def read(
    database: sqlite3.Connection, fingerprint: str, keys: Iterable[Key]
) -> tuple[dict[Key, Vector], list[int], dict[int, int]]:
    """Good vectors by key, the row ids of damaged entries, and the use times of the good rows by row id."""
    found: dict[Key, Vector] = {}
    damaged: list[int] = []
    used: dict[int, int] = {}
    query = "SELECT id, used, payload, checksum FROM vectors WHERE fingerprint = ? AND image = ? AND view = ?"
    for image, view in keys:
        row = database.execute(query, (fingerprint, image, view)).fetchone()
        if row is None:
            continue
        if _is_intact(row, fingerprint, image, view):
            found[image, view] = np.frombuffer(row[2], dtype="<f4").astype(np.float32)
            used[row[0]] = row[1]
        else:
            damaged.append(row[0])
    return found, damaged, used


def _is_intact(row: tuple[object, ...], fingerprint: str, image: str, view: str) -> bool:
    _, used, payload, stored = row
    if not isinstance(payload, bytes) or not isinstance(used, int) or len(payload) % 4:
        return False
    return checksum(fingerprint, image, view, payload) == stored


def drop_and_touch(
    database: sqlite3.Connection, damaged: Iterable[int], touched: Iterable[int], now: int
) -> None:
    """Remove damaged rows and set the use time of others."""
    with transaction(database):
        database.executemany("DELETE FROM vectors WHERE id = ?", [(row,) for row in damaged])
        database.executemany("UPDATE vectors SET used = ? WHERE id = ?", [(now, row) for row in touched])


def write(
    database: sqlite3.Connection, fingerprint: str, payloads: dict[Key, bytes], now: int, max_bytes: int
) -> None:
    """Insert or replace, then evict the least recently used down to ``max_bytes``; one transaction."""
    rows = [
        (fingerprint, image, view, now, payload, checksum(fingerprint, image, view, payload))
        for (image, view), payload in payloads.items()
    ]
    with transaction(database):
        database.executemany(
            "INSERT OR REPLACE INTO vectors (fingerprint, image, view, used, payload, checksum) VALUES "
            "(?,?,?,?,?,?)",
            rows,
        )
        evicted = _evict(database, max_bytes)
    if evicted:
        give_space_back(database)


def _evict(database: sqlite3.Connection, max_bytes: int) -> bool:
    """Whether anything had to go."""
    used = used_bytes(database)
    if used <= max_bytes:
        return False
    while used > max_bytes * KEEP_FRACTION:
        count = int(database.execute("SELECT count(*) FROM vectors").fetchone()[0])
        if count == 0:
            break
        excess = -(-count * (used - int(max_bytes * KEEP_FRACTION)) // used)
        oldest = "SELECT id FROM vectors ORDER BY used, id LIMIT ?"
        database.execute(f"DELETE FROM vectors WHERE id IN ({oldest})", (max(1, excess),))
        used = used_bytes(database)
    return True


def used_bytes(database: sqlite3.Connection) -> int:
    """Bytes of the pages in use, the free ones left out."""
    pages, free, size = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def give_space_back(database: sqlite3.Connection) -> None:
    """Shrink the file by its free pages; outside a transaction."""
    database.executescript("PRAGMA incremental_vacuum")  # `execute` would stop after one page


def clear(database: sqlite3.Connection, fingerprint: str | None) -> int:
    """Remove the entries of one backbone, or all; how many there were. Their room is given back.

    The journal is in memory: a full disk has no room for one, and is why people clear. A kill in the middle
    may cost the file, whose entries are all made again.
    """
    database.execute("PRAGMA journal_mode = MEMORY")
    with transaction(database):
        if fingerprint is None:
            removed = database.execute("DELETE FROM vectors").rowcount
        else:
            removed = database.execute("DELETE FROM vectors WHERE fingerprint = ?", (fingerprint,)).rowcount
    give_space_back(database)
    return removed


def rows_by_fingerprint(database: sqlite3.Connection) -> dict[str, int]:
    """Entries per backbone."""
    rows = database.execute(
        "SELECT fingerprint, count(*) FROM vectors GROUP BY fingerprint ORDER BY fingerprint"
    )
    return {str(fingerprint): int(count) for fingerprint, count in rows}
