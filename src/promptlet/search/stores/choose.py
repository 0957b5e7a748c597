"""Which store is asked for, and where: checked before any work, then written by its own file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from promptlet.errors import OptionError, check_option, shown
from promptlet.search.file import Stored
from promptlet.search.stores import faiss, npz, pgvector, qdrant
from promptlet.search.stores.whole import check_free

WRITERS: dict[str, Callable[[Stored, Path, str], None]] = {
    "faiss": faiss.write,
    "qdrant": qdrant.write,
    "pgvector": pgvector.write_script,
    "npz": npz.write,
}
NEEDED: dict[str, Callable[[], object]] = {"faiss": faiss.installed, "qdrant": qdrant.installed}
NAME = "photos"
"""Of the table or collection where none is given."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True)
class Store:
    """kind: of `WRITERS`. out: a file, a folder for qdrant, or the address of a PostgreSQL database. name: of
    the table or collection."""

    kind: str
    out: str
    name: str = NAME
    force: bool = False

    def check(self) -> None:
        """Before any work: whether it can be written, and its library is here. Raises OptionError,
        MissingExtraError."""
        check_option("export", self.kind, WRITERS)
        if not _PLAIN.fullmatch(self.name):
            raise OptionError(
                f"--name {shown(self.name)} is no name of a table; give letters, digits and _, beginning "
                "with a letter, at most 63"
            )
        if self.is_database:
            pgvector.check(self.out, self.name, self.force)
            return
        NEEDED.get(self.kind, lambda: None)()
        path = Path(self.out)
        if not path.parent.is_dir():
            raise OptionError(f"--out {path}: the folder {path.parent} does not exist; create it first")
        beside = [faiss.paths_file(path)] if self.kind == "faiss" else []
        for one in (path, *beside):
            check_free(one, self.force)
        if path.exists() and path.is_dir() != (self.kind == "qdrant"):
            raise OptionError(f"--out {path} exists and is of another kind; give another name")
        if self.kind == "qdrant" and path.exists():
            qdrant.check_own(path)

    @property
    def is_database(self) -> bool:
        """Whether a database is written to, and no file."""
        return self.kind == "pgvector" and pgvector.is_address(self.out)

    def write(self, stored: Stored) -> str:
        """Write it; where it is then, in words. Raises OptionError."""
        self.check()
        if self.is_database:
            return pgvector.write_database(stored, self.out, self.name, self.force)
        WRITERS[self.kind](stored, Path(self.out), self.name)
        return self.out
