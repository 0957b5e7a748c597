"""Changes of a project as renames that are written down before they are made, so that each can be undone.

A change is told in `PENDING` first, then made, then told in project.json and in the history. Who is killed on
the way finds it at the next start and finishes it: a rename that was made already is passed over.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from promptlet.errors import why
from promptlet.teach.projects import acts
from promptlet.teach.projects.places import HISTORY, LOOSE, PENDING, RECORD, REMOVED, split
from promptlet.teach.projects.record import Record, told, write_record

MOST_STEPS: Final = 200
MOST_MOVES: Final = 50_000
"""Of all steps together: what is older cannot be undone any more; no image goes away with it."""
Kind = TypeVar("Kind")
DO, UNDO, REDO = "do", "undo", "redo"


class NotKeptError(OSError):
    """The disk takes nothing: it is full, or may only be read. Nothing was changed."""


class Step(msgspec.Struct):
    """One change. name: of the class that it is about. moves: from and to, below the project's folder.
    before, after: the classes in their order. gesture: joins several requests to one step."""

    action: str
    count: int
    name: str | None
    moves: list[tuple[str, str]]
    before: list[str]
    after: list[str]
    gesture: str = ""
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))

    def words(self) -> dict[str, object]:
        """As pages word it."""
        return {"action": self.action, "count": self.count, "class": self.name}


class History(msgspec.Struct):
    """undo, redo: the last one first to be taken. last: the id of the last change that was finished."""

    revision: int = 1
    undo: list[Step] = []
    redo: list[Step] = []
    last: str = ""
    schema: int = 1


class Pending(msgspec.Struct):
    """A change that is being made. id: another one each time, also of the same step."""

    step: Step
    way: str
    names: dict[str, str]
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class Journal:
    """Of one project. Whoever calls it holds the project's lock."""

    def __init__(self, root: Path, record: Record) -> None:
        self.root, self.record = root, record
        self.history = _read(root / HISTORY, History) or History(_first_revision(record))
        self._recover()

    @property
    def revision(self) -> int:
        """One more with each change."""
        return self.history.revision

    def seen_change(self) -> None:
        """Somebody changed the folder by hand: another revision."""
        self.history.revision += 1
        with suppress(OSError):
            self._write_history()

    def do(self, step: Step, names: Mapping[str, str] | None = None) -> None:
        """Make a change, which ends what could be done again. names: of files that came. Raises
        NotKeptError."""
        self._carry_out(Pending(step, DO, dict(names or {})))

    def undo(self) -> Step | None:
        """The last change; None where there is none."""
        return self._turn(self.history.undo, UNDO)

    def redo(self) -> Step | None:
        """What was undone last."""
        return self._turn(self.history.redo, REDO)

    def keep_record(self) -> None:
        """What was changed in the record alone. Raises NotKeptError."""
        try:
            write_record(self.root, self.record)
        except OSError as error:
            raise _not_kept(self.root, error) from error

    def _turn(self, steps: list[Step], way: str) -> Step | None:
        if not steps:
            return None
        self._carry_out(Pending(steps[-1], way, {}))
        return self.history.redo[-1] if way == UNDO else self.history.undo[-1]

    def _carry_out(self, pending: Pending) -> None:
        former = self.record.classes, dict(self.record.names)
        made: list[tuple[str, str]] = []
        try:
            acts.write_json(self.root / PENDING, msgspec.to_builtins(pending))
            self._make(pending, made)
            self._tell(pending)
        except OSError as error:
            self._take_back(made, pending, former)
            raise _not_kept(self.root, error) from error

    def _make(self, pending: Pending, made: list[tuple[str, str]]) -> None:
        step, is_back = pending.step, pending.way == UNDO
        moves = [(b, a) for a, b in reversed(step.moves)] if is_back else step.moves
        folders = {}
        for source, target in moves:
            lies = acts.move(self.root, source, target)
            made.append((source, lies))
            folders[split(source)[0]] = True
        for folder in folders:
            if folder not in (LOOSE, REMOVED):
                acts.clear(self.root / folder)
        step.moves = [(b, a) for a, b in reversed(made)] if is_back else list(made)

    def _tell(self, pending: Pending) -> None:
        step, history = pending.step, self.history
        self.record.classes = list(step.before if pending.way == UNDO else step.after)
        self.record.names.update(pending.names)
        after = _after(history, pending)
        new = {RECORD: told(self.record), HISTORY: msgspec.to_builtins(after)}
        for name, value in new.items():  # both, before one of them counts: the disk may be full
            acts.write_json(self.root / f".{name.strip('.')}.new", value)
        for name in new:
            acts.put(self.root / f".{name.strip('.')}.new", self.root / name)
        self.history = after
        with suppress(OSError):  # the history tells that it is done
            acts.remove(self.root / PENDING)

    def _take_back(
        self,
        made: Sequence[tuple[str, str]],
        pending: Pending,
        former: tuple[list[str], dict[str, str]],
    ) -> None:
        """Where a change could not be finished. What cannot be taken back either is finished at the next
        start."""
        self.record.classes, self.record.names = former
        try:
            for source, lies in reversed(made):
                acts.move(self.root, lies, source)
            for folder in dict.fromkeys(split(lies)[0] for _, lies in made):
                if folder not in (LOOSE, REMOVED):
                    acts.clear(self.root / folder)
            acts.remove(self.root / PENDING)
        except OSError:
            self.record.classes = list(pending.step.before if pending.way == UNDO else pending.step.after)
            return
        with suppress(OSError):
            write_record(self.root, self.record)

    def _recover(self) -> None:
        """Finish what was begun when the server was killed."""
        for folder in (self.root, self.root / REMOVED):
            acts.clear_away(folder)
        pending = _read(self.root / PENDING, Pending)
        if pending is None:
            return
        if pending.id == self.history.last:
            acts.remove(self.root / PENDING)
            return
        try:
            self._make(pending, [])
            self._tell(pending)
        except OSError as error:
            raise _not_kept(self.root, error) from error

    def _write_history(self) -> None:
        acts.write_json(self.root / HISTORY, msgspec.to_builtins(self.history))


