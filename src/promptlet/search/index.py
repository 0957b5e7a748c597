"""`Index`: the images of a folder as one backbone sees them, made once, kept up to date, and searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np

from promptlet.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from promptlet.data import FeatureCache, choose_cache
from promptlet.errors import DataError, WrongBackboneError
from promptlet.features import feature_identity
from promptlet.numbers import check_number
from promptlet.search.asking import Prepared, ask_of, prepared_of
from promptlet.search.file import Facts, Stored, empty, read_index
from promptlet.search.following import check_there, compare, images_of, stamp_of
from promptlet.search.growing import Growing
from promptlet.search.places import default_file
from promptlet.search.precision import telling
from promptlet.search.precision.teaching import Taught, learn
from promptlet.search.query import Query
from promptlet.search.question import Question
from promptlet.search.ranking import all_scores, best, mean_of
from promptlet.search.results import Hit, Results, Told
from promptlet.search.taking import encoded
from promptlet.session import own_arithmetic

TOP = 20
SECONDS, TIMES, ROWS = 60.0, 20.0, 1 << 17
"""New images are put on the disk after so many seconds, or so many times what that took, or so many of
them: a kill costs no more than what came since."""


@dataclass(frozen=True)
class Changes:
    """What `Index.update` found. known: images that were as they were. unread: why images have no features,
    or folders could not be looked into, by path."""

    known: int
    added: int
    changed: int
    removed: int
    unread: dict[str, str] = field(default_factory=dict)


def _nothing(done: int, total: int) -> None:
    """Progress that nobody looks at."""


class Index:
    """The images of a folder, by one backbone.

    Made by `build` or `open`. folder: as it was given; file: where the index lies; backbone: a loaded one;
    cache: of features, or None. ``stored``: what the file held when it was last read or written.
    """

    def __init__(
        self,
        folder: str | Path,
        backbone: Backbone,
        file: str | Path | None = None,
        cache: bool | str | Path | FeatureCache = True,
    ) -> None:
        self.folder, self.backbone = Path(folder), backbone
        self.cache = choose_cache(cache)
        self.root = self.folder.resolve()
        identity = feature_identity(backbone)
        self.facts = Facts(str(self.root), backbone.name, backbone.fingerprint, identity)
        self.file = default_file(self.root, identity) if file is None else Path(file)
        self.stored = empty(self.facts, backbone.feature_dim)
        self._mean_of = self.stored, np.zeros(backbone.feature_dim, np.float32)
        self._prepared: tuple[_Asked, Prepared, Taught | None] | None = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        backbone: str | Path | Backbone = DEFAULT_BACKBONE,
        file: str | Path | None = None,
        *,
        cache: bool | str | Path | FeatureCache = True,
        device: str | None = None,
        dtype: str | None = None,
    ) -> Index:
        """The index as it lies on the disk, without a look at the folder.

        backbone, device, dtype: as in `load_backbone`. file: where the index lies, None for the user's cache
        folder. Raises DataError where there is none, or one of another folder, and WrongBackboneError for one
        of another backbone.
        """
        index = cls(folder, _loaded(backbone, device, dtype), file, cache)
        index.read()
        return index

    @classmethod
    def build(
        cls,
        folder: str | Path,
        backbone: str | Path | Backbone = DEFAULT_BACKBONE,
        file: str | Path | None = None,
        *,
        cache: bool | str | Path | FeatureCache = True,
        device: str | None = None,
        dtype: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Index:
        """The index of a folder: begun, or brought up to date where there is one. Arguments and errors as in
        `open` and `update`."""
        index = cls(folder, _loaded(backbone, device, dtype), file, cache)
        index.update(on_progress)
        return index

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def paths(self) -> list[str]:
        """Of all images, as they are below ``folder``."""
        return [str(self.folder / path) for path in self.stored.paths]

    def check(self) -> None:
        """Raise what `update` would raise before it looks at an image."""
        check_there(self.root)
        if self.file.exists():
            self.read()

    @own_arithmetic()
    def update(self, on_progress: Callable[[int, int], None] | None = None) -> Changes:
        """Follow the folder: encode what is new or changed, forget what is gone. An image that cannot be read
        is told and left out. A stop keeps what was encoded before it.

        on_progress(done, total) counts images to encode. Raises DataError for a folder without images,
        OptionError where the index cannot be written, and what `open` raises.
        """
        there = images_of(self.root)
        if self.file.exists():
            self.read()
        found = compare(self.stored, self.root, there.paths)
        growing, unread = Growing(self.stored, found.kept), dict(there.errors)
        saved, cost = monotonic(), 0.0
        try:
            portions = encoded(self.backbone, self.root, found.todo, self.cache, on_progress or _nothing)
            for portion in portions:
                growing.add(portion)
                unread |= {str(self.folder / path): reason for path, reason in portion.errors.items()}
                if growing.new > ROWS or monotonic() - saved > max(SECONDS, TIMES * cost):
                    began = monotonic()
                    growing = self._write(growing)
                    saved, cost = monotonic(), monotonic() - began
        finally:
            if growing.is_changed:
                self._write(growing)
        if not self.file.exists():
            self._write(growing)
        taken = [path for path in found.todo if str(self.folder / path) not in unread]
        changed = len(found.changed.intersection(taken))
        return Changes(len(found.kept), len(taken) - changed, changed, found.removed, unread)

    @own_arithmetic()
    def search(
        self,
        query: Query | str,
        top: int | None = None,
        *,
        precision: float | None = None,
        taught: str | Path | None = None,
        nothing_else: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Results:
        """The images most like what a query asks for, ranked by the features of all that are indexed.

        query: a `Query`, or words alone. top: how many, 20 for None. Images that are gone since they were
        indexed are left out and told.
        precision: instead, as many of the best as there can be with this share of them right, 0.9 for 90 %;
        for a query of one class alone. taught: the images that taught its prompt, as `promptlet fit` takes
        them, and some of the folder's that show none of its classes, as a class of their own; each is asked
        of a prompt that was not taught it (on_progress counts these trainings). nothing_else: the folder is
        known to show the prompt's classes alone, so that no such images are needed.
        Raises what `Query` and prompt files raise, ImageError for an image of the query that cannot be read;
        OptionError and DataError where a precision cannot be told.
        """
        check_number("top", top)
        given = _Asked(_query_of(query), precision, taught, nothing_else)
        if self._prepared is None or self._prepared[0] != given:
            self._prepare(given, on_progress)
        assert self._prepared is not None
        (_, prepared, known), self._prepared = self._prepared, None  # files may change until the next search
        asked, ready = given.query, prepared.ready(self._mean())
        scores = all_scores(self.stored.features, ready.question)
        if precision is None or known is None:
            return self._results(asked, ready.notes, scores, *self._best(scores, top or TOP))
        judged = telling.judge(scores, known, precision, str(self.folder), str(taught))
        rows, gone = self._there(judged.rows.tolist())
        return self._results(asked, (*ready.notes, *judged.notes), scores, rows[:top], gone, judged.told)

    @own_arithmetic()
    def prepare(
        self,
        query: Query | str,
        *,
        precision: float | None = None,
        taught: str | Path | None = None,
        nothing_else: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Do all of the next `search` with these arguments that needs no index, and raise what it would raise
        of them: before many images are indexed."""
        self._prepare(_Asked(_query_of(query), precision, taught, nothing_else), on_progress)

    def _prepare(self, given: _Asked, on_progress: Callable[[int, int], None] | None) -> None:
        asked, taught, known = given.query, given.taught, None
        telling.check(asked, given.precision, taught, given.nothing_else)
        prepared = prepared_of(asked, self.backbone, self.cache)
        if given.precision is not None and taught is not None:
            no_mean = np.zeros(self.backbone.feature_dim, np.float32)  # only images are compared with it
            question, backbone, cache = prepared.ready(no_mean).question, self.backbone, self.cache
            known = learn(
                asked.classes[0], question, taught, backbone, cache, on_progress, given.nothing_else
            )
        self._prepared = given, prepared, known

    def question(self, query: Query | str) -> Question:
        """What `search` ranks by, for other programs that hold the vectors: ``wanted`` is the direction in
        which what is looked for lies."""
        return ask_of(_query_of(query), self.backbone, self._mean(), self.cache).question

    def _results(
        self,
        query: Query,
        notes: tuple[str, ...],
        scores: np.ndarray,
        rows: list[int],
        gone: list[int],
        told: Told | None = None,
    ) -> Results:
        hits = tuple(Hit(self._path(row), float(scores[row])) for row in rows)
        return Results(str(query), hits, len(self), tuple(map(self._path, gone)), notes, told)

    def _best(self, scores: np.ndarray, top: int) -> tuple[list[int], list[int]]:
        """The best rows whose images are there, and those better than the last of them whose are not."""
        missing = 0
        while True:
            rows = best(scores, top + 2 * missing).tolist()
            there, gone = self._there(rows)
            if len(there) >= top or len(rows) == len(scores):
                before = set(rows[: rows.index(there[top - 1])]) if len(there) >= top else set(rows)
                return there[:top], [row for row in gone if row in before]
            missing = max(2 * missing, len(gone))

    def _there(self, rows: list[int]) -> tuple[list[int], list[int]]:
        """Rows whose images are there, and the others."""
        gone = [row for row in rows if stamp_of(self.root / self.stored.paths[row]) is None]
        left_out = set(gone)
        return [row for row in rows if row not in left_out], gone

    def _path(self, row: int) -> str:
        return str(self.folder / self.stored.paths[row])

    def _mean(self) -> np.ndarray:
        if self._mean_of[0] is not self.stored:
            self._mean_of = self.stored, mean_of(self.stored.features)
        return self._mean_of[1]

    def read(self) -> None:
        """Take the index as it lies on the disk. Raises what `open` raises."""
        if not self.file.exists():
            raise DataError(f"{self.folder} has no index at {self.file} yet; it is built by promptlet search")
        stored = read_index(self.file)
        check_folder(stored, self.facts, self.file)
        check_backbone(stored, self.facts, self.file)
        self.stored = stored

    def _write(self, growing: Growing) -> Growing:
        """Put all on the disk, and go on from there."""
        self.stored = growing.write(self.file, self.facts)
        return Growing(self.stored)


