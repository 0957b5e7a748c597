"""What `promptlet predict` says: of arguments without an image, of new names, of its end, after a stop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.predict.giving import AGAIN, Count
from promptlet.cli.shell import warn
from promptlet.cli.streams import is_terminal
from promptlet.errors import with_path

if TYPE_CHECKING:
    from promptlet.classifier import PromptLearner
    from promptlet.own_images.finding import Found
    from promptlet.own_images.written.answers import AnswerFile

MANY = 128
"""Images above which it is told how quickly they were answered."""


def standard_input() -> bytes:
    """All of it."""
    if sys.stdin is None:
        return b""
    if is_terminal(sys.stdin):
        warn("note: paths are read from standard input, one a line; Ctrl-D ends them")
    return sys.stdin.buffer.read()


def tell_wrong(found: Found) -> None:
    """Before anything is loaded: arguments that give no image, and images that are named twice."""
    for path, error in found.errors.items():
        warn(f"error: {with_path(path, error)}")
    if found.repeated:
        again = "1 image was" if found.repeated == 1 else f"{found.repeated:,} images were"
        warn(f"note: {again} named again; each is answered once")


def tell_new(file: Path, classifier: PromptLearner, names: tuple[str, ...], new_names: str | None) -> None:
    """A prompt file from before there were rules for new names answers as it did; that is told."""
    from promptlet.methods.new_names import LEARNED, ZERO_SHOT

    method = classifier.method_
    if new_names is not None or method.new_names != LEARNED:
        return
    new = classifier.untaught(names)
    if new:
        shown = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
        warn(
            f"note: {file} says no rule for names that were not taught, which are answered as it learned: "
            f"{shown}. --new-names {ZERO_SHOT} often answers them better"
        )


def tell_end(count: Count, skip_bad: bool) -> None:
    """How quickly many images were answered, and how many were not."""
    if count.answered > MANY:
        warn(f"{count.answered:,} images in {count.seconds:.1f} s: {count.rate:,.1f} images/s")
    bad, whole = len(count.errors), count.answered + len(count.errors)
    if bad and whole > 1:
        kind, word = ("note", "skipped") if skip_bad else ("error", "not answered")
        warn(f"{kind}: {bad:,} of {whole:,} {word}; the reasons stand above")


def how_to_go_on(written: AnswerFile | None, count: Count) -> str:
    """After an interruption."""
    if written is None:
        return "run the same command again; with --out FILE, answers are kept as they come"
    kept = count.answered + count.before
    if not kept:
        return "nothing was answered yet; run the same command again"
    return f"{kept:,} answers are kept in {' and '.join(map(str, written.kept_in))}; {AGAIN} to go on"
