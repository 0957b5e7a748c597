"""The file of answers that `promptlet predict --out` writes, in the form that its name says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from promptlet.classifier.answers.deciding import Answer
from promptlet.errors import OptionError, did_you_mean
from promptlet.own_images.written import parquet
from promptlet.own_images.written.growing import GrowingFile, check_same, note_of, read_note
from promptlet.own_images.written.tables import Csv, JsonLines, Shape

FORMS = (".csv", ".jsonl", ".parquet")


def form_of(path: Path) -> str:
    """The suffix. Raises OptionError for one that is not known, MissingExtraError for Parquet without
    pyarrow."""
    suffix = path.suffix.lower()
    if suffix not in FORMS:
        raise OptionError(
            f"--out {path}: its form is not known; give it a name ending in {', '.join(FORMS)}."
            f"{did_you_mean(suffix, FORMS)}"
        )
    if suffix == ".parquet":
        parquet.import_parquet()
    return suffix


def growing_of(path: Path) -> Path:
    """Where answers are added: beside a Parquet file, which cannot be read before its end."""
    return path.with_name(f"{path.name}.part") if form_of(path) == ".parquet" else path


class AnswerFile:
    """Answers in ``path``, added batch by batch. Parquet, which cannot be read before its end, is made at the
    end, from lines of JSON in FILE.part.

    made_with: the prompt and the options, for who goes on.
    """

    def __init__(self, path: Path, shape: Shape, made_with: Mapping[str, Any]) -> None:
        self.path, self.shape, self.made_with = path, shape, made_with
        self.is_parquet = form_of(path) == ".parquet"
        self.form = Csv(shape) if form_of(path) == ".csv" else JsonLines(shape)
        self.growing = growing_of(path)
        self.note = note_of(path)
        self._lines = GrowingFile(self.growing, self.note, made_with, self.form.head())

    @property
    def is_there(self) -> bool:
        """Whether there is anything to go on from, or to be replaced."""
        return self.path.exists() or self.growing.exists()

    @property
    def kept_in(self) -> list[Path]:
        """The files that hold answers."""
        files = dict.fromkeys((self.path, self.growing))
        return [path for path in files if path.exists() and path.stat().st_size]

    def check(self) -> None:
        """That answers with these options can be added to what is there. Raises OptionError."""
        check_same(self.made_with, read_note(self.note, self.path)["made_with"], self.path)

    def _begin(self) -> None:
        self._lines.lock()
        if self.is_parquet:
            self.path.unlink(missing_ok=True)
        self._lines.begin()

    def go_on(self) -> frozenset[str]:
        """Open it for more; how paths that were answered stand in it (`key`). Raises OptionError, OSError."""
        if self.is_parquet and not self.growing.exists():
            answered = frozenset(parquet.keys(self.path, self.shape))
            self._lines.begin()
            return answered
        self._lines.go_on()
        answered = frozenset(self.form.keys(self._lines.lines()))
        if self.is_parquet:
            answered = frozenset(map(parquet.key, answered))
            answered |= frozenset(parquet.keys(self.path, self.shape) if self.path.exists() else ())
        return answered

    def key(self, path: str) -> str:
        """How a path stands in the file."""
        return parquet.key(path) if self.is_parquet else self.form.key(path)

    def add(self, answers: Iterable[Answer]) -> None:
        """Write a batch, the first one into a file that is begun anew, unless it was opened to go on.

        Raises OSError, and then none of the batch is there.
        """
        if not self._lines.is_open:
            self._begin()
        self._lines.add(self.form.lines(answer.facts(self.shape.in_full) for answer in answers))

    def close(self) -> None:
        """Leave it as it is, to be gone on with."""
        self._lines.close()

    def finish(self) -> None:
        """Close it; only now a Parquet file is there. Raises OSError, and nothing is lost."""
        if self._lines.is_open and self.is_parquet:
            if self.growing.stat().st_size:
                parquet.make(self.path, self.shape, self._lines.lines())
            self.growing.unlink()
        self._lines.close()
