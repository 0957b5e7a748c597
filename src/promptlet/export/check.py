"""Whether an exported folder is whole, and answers here as it did where it was made. Loads no torch, but for
a program of torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.data.images.opening import image_in_turn
from promptlet.data.images.reading import named
from promptlet.data.images.reduced import whole
from promptlet.errors import ExportError
from promptlet.export.agreement import Outputs, difference
from promptlet.exported import Exported, Graph, open_exported
from promptlet.exported.files.npz import read_array
from promptlet.exported.manifest import FEATURES, IMAGE, PIXELS, PROBABILITIES
from promptlet.preprocessing.views import pixels_of
from promptlet.runtime.arithmetic import probabilities

PROBABILITY_TOLERANCE = 1e-3
"""The largest difference of a probability from what the graph's own features and the vectors make."""
MOST_GOLDEN = 1 << 20


@dataclass(frozen=True)
class Answered:
    """What one graph answered about the golden image: the largest difference of its features from those that
    are stored, and of its probabilities from those of its features, 0 where it gives none."""

    file: str
    precision: str
    off: float
    tolerance: float
    probabilities_off: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether both are within what is allowed."""
        return self.off <= self.tolerance and self.probabilities_off <= PROBABILITY_TOLERANCE


@dataclass(frozen=True)
class Checked:
    """A folder whose sums are right, and what each of its graphs answered."""

    exported: Exported
    graphs: tuple[Answered, ...]

    @property
    def is_sound(self) -> bool:
        """Whether all graphs are."""
        return all(one.is_sound for one in self.graphs)


def check_export(folder: str | Path) -> Checked:
    """Look at the sum of every file, and ask every graph about the golden image, which is decoded and
    preprocessed here.

    Raises ExportError for a folder that was changed, or that what is installed here cannot run;
    MissingExtraError.
    """
    exported = open_exported(folder)
    exported.check()
    golden, spec = exported.manifest.golden, exported.vectors.preprocessing
    if golden is None or spec is None:
        raise ExportError(f"{folder} has no golden image to ask about; export anew")
    expected = read_array(exported.file(golden.features).read_bytes()[:MOST_GOLDEN], golden.features)
    image = exported.file(golden.image)
    with image_in_turn(image, str(image)) as picture, named(str(image)):
        rgb = np.asarray(picture.convert("RGB"))
        given = {PIXELS: pixels_of(whole(picture), spec, "", 0)[None], IMAGE: rgb}
    return Checked(
        exported, tuple(_asked(exported, graph, given, expected) for graph in exported.manifest.graphs)
    )


def _asked(exported: Exported, graph: Graph, given: dict[str, np.ndarray], expected: np.ndarray) -> Answered:
    where = exported.folder / graph.file
    lacking = sorted({port.name for port in graph.inputs} - set(given))
    if lacking:
        raise ExportError(f"{where} takes {', '.join(lacking)}, which this version does not know; upgrade")
    try:
        run = RUNNERS[exported.manifest.kind]()(where)
        found = run({port.name: given[port.name] for port in graph.inputs})
    except ExportError as error:
        raise ExportError(f"{exported.folder}/{error}") from error.__cause__
    if FEATURES not in found or (graph.has_probabilities and PROBABILITIES not in found):
        raise ExportError(f"{where} does not give what export.json tells; export anew")
    off = difference(found[FEATURES], expected)
    answered = Answered(graph.file, graph.precision, off, graph.tolerance)
    if not graph.has_probabilities or not np.isfinite(off):
        return answered
    vectors = exported.vectors
    own = probabilities(found[FEATURES], vectors.classes, vectors.logit_scale, vectors.logit_bias)
    return replace(answered, probabilities_off=difference(found[PROBABILITIES], own))


def _onnx() -> Any:
    from promptlet.export.running.onnx import outputs_by

    return outputs_by


def _openvino() -> Any:
    from promptlet.export.running.openvino import outputs_by

    return outputs_by


def _torch() -> Any:
    from promptlet.export.running.torch_program import outputs_by

    return outputs_by


RUNNERS: dict[str, Callable[[], Callable[[Path], Outputs]]] = {
    "onnx": _onnx,
    "openvino": _openvino,
    "torch": _torch,
}
