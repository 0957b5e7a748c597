"""What the result of a training looks like: types, sizes and names that a file from elsewhere must have."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

SCHEMA: Final = 2
MOST_IMAGES: Final = 100_000
MOST_CLASSES: Final = 10_000
MOST_TOLD: Final = 1_000
"""Findings, pairs, sentences."""

Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{16}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=300)]
Word = Annotated[str, Meta(max_length=80, pattern=r"\A[A-Za-z0-9_.-]*\Z")]
Words = Annotated[str, Meta(max_length=4000)]
Digest = Annotated[str, Meta(min_length=8, max_length=128, pattern=r"\A[A-Za-z0-9:_-]+\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Percent = Annotated[float, Meta(ge=0, le=100.01)]
Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=1e11)]
Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
Ids = Annotated[list[Id], Meta(max_length=MOST_IMAGES)]
Names = Annotated[list[Name], Meta(max_length=MOST_CLASSES)]
Value = Words | int | float | bool | Names | dict[Name, int] | None
Values = Annotated[dict[Word, Value], Meta(max_length=20)]


class Accuracy(msgspec.Struct):
    """As `Estimate` has it; reason: why there is none, with its key and values for pages in any language."""

    percent: Percent | None
    low: Percent | None
    high: Percent | None
    of_ten: Annotated[int, Meta(ge=0, le=10)] | None
    images: Count
    way: Word
    reason: Words
    reason_key: Word
    reason_values: Values


class Note(msgspec.Struct):
    """A sentence, with its key and values for pages in any language; an empty key has none."""

    words: Words
    key: Word
    values: Values


class Advice(msgspec.Struct):
    """What to do for a class."""

    kind: Word
    name: Name = msgspec.field(name="class")
    count: Count


class Matrix(msgspec.Struct):
    """counts: a row for each true class."""

    classes: Names
    counts: Annotated[list[Annotated[list[Count], Meta(max_length=MOST_TOLD)]], Meta(max_length=MOST_TOLD)]


class Pair(msgspec.Struct):
    """Images of a class that were taken for another one."""

    name: Name = msgspec.field(name="class")
    said: Name
    count: Count
    of: Count
    images: Ids


class Move(msgspec.Struct, tag_field="action", tag="move-images"):
    """A repair."""

    images: Ids
    to: Name


class Remove(msgspec.Struct, tag_field="action", tag="remove-images"):
    """A repair."""

    images: Ids


class Merge(msgspec.Struct, tag_field="action", tag="merge-classes"):
    """A repair."""

    names: Names
    to: Name


class Suspicious(msgspec.Struct):
    """What deserves a look."""

    kind: Word
    images: Ids
    name: Name | None = msgspec.field(name="class")
    suggested: Name | None
    words: Words
    repair: Move | Remove | Merge | None


class Curve(msgspec.Struct):
    """Each list has a number for each point."""

    shots: Annotated[list[Count], Meta(max_length=100)]
    percent: Annotated[list[Percent], Meta(max_length=100)]
    low: Annotated[list[Percent | None], Meta(max_length=100)]
    high: Annotated[list[Percent | None], Meta(max_length=100)]
    words_key: Word
    images: Count
    folds: Count


class Point(msgspec.Struct):
    """Which part of own images pass which threshold."""

    share_own: Percent
    threshold: Number


class Rejection(msgspec.Struct):
    """Thresholds that a prompt keeps."""

    points: Annotated[list[Point], Meta(max_length=MOST_TOLD)]
    usual: Percent | None


class LeftOut(msgspec.Struct):
    """An image that was not learned from."""

    image: Id
    reason: Words


class Settings(msgspec.Struct):
    """What the training was asked for."""

    method: Word
    rank: Count | None
    shots: Count | None
    schedule: Word | None


class Result(msgspec.Struct):
    """Of a training, as `result_of` makes it."""

    revision: Count
    taught: Word
    digest: Digest
    trained_at: Seconds
    seconds: Seconds
    asked: Settings
    bytes: Count
    schema: Literal[2]
    method: Word
    why: Words
    why_key: Word
    why_values: Values
    rank: Count | None
    n_ctx: Count | None
    shots: Count | None
    schedule: Word | None
    numbers: Count
    images: Count | None
    accuracy: Accuracy
    zero_shot: Percent | None
    chance: Percent | None
    majority: Percent | None
    advice: Annotated[list[Advice], Meta(max_length=MOST_CLASSES)]
    matrix: Matrix | None
    confused: Annotated[list[Pair], Meta(max_length=MOST_TOLD)]
    suspicious: Annotated[list[Suspicious], Meta(max_length=MOST_TOLD)]
    curve: Curve | None
    rejection: Rejection | None
    new_names: bool
    notes: Annotated[list[Note], Meta(max_length=MOST_TOLD)]
    left_out: Annotated[list[LeftOut], Meta(max_length=MOST_IMAGES)]


class Answered(msgspec.Struct):
    """What was said of images that were held back: targets are places in classes, probabilities (N, C)."""

    digest: Digest
    classes: Names
    images: Ids
    targets: Annotated[list[Count], Meta(max_length=MOST_IMAGES)]
    probabilities: Annotated[
        list[Annotated[list[Share], Meta(max_length=MOST_CLASSES)]], Meta(max_length=MOST_IMAGES)
    ]


def as_result(given: Any) -> Result:
    """From plain values; what else stands there is left out. Raises msgspec.ValidationError."""
    return msgspec.convert(given, Result)
