"""Where the answers of `promptlet predict` go: standard output as they come, one document, or a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from promptlet.cli.predict.checks import Form
from promptlet.cli.shell import emit_json, say
from promptlet.cli.streams import emit_document
from promptlet.errors import OptionError, why

if TYPE_CHECKING:
    from promptlet.classifier.answers.deciding import Answer
    from promptlet.own_images.written.answers import AnswerFile
    from promptlet.own_images.written.tables import Shape

NONE = "None"
"""How people are told that an image is none of the classes."""
AGAIN = "run the same command again, without --force and with --resume"


@dataclass
class Count:
    """Of what was done. before: answers that an earlier run had written."""

    answered: int = 0
    before: int = 0
    seconds: float = 0.0
    errors: dict[str, str] = field(default_factory=dict)
    classes: Counter[str | None] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    def take(self, answers: Sequence[Answer]) -> None:
        """Count what was answered."""
        self.answered += len(answers)
        self.classes.update(answer.class_name for answer in answers)

    @property
    def problems(self) -> list[dict[str, str]]:
        """For JSON."""
        return [{"path": path, "error": error} for path, error in self.errors.items()]


class Giver(Protocol):
    """Takes answers as they come."""

    def add(self, answers: Sequence[Answer]) -> None:
        """A batch of them."""

    def end(self, count: Count) -> None:
        """There are no more."""


class Lines:
    """For people: a line an image."""

    def add(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            likeliest = ", ".join(f"{name} {100 * p:.1f} %" for name, p in answer.top)
            say(f"{answer.path}: {likeliest if answer.class_name else f'{NONE} ({likeliest})'}")

    def end(self, count: Count) -> None:
        pass


class Table:
    """CSV on standard output."""

    def __init__(self, shape: Shape) -> None:
        from promptlet.own_images.written.tables import Csv

        self._form = Csv(shape)
        emit_document(self._form.head())

    def add(self, answers: Sequence[Answer]) -> None:
        emit_document(self._form.lines(answer.facts(self._form.shape.in_full) for answer in answers))

    def end(self, count: Count) -> None:
        pass


class Document:
    """One of JSON, at the end."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._facts: list[dict[str, Any]] = []

    def add(self, answers: Sequence[Answer]) -> None:
        self._facts += [answer.facts(self._shape.in_full) for answer in answers]

    def end(self, count: Count) -> None:
        emit_json({"predictions": self._facts, "errors": count.problems})


class Written:
    """A file, and in the end what it holds, for people or as JSON."""

    def __init__(self, file: AnswerFile, json: bool) -> None:
        self._file, self._json = file, json

    def add(self, answers: Sequence[Answer]) -> None:
        try:
            self._file.add(answers)
        except OSError as error:
            raise _unwritten(self._file.growing, error) from error

    def end(self, count: Count) -> None:
        try:
            self._file.finish()
        except OSError as error:
            raise _unwritten(self._file.path, error) from error
        if self._json:
            emit_json(_facts(self._file.path, count))
            return
        before = f", beside {count.before:,} that were there" if count.before else ""
        if count.answered or count.before:
            say(f"wrote {self._file.path}: {_counted(count.answered, 'answer')}{before}")
        if count.answered:
            shown = [f"{name or NONE} {n:,}" for name, n in count.classes.most_common(10)]
            more = f" and {len(count.classes) - 10} other classes" if len(count.classes) > 10 else ""
            say(f"answered: {', '.join(shown)}{more}")


def _facts(out: Path, count: Count) -> dict[str, Any]:
    classes = [{"class_name": name, "images": n} for name, n in count.classes.most_common()]
    return {
        "out": str(out),
        "answered": count.answered,
        "answered_before": count.before,
        "classes": classes,
        "errors": count.problems,
        "seconds": round(count.seconds, 3),
        "images_per_second": round(count.rate, 1),
    }


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _unwritten(path: Path, error: OSError) -> OptionError:
    return OptionError(
        f"{path} cannot be written ({why(error)}); what was answered before is kept. Free some space and "
        f"{AGAIN}"
    )


def giver_of(form: Form, shape: Shape, written: AnswerFile | None) -> Giver:
    """Where answers in this form go."""
    if written is not None:
        return Written(written, form.json)
    if form.json:
        return Document(shape)
    return Table(shape) if form.csv else Lines()
