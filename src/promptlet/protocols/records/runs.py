"""A run: one (protocol, data set, method, seed) with every setting that changes its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from promptlet.views import Views

SHOWN_IN_SLUG = ("rank", "n_ctx", "per_class")
DIGESTS = ("data", "source_data")
AS_BEFORE: Mapping[str, Any] = MappingProxyType(
    {"v_rate": 1.0, "budget": None, "new_names": "learned", "soft": False}
)
"""Options that came later, at the values that stand for how it was without them: there they are no part of
what tells runs apart, so that a run from before is the same run."""
OF_THE_TEST = ("protocol", "dataset", "source")
"""Fields that training does not depend on; it does on the digest of what it is trained on."""


@dataclass(frozen=True)
class Run:
    """What is run. ``options`` and ``settings`` are complete: defaults are written out, since they may change
    with a version.

    dataset: its name in tables; data: digest of its content. fingerprint: the backbone's.
    settings: every field of the `Schedule`; empty for a method that trains nothing. dtype: what is
    computed in, `Backbone.arithmetic`.
    source, source_data: name and digest of the data set that is trained on, where it is another one.
    code: digest of the file of a method that is not Promptlet's own; changed code is another run.

    The device is no part of it; the record names it. Numbers of two devices differ by the rounding of
    ``dtype``, which is computed in on CUDA, too: ``float32`` is that there. Records from before version 0.2.0
    say so of trainings whose products on CUDA were in bfloat16, whatever the dtype.
    """

    protocol: str
    dataset: str
    data: str
    method: str
    options: Mapping[str, Any]
    shots: int
    seed: int
    settings: Mapping[str, Any]
    views: Views
    sampler: str
    fingerprint: str
    dtype: str
    source: str | None = None
    source_data: str | None = None
    code: str | None = None

    @property
    def key(self) -> str:
        """A readable slug and 12 hexadecimal digits of everything above; the name of its file in a store."""
        origin = ["from", self.source] if self.source else []
        return _key([self.protocol, self.dataset, *origin], self, _identity(asdict(self)))

    @property
    def training_key(self) -> str:
        """The same for what its training depends on: runs that share it can share the trained method."""
        fields = {name: value for name, value in _identity(asdict(self)).items() if name not in OF_THE_TEST}
        fields["data"] = fields.pop("source_data", None) or fields["data"]
        return _key([self.source or self.dataset], self, fields)

    def describe(self) -> dict[str, Any]:
        """The run as plain JSON values, as it stands at the head of its record."""
        described = {"key": self.key, **_identity(asdict(self))}
        described["options"], described["settings"] = dict(self.options), dict(self.settings)
        return {**described, "rank": self.options.get("rank")}

    @property
    def label(self) -> str:
        """The run in a line of progress."""
        origin = f"{self.source} to " if self.source else ""
        rank = f" rank {self.options['rank']}" if self.options.get("rank") else ""
        schedule = f", {self.settings['name']}" if self.settings else ""
        return f"{origin}{self.dataset} {self.method}{rank} ({self.shots} shots, seed {self.seed}{schedule})"


def cell_of(described: Mapping[str, Any]) -> str:
    """What a run shares with itself on repaired data: everything of `Run.describe` but the data's digests."""
    return _digest(_without(described, DIGESTS))


def row_of(described: Mapping[str, Any]) -> str:
    """What the seeds of one row of a table share: everything of `cell_of` but the seed."""
    return _digest(_without(described, (*DIGESTS, "seed")))


def still_asked_for(
    asked: Iterable[Mapping[str, Any]], done: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Of runs that were asked for, each once, those that no finished run stands for: not one on repaired
    data, nor one by code that was replaced since."""
    there = {cell_of(record) for record in done}
    replaced = {_but_code(record) for record in done if record.get("code")}
    current = [run for run in asked if not run.get("code") or _but_code(run) not in replaced]
    return list({cell_of(run): run for run in current if cell_of(run) not in there}.values())


def _but_code(described: Mapping[str, Any]) -> str:
    """The same for runs that differ in the code of a method of one's own alone."""
    return cell_of({**described, "code": None})


def _without(described: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    fields = _identity({name: described.get(name) for name in Run.__dataclass_fields__})
    return {name: value for name, value in fields.items() if name not in names}


def told_apart_by(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without those that are `AS_BEFORE`."""
    return {name: value for name, value in options.items() if AS_BEFORE.get(name, ...) != value}


def _identity(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without a source, or code, where there is none, and without options that are `AS_BEFORE`: so
    runs are told apart as before there were any. A record without ``source_data`` may have a ``source`` of
    its own: where the data set came from.
    """
    absent = [] if fields["source_data"] is not None else ["source", "source_data"]
    absent += [] if fields["code"] is not None else ["code"]
    found = {name: value for name, value in fields.items() if name not in absent}
    return {**found, "options": told_apart_by(found.get("options") or {})}


def _key(first: Sequence[str], run: Run, identity: Mapping[str, Any]) -> str:
    options = [f"{name}{run.options[name]}" for name in SHOWN_IN_SLUG if run.options.get(name)]
    schedule = [str(run.settings["name"])] if run.settings else []
    parts = [*first, run.method, *options, f"{run.shots}shot", *schedule, f"seed{run.seed}"]
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower())
    return f"{slug.strip('-')[:100]}-{_digest(identity)}"


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, default=dict)
    return hashlib.blake2b(text.encode("ascii"), digest_size=6).hexdigest()
