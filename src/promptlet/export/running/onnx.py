"""Graphs of ONNX, by onnxruntime on the processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from promptlet.errors import ExportError
from promptlet.export.agreement import Outputs, Run
from promptlet.export.told import first_line
from promptlet.exported.manifest import FEATURES, PIXELS
from promptlet.runtime.graphs import session_of


def outputs_by(graph: Path | bytes) -> Outputs:
    """All that a graph gives, by name: of a file, or of one in memory. Raises ExportError where this
    onnxruntime cannot run it, and where it fails."""
    name = "the graph" if isinstance(graph, bytes) else graph.name
    session = session_of(graph if isinstance(graph, bytes) else str(graph), name)
    names = [one.name for one in session.get_outputs()]

    def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            return dict(zip(names, session.run(names, given), strict=True))
        except Exception as error:  # of a library's own kinds
            raise ExportError(f"{name}: onnxruntime failed ({first_line(error)})") from error

    return run


def features_by(graph: Path) -> Run:
    """From pixel values (B, 3, H, W) to features (B, D), by a graph."""
    run = outputs_by(graph)
    return lambda pixels: run({PIXELS: pixels})[FEATURES]
