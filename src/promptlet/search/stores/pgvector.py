"""PostgreSQL with the extension pgvector: a script for `psql`, or straight into a database.

The table has id bigint, path text and embedding vector(D), of length 1. The whole of it appears or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.errors import MissingExtraError, OptionError
from promptlet.search.file import BLOCK, Stored
from promptlet.search.stores.names import storable
from promptlet.search.stores.whole import whole

ADDRESSES = ("postgresql://", "postgres://")
MOST = 16_000
"""Numbers of a vector, in pgvector."""
NUMBER_BYTES = 10
"""Of a number in a script, about."""
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def is_address(out: str) -> bool:
    """Whether this is a database, and no file."""
    return out.startswith(ADDRESSES)


def installed() -> Any:
    """The psycopg package, and that pgvector is beside it. Raises MissingExtraError."""
    try:
        import pgvector.psycopg  # noqa: F401
        import psycopg
    except ImportError as error:
        raise MissingExtraError(
            "a database is written to by the optional packages psycopg and pgvector: pip install "
            "'promptlet[pgvector]'; a script for psql needs neither: --out NAME.sql"
        ) from error
    return psycopg


def write_script(stored: Stored, path: Path, name: str) -> None:
    """SQL for `psql -f`, in one transaction. Raises OptionError."""
    needed = stored.features.size * NUMBER_BYTES
    with whole(path, needed) as draft, draft.open("x", encoding="utf-8", newline="\n") as file:
        file.write(f"-- {len(stored):,} images by {stored.facts.backbone!a}\n")
        file.write(
            "\\set ON_ERROR_STOP on\n\\encoding UTF8\nBEGIN;\nCREATE EXTENSION IF NOT EXISTS vector;\n"
        )
        file.write(f"{_table(name, stored.dim)};\n")
        file.write(f'COPY "{name}" (id, path, embedding) FROM stdin;\n')
        for row, place, vector in _rows(stored):
            numbers = ",".join(f"{number:.6g}" for number in vector.tolist())
            file.write(f"{row}\t{place.translate(_ESCAPED)}\t[{numbers}]\n")
        file.write("\\.\nCOMMIT;\n")


def check(address: str, name: str, force: bool) -> None:
    """Raise OptionError where the database cannot be used, or has a table of this name; MissingExtraError."""
    psycopg = installed()
    with _told(psycopg), psycopg.connect(address) as connection:
        found = connection.execute("SELECT to_regclass(%s)", (f'"{name}"',)).fetchone()
        known = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone()
    if known is None:
        raise OptionError(
            "this PostgreSQL has no pgvector; install it on the server, such as the package "
            "postgresql-16-pgvector"
        )
    if found[0] is not None and not force:
        raise OptionError(
            f"the database has a table {name} already; give another --name, or --force to write over it"
        )


def write_database(stored: Stored, address: str, name: str, force: bool) -> str:
    """A table, in one transaction; where it is, in words. Raises OptionError."""
    psycopg = installed()
    from pgvector.psycopg import register_vector

    with _told(psycopg), psycopg.connect(address) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        if force:
            connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        connection.execute(_table(name, stored.dim))
        command = f'COPY "{name}" (id, path, embedding) FROM STDIN WITH (FORMAT BINARY)'
        with connection.cursor().copy(command) as copy:
            copy.set_types(("int8", "text", "vector"))
            for row in _rows(stored):
                copy.write_row(row)
        told = connection.info
        return f"table {name} of the database {told.dbname} at {told.host or 'the local server'}"


def _table(name: str, dim: int) -> str:
    if dim > MOST:
        raise OptionError(f"vectors of {dim:,} numbers are more than the {MOST:,} of pgvector")
    columns = f"id bigint PRIMARY KEY, path text NOT NULL, embedding vector({dim}) NOT NULL"
    return f'CREATE TABLE "{name}" ({columns})'


def _rows(stored: Stored) -> Iterator[tuple[int, str, np.ndarray]]:
    for start in range(0, len(stored), BLOCK):
        block = np.asarray(stored.features[start : start + BLOCK], np.float32)
        for row, vector in enumerate(block, start):
            yield row, storable(stored.paths[row]), vector


@contextmanager
def _told(psycopg: Any) -> Iterator[None]:
    """What the database refuses is an OptionError, without its address, which may hold a password."""
    try:
        yield
    except psycopg.Error as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise OptionError(f"the database cannot be written: {said}") from None
