"""What is to be exported, and what was: shared by all kinds of folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from promptlet.export.gate import OwnImages, Verdict
from promptlet.exported import Graph, Port, Vectors
from promptlet.exported.manifest import FEATURES, PIXELS, PROBABILITIES
from promptlet.preprocessing.spec import ImageSpec
from promptlet.runtime.arithmetic import Numbers


@dataclass(frozen=True)
class Wanted:
    """tower: pixel values to features of length 1, in torch; pixels, expected: drawn pictures, and what torch
    makes of them, the golden image first; images: a person's own, where they were given."""

    tower: nn.Module
    vectors: Vectors
    spec: ImageSpec
    precision: str
    pixels: Numbers
    expected: Numbers
    images: OwnImages | None
    least_agreement: float
    say: Callable[[str], None]

    def ports(self, batch: int | str = "batch") -> tuple[Port, Port, Port]:
        """``pixels``, ``features`` and ``probabilities`` of a graph."""
        return (
            Port(PIXELS, "float32", (batch, 3, *self.spec.output_size)),
            Port(FEATURES, "float32", (batch, self.vectors.dim)),
            Port(PROBABILITIES, "float32", (batch, len(self.vectors.names))),
        )


@dataclass(frozen=True)
class Built:
    """graphs: of a folder; largest: difference of a feature from torch, on drawn pictures; left_out: why no
    graph takes whole pictures; verdict: of a person's own images."""

    graphs: tuple[Graph, ...]
    largest: float
    left_out: str = ""
    verdict: Verdict | None = None
    made_with: dict[str, str] = field(default_factory=dict)
