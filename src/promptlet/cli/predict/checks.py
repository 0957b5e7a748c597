"""What `promptlet predict` checks before a model is loaded. All raise OptionError with what to do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.outputs import check_file
from promptlet.cli.streams import warn
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.promptfile import Rejection

TOP = 3


@dataclass(frozen=True)
class Form:
    """In which form answers are asked for."""

    json: bool = False
    csv: bool = False
    out: Path | None = None
    wide: bool = False
    top: int | None = None

    def __post_init__(self) -> None:
        if self.json and self.csv:
            raise OptionError("give --json or --csv, not both")
        if self.csv and self.out is not None:
            raise OptionError("--csv prints a table and --out writes one; give one of the two")
        if self.wide and not (self.json or self.csv or self.out):
            raise OptionError("--wide is for tables; give --out FILE, --csv or --json with it")
        if self.wide and self.top is not None:
            raise OptionError("--wide gives every class, and --top the likeliest; give one of the two")

    @property
    def likeliest(self) -> int:
        """How many classes are told: in a table one, unless more are asked for."""
        is_table = self.csv or (self.out is not None and self.out.suffix.lower() != ".jsonl")
        return self.top if self.top is not None else 1 if is_table else TOP


def check_out(out: Path, force: bool, resume: bool) -> None:
    """Answers can be written there, and what is there is no other's."""
    from promptlet.own_images.written.answers import form_of, growing_of

    if force and resume:
        raise OptionError("--resume goes on with a file and --force begins it anew; give one of the two")
    form_of(out)
    check_file(out)
    there = [path for path in dict.fromkeys((out, growing_of(out))) if os.path.lexists(path)]
    for path in there:
        if not path.is_file() or not os.access(path, os.W_OK):
            raise OptionError(f"--out {out}: {path} is there and cannot be written; give another name")
    if there and not (force or resume):
        raise OptionError(
            f"--out {out} exists already; give --resume to go on with it, --force to write over it, or "
            "another name"
        )


def check_rejection(
    known: Rejection | None,
    taught: tuple[str, ...],
    file: Path,
    names: tuple[str, ...],
    reject: bool,
    accept: float | None,
) -> float | None:
    """The percentage of own images that is to be accepted; None where nothing is rejected. known: what
    ``file`` knows of none of these, of the classes ``taught``."""
    if not reject and accept is None:
        return None
    from promptlet.classifier.rejection import USUAL, checked, rows_of, threshold_of, usual_share

    try:
        rejection = checked(known)
        share = usual_share(rejection) if accept is None else accept
        threshold_of(rejection, share)
        rows_of(taught, names)
    except OptionError as error:
        raise OptionError(f"{file}: {error}") from None
    if accept is None and share < USUAL:
        warn(
            f"note: {file} was learned from few images: those that are not like {share:g} % of them are none "
            f"of the classes, instead of {USUAL:g} %"
        )
    return share
