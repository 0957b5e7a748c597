"""A real PostgreSQL with pgvector: the script and the address lead to a table that finds the same.

The server is this test's own: on a socket in a folder of its own, without a port, as no super-user of the
machine, and ended afterwards. Where there is none, the reason is told.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_vectors import COUNT, DIM, ODD, ten_best

from promptlet.errors import OptionError
from promptlet.search.file import Stored
from promptlet.search.stores import pgvector
from promptlet.search.stores.choose import Store

pytestmark = pytest.mark.slow
SECONDS = 60


def binaries() -> Path:
    """Where initdb and pg_ctl lie. Skips where they do not."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        pytest.skip("no PostgreSQL server is installed")
    return places[-1]


def as_whom() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then as the first of two users that may be there."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    pytest.skip("this is root, and there is no other user to run PostgreSQL as")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of an empty database."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    place, user = binaries(), as_whom()
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the name of a socket is short
    if user:
        os.chown(folder, user["user"], user["group"])
    data = folder / "data"
    quiet = {"check": True, "capture_output": True, "timeout": SECONDS, "cwd": folder, **user}
    control = [str(place / "pg_ctl"), "-D", str(data), "-w", "-t", str(SECONDS)]
    try:
        subprocess.run(
            [place / "initdb", "-D", data, "--locale=C", "-U", "tester", "-A", "trust", "-N", "-E", "UTF8"],
            **quiet,
        )
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        subprocess.run([*control, "-l", str(folder / "log"), "-o", options, "start"], **quiet)
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def connection(address: str) -> Iterator[Any]:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone()
        if found is None:
            pytest.skip("this PostgreSQL has no extension pgvector")
        yield connection


def found_by(connection: Any, table: str, asked: np.ndarray) -> list[int]:
    from pgvector.psycopg import register_vector

    register_vector(connection)
    query = f"SELECT id FROM {table} ORDER BY embedding <#> %s LIMIT 10"
    return [row[0] for row in connection.execute(query, (asked,)).fetchall()]


def test_straight_into_a_database(
    stored: Stored,
    asked: np.ndarray,
    address: str,
    connection: Any,
) -> None:
    told = Store("pgvector", address, name="straight").write(stored)
    assert told.startswith("table straight of the database postgres at ")
    assert found_by(connection, "straight", asked) == ten_best(stored, asked)
    paths = [row[0] for row in connection.execute("SELECT path FROM straight ORDER BY id LIMIT 5").fetchall()]
    assert paths == [*ODD[:4], "caf\\udce9.jpg"]
    with pytest.raises(OptionError, match="has a table straight already"):
        Store("pgvector", address, name="straight").write(stored)
    Store("pgvector", address, name="straight", force=True).write(stored)
    assert connection.execute("SELECT count(*) FROM straight").fetchone() == (COUNT,)


def test_by_the_script(
    stored: Stored,
    asked: np.ndarray,
    address: str,
    connection: Any,
    tmp_path: Path,
) -> None:
    out = tmp_path / "photos.sql"
    Store("pgvector", str(out), name="script").write(stored)
    psql = [binaries() / "psql", "-X", "-q", address, "-f", out]
    subprocess.run(psql, check=True, capture_output=True, timeout=SECONDS)
    assert found_by(connection, "script", asked) == ten_best(stored, asked)
    paths = [row[0] for row in connection.execute("SELECT path FROM script ORDER BY id LIMIT 4").fetchall()]
    assert paths == list(ODD[:4])
    again = subprocess.run(psql, capture_output=True, timeout=SECONDS)
    assert again.returncode != 0  # the table is there: nothing is added to it
    assert connection.execute("SELECT count(*) FROM script").fetchone() == (COUNT,)


def test_a_failure_in_the_middle_leaves_no_table(
    stored: Stored,
    address: str,
    connection: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rows(_stored: Stored) -> Iterator[tuple[int, str, np.ndarray]]:
        yield 0, "a", np.zeros(DIM, np.float32)
        yield 0, "twice", np.zeros(DIM, np.float32)

    monkeypatch.setattr(pgvector, "_rows", rows)
    with pytest.raises(OptionError, match="the database cannot be written: duplicate key"):
        Store("pgvector", address, name="half").write(stored)
    assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_an_address_that_leads_nowhere_is_told_without_its_password(stored: Stored) -> None:
    pytest.importorskip("psycopg")
    address = "postgresql://me:secret@/postgres?host=/absent"
    with pytest.raises(OptionError, match="the database cannot be written: connection") as told:
        Store("pgvector", address).check()
    assert "secret" not in str(told.value)
