"""What records of runs and plans hold, as types. What is read is checked against them, once, by `trust.py`.

Both are JSON objects and stay plain dictionaries. A name that no type has may hold anything, so that records
of other versions can be read: what came later stands under names that may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta, defstruct

from promptlet.protocols.records.measures import MEASURES
from promptlet.typed import Count, Finite
from promptlet.views import CROP_WORD

SCHEMA = 1
"""Of records and plans."""
Scalar = None | bool | Count | Finite | str
Percent = Annotated[float, Meta(ge=0.0, le=100.0 + 1e-6)]
"""Accuracies, areas, errors; an area is a mean of many terms and may be beyond 100 by rounding."""
CropWord = Annotated[str, Meta(pattern=CROP_WORD)]
"""Views that are crops alone."""
Seconds = Annotated[float, Meta(ge=0.0, le=1e12)]


class Training(TypedDict, total=False):
    """The fields of a `Schedule` that are read again; none where nothing is trained by steps."""

    name: str
    lr: Finite
    epochs: Count
    every: Count


class Asked(TypedDict):
    """What every `Run.describe` gives."""

    key: str
    protocol: str
    dataset: str
    data: str
    method: str
    options: dict[str, Any]
    shots: Count
    seed: Count
    settings: Training
    views: Count | CropWord
    sampler: str
    fingerprint: str
    dtype: str


class Described(Asked, total=False):
    """With what it gives where there is such. source: with ``source_data`` the name of the data set that is
    trained on; in a record without it, where the data set came from."""

    source: str | None
    source_data: str | None
    code: str | None
    rank: Scalar


class Carried(TypedDict):
    """What is described, too, where the protocol trains on another data set."""

    source: str
    source_data: str


class Machine(TypedDict, total=False):
    """Under what circumstances something was made."""

    device: str
    threads: Count
    peak_memory: Count | None
    versions: dict[str, str]
    date: str


class Origin(Machine, total=False):
    """Of a training that several runs share."""

    key: str
    reused: bool


class Named(TypedDict, total=False):
    """A backbone."""

    name: str
    fingerprint: str


class Official(TypedDict, total=False):
    """The row of a method's official settings, and what of it is there for the data set alone."""

    protocol: str
    source: str
    by_dataset: list[str]


class Ended(Described):
    """What records of finished and of failed runs have alike."""

    schema: Literal[1]
    status: Literal["done", "failed"]


class Cost(Ended):
    """Of a finished run."""

    trainable: Count
    file_bytes: Count
    seconds: Seconds


class Done(Cost, Machine, total=False):
    """The record of a finished run, but for what its protocol measures: `score` tells that."""

    text_passes: Count
    seconds_total: Seconds
    history: list[dict[str, Scalar]]
    samples: list[str | Count] | None
    val_samples: list[str | Count] | None
    rule: str
    short_classes: list[str]
    backbone: Named
    trained: Origin
    notes: list[str]
    official: Official
    given: str
    source_given: str
    H: Percent


class Failed(Ended, total=False):
    """The record of a run that failed."""

    reason: str
    traceback: str


Record = Done | Failed


class Foreign(TypedDict, total=False):
    """A planned run of a protocol that is not known here; a record of one is `ForeignEnd`."""

    options: dict[str, Any] | None
    settings: dict[str, Any] | None


class ForeignEnd(Foreign):
    """A record of a protocol that is not known here."""

    status: Literal["done", "failed"]


class Plan(TypedDict):
    """A file of runs that were asked for together; each is judged by itself."""

    schema: Literal[1]
    plan: list[Any]


def is_done(record: Mapping[str, Any]) -> bool:
    """Whether it is the record of a finished run."""
    return bool(record["status"] == "done")


def score(record: Mapping[str, Any], name: str) -> float:
    """What a finished run's protocol measures under a name; percent."""
    return float(record[name])


class Took(TypedDict):
    """What a training took, of which a record tells."""

    trainable: Count
    file_bytes: Count
    text_passes: Count
    seconds: Seconds
    history: list[dict[str, Scalar]]


class Tested(TypedDict):
    """Of how many images and classes scores are."""

    images: Count
    classes: Count


class Kept(TypedDict):
    """What is kept beside a trained prompt (``trained.py``)."""

    schema: Literal[1]
    key: str
    digest: str
    took: Took
    scores: dict[str, Any] | None
    device: str
    peak_memory: Count | None
    versions: dict[str, str]
    date: str


FLAT = ("history", "samples", "val_samples")
"""Long lists that have no lists within: their types say so."""


@cache
def measured_by(protocol: str) -> type:
    """The type of what a protocol measures."""
    measures = MEASURES[protocol]
    fields = [(name, Percent) for name in (*measures.scores, *measures.extras)]
    return defstruct("Measured", fields)
