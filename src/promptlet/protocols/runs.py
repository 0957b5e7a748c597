"""A run: one (protocol, data set, method, seed) with every setting that changes its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SHOWN_IN_SLUG = ("rank", "n_ctx", "per_class")


@dataclass(frozen=True)
class Run:
    """What is run. ``options`` and ``settings`` are complete: defaults are written out, since they may change
    with a version.

    dataset: its name in tables; data: digest of its content. fingerprint: the backbone's.
    settings: every field of the `Schedule`; empty for a method that trains nothing. dtype: of the weights.

    The device is no part of it; the record names it. Numbers of two devices differ by rounding, which on CUDA
    is that of bf16 products.
    """

    protocol: str
    dataset: str
    data: str
    method: str
    options: Mapping[str, Any]
    shots: int
    seed: int
    settings: Mapping[str, Any]
    views: int
    sampler: str
    fingerprint: str
    dtype: str

    @property
    def key(self) -> str:
        """A readable slug and 12 hexadecimal digits of everything above; the name of its file in a store."""
        options = [f"{name}{self.options[name]}" for name in SHOWN_IN_SLUG if self.options.get(name)]
        schedule = [str(self.settings["name"])] if self.settings else []
        parts = [self.protocol, self.dataset, self.method, *options, f"{self.shots}shot", *schedule]
        slug = re.sub(r"[^a-z0-9]+", "-", " ".join([*parts, f"seed{self.seed}"]).lower())
        return f"{slug.strip('-')[:100]}-{_digest(asdict(self))}"

    def describe(self) -> dict[str, Any]:
        """The run as plain JSON values, as it stands at the head of its record."""
        described = {"key": self.key, **asdict(self)}
        described["options"], described["settings"] = dict(self.options), dict(self.settings)
        return {**described, "rank": self.options.get("rank")}

    @property
    def label(self) -> str:
        """The run in a line of progress."""
        rank = f" rank {self.options['rank']}" if "rank" in self.options else ""
        schedule = f", {self.settings['name']}" if self.settings else ""
        return f"{self.dataset} {self.method}{rank} ({self.shots} shots, seed {self.seed}{schedule})"


def cell_of(described: Mapping[str, Any]) -> str:
    """What a run shares with itself on repaired data: everything of `Run.describe` but the data's digest."""
    return _digest({name: described.get(name) for name in Run.__dataclass_fields__ if name != "data"})


def row_of(described: Mapping[str, Any]) -> str:
    """What the seeds of one row of a table share: everything of `cell_of` but the seed."""
    return _digest(
        {name: described.get(name) for name in Run.__dataclass_fields__ if name not in ("data", "seed")}
    )


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, default=dict)
    return hashlib.blake2b(text.encode("ascii"), digest_size=6).hexdigest()