def _first_revision(record: Record) -> int:
    """Of a project whose history is gone, one that no page has seen."""
    return int(time.time()) if record.names else 1


def _after(history: History, pending: Pending) -> History:
    """The history once a change was made."""
    undo, redo, step = list(history.undo), list(history.redo), pending.step
    if pending.way == UNDO:
        redo.append(undo.pop() if undo else step)
        redo[-1] = step
    elif pending.way == REDO:
        if redo:
            redo.pop()
        undo.append(step)
    else:
        redo = []
        if undo and step.gesture and undo[-1].gesture == step.gesture:
            undo[-1] = _joined(undo[-1], step)
        else:
            undo.append(step)
    return History(history.revision + 1, _recent(undo), redo, pending.id)


def _joined(first: Step, then: Step) -> Step:
    """Two requests of one gesture."""
    return Step(
        first.action,
        first.count + then.count,
        first.name,
        [*first.moves, *then.moves],
        first.before,
        then.after,
        first.gesture,
    )


def _recent(steps: list[Step]) -> list[Step]:
    kept: list[Step] = []
    moves = 0
    for step in reversed(steps[-MOST_STEPS:]):
        moves += len(step.moves)
        if kept and moves > MOST_MOVES:
            break
        kept.append(step)
    return kept[::-1]


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.convert(acts.read_json(path), kind)
    except msgspec.ValidationError:  # none of ours, or none at all
        return None


def _not_kept(root: Path, error: OSError) -> NotKeptError:
    return NotKeptError(
        f"the project cannot be written ({why(error)}): nothing was changed, and all images are where they "
        f"were. Make room on the disk, or let {root.name} be written, then try again"
    )
