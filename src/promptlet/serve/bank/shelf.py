"""Which prompts there are in a source: a snapshot that is replaced whole, and what changes the files."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping

from promptlet.errors import OptionError, PromptFileError, why
from promptlet.promptfile import PromptFile, loads
from promptlet.promptfile.files import reason_of
from promptlet.serve.bank.listing import (
    BEING_WRITTEN,
    BROKEN,
    Entry,
    Gate,
    Listed,
    broken,
    counts,
    digest_of,
    entry_of,
    put_entry,
)
from promptlet.serve.bank.sources import Seen, Source, check_name, side_by_side
from promptlet.serve.meters import Meters

_logger = logging.getLogger("promptlet.serve")


class ChangedError(Exception):
    """The file is not the one that was listed."""


class Shelf:
    """Everything here reads files or waits for who does, and is for threads, but `listed`, `get` and `sound`.

    problem: why the source could not be listed the last time; "" where it could.
    """

    def __init__(self, source: Source, gate: Gate, meters: Meters) -> None:
        self.source, self.problem = source, ""
        self._gate, self._meters = gate, meters
        self._entries: Mapping[str, Entry] = {}
        self._changing = threading.RLock()

    def listed(self) -> list[Listed]:
        """All of them, by name."""
        entries = self._entries
        return [entries[name].listed for name in sorted(entries)]

    def get(self, name: str) -> Listed | None:
        """One of them; None where there is none of this name."""
        entry = self._entries.get(name)
        return None if entry is None else entry.listed

    def sound(self, name: str) -> Listed:
        """Raises KeyError where there is none, PromptFileError where it is broken."""
        listed = self.get(name)
        if listed is None:
            raise KeyError(name)
        if listed.state == BROKEN:
            raise PromptFileError(f"the prompt {name!r} is broken and not served: {listed.reason}")
        return listed

    @property
    def is_unsettled(self) -> bool:
        """Whether one of them is being written, so that it is worth looking again soon."""
        return any(entry.listed.state == BEING_WRITTEN for entry in self._entries.values())

    def refresh(self, names: Iterable[str] | None = None) -> bool:
        """Look at all files, or those of ``names``. False where that fails, and all stays as it was."""
        asked = None if names is None else set(names)
        with self._changing:
            try:
                seen = self.source.look(asked)
            except OSError as error:
                self.problem = f"the prompts in {self.source.where} cannot be listed: {why(error)}"
                _logger.warning("%s", self.problem)
                return False
            self.problem = ""
            former = self._entries
            found = {} if asked is None else {k: v for k, v in former.items() if k not in asked}
            found |= {entry.listed.name: entry for entry in self._read_all(seen, former) if entry is not None}
            self._take(found)
            return True

    def read(self, name: str, digest: str) -> PromptFile:
        """One in the version that was listed. Raises ChangedError where that is gone."""
        try:
            data = self.source.read(name)
        except OSError as error:
            raise ChangedError from error
        if digest_of(data) != digest:
            raise ChangedError
        return loads(data)

    def give_up(self, name: str, digest: str, reason: str) -> None:
        """Tell it as broken from now on, until its file changes."""
        with self._changing:
            entry = self._entries.get(name)
            if entry is not None and entry.listed.digest == digest:
                self._take({**self._entries, name: broken(entry, reason)})

    def put(self, name: str, data: bytes) -> Listed:
        """Add one, or replace one, once it was checked whole. What was put is told, whatever can be seen of
        it behind that. Raises OptionError, PromptFileError."""
        put = put_entry(name, data, self._gate.check_whole(data, name))
        with self._changing:
            self._check_differs(name)
            problem: OSError | None = None
            try:
                self.source.write(name, data)
            except OSError as error:  # of a store, it may be there all the same
                problem = error
            is_seen = self._looked(name)
            seen = self.get(name)
            if seen is not None and seen.digest == put.listed.digest:
                return seen
            if problem is not None:
                reason = reason_of(problem)
                raise PromptFileError(f"the prompt {name!r} cannot be saved: {reason}") from problem
            if is_seen:
                _logger.warning("the prompt %r was put, and is another one or none by now", name)
            else:
                self._take({**self._entries, name: put})
        return put.listed

    def delete(self, name: str) -> None:
        """Take one away. Raises KeyError where there is none, PromptFileError where that cannot be done."""
        with self._changing:
            if name not in self._entries:
                raise KeyError(name)
            try:
                self.source.delete(check_name(name))
            except FileNotFoundError:
                self.refresh([name])
                raise KeyError(name) from None
            except OSError as error:
                if self._looked(name) and name not in self._entries:
                    return
                raise PromptFileError(f"the prompt {name!r} cannot be deleted: {reason_of(error)}") from error
            if not self._looked(name):
                self._take({other: entry for other, entry in self._entries.items() if other != name})

    def _looked(self, name: str) -> bool:
        """Whether it could be looked at, once it was changed: that is done, whatever happens here."""
        try:
            return self.refresh([name])
        except Exception:
            _logger.exception("the prompt %r could not be looked at", name)
            return False

    def _check_differs(self, name: str) -> None:
        if name in self._entries:
            return
        alike = next((other for other in self._entries if other.casefold() == name.casefold()), None)
        if alike is not None:
            raise OptionError(
                f"{name!r} differs from the prompt {alike!r} by capitals alone, which some disks cannot tell "
                "apart; give another name, or replace that one"
            )

    def _take(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._meters.counted(counts(entries))

    def _read_all(self, seen: Mapping[str, Seen], former: Mapping[str, Entry]) -> Iterator[Entry | None]:
        def read(item: tuple[str, Seen]) -> Entry | None:
            name, one = item
            return entry_of(name, one, former.get(name), self.source, self._gate)

        return side_by_side(self.source, read, seen.items())
