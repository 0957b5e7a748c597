"""An index while it grows: rows that stay, read from the disk as they are copied, and new ones in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from promptlet.search.file import BLOCK, Facts, Paths, Stored, read_index, write_index
from promptlet.search.taking import Portion


class Growing:
    """kept: rows of ``stored`` that stay, all for None."""

    def __init__(self, stored: Stored, kept: np.ndarray | None = None) -> None:
        self._stored = stored
        self._kept = np.arange(len(stored)) if kept is None else kept
        self._portions: list[Portion] = []
        self.new = 0

    @property
    def is_changed(self) -> bool:
        """Whether anything is not as it was stored."""
        return self.new > 0 or len(self._kept) != len(self._stored)

    def add(self, portion: Portion) -> None:
        """More images."""
        self._portions.append(portion)
        self.new += len(portion.paths)

    def write(self, file: Path, facts: Facts) -> Stored:
        """Put all on the disk, in the order of their paths; what is there then. Raises OptionError."""
        old = self._stored
        paths = [old.paths[int(row)] for row in self._kept]
        for portion in self._portions:
            paths += portion.paths
        order = sorted(range(len(paths)), key=lambda place: paths[place].split("/"))
        rows = np.concatenate([self._kept, np.arange(self.new) + len(old)])[order].astype(np.int64)
        new = self._portions
        content = Stored(
            facts,
            Paths.of(paths[place] for place in order),
            np.concatenate([old.stamps, *(one.stamps for one in new)])[rows],
            np.concatenate([old.contents, *(one.contents for one in new)])[rows],
            np.broadcast_to(old.features.dtype.type(0), (len(rows), old.dim)),  # written from the blocks
        )
        write_index(file, content, self._blocks(rows))
        return read_index(file)

    def _blocks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Features of rows, of which those beyond the stored ones are new."""
        old, count = self._stored, len(self._stored)
        new = np.concatenate([old.features[:0], *(one.features for one in self._portions)])
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            block = np.empty((len(some), old.dim), old.features.dtype)
            is_new = some >= count
            block[~is_new] = old.features[some[~is_new]]
            block[is_new] = new[some[is_new] - count]
            yield block