@dataclass(frozen=True)
class _Asked:
    """What `Index.search` was asked, but for how many images."""

    query: Query
    precision: float | None
    taught: str | Path | None
    nothing_else: bool


def _query_of(given: Query | str) -> Query:
    return given if isinstance(given, Query) else Query(words=(given,))


def _loaded(backbone: str | Path | Backbone, device: str | None, dtype: str | None) -> Backbone:
    return backbone if isinstance(backbone, Backbone) else load_backbone(backbone, device, dtype)


def check_folder(stored: Stored, facts: Facts, file: Path) -> None:
    """Raise DataError for the index of another folder."""
    if stored.facts.folder != facts.folder:
        raise DataError(
            f"{file} is the index of {stored.facts.folder}, not of {facts.folder}; give that folder, or "
            "another file: --index FILE"
        )


def check_backbone(stored: Stored, facts: Facts, file: Path) -> None:
    """Raise WrongBackboneError for the index of another backbone, or of one that computed otherwise."""
    own = stored.facts
    if own.identity == facts.identity and stored.features.shape[1]:
        return
    if own.identity.partition("-")[0] == facts.identity.partition("-")[0]:
        raise WrongBackboneError(
            f"{file} was made with {own.backbone!r} computing as {own.identity}; here it computes as "
            f"{facts.identity}: give the same --dtype, or another --index FILE"
        )
    raise WrongBackboneError(
        f"{file} was made with backbone {own.backbone!r} ({own.fingerprint}); the one given is "
        f"{facts.backbone!r} ({facts.fingerprint}). Give that one with --backbone, or another --index FILE"
    )
