"""Graphs of ONNX, by onnxruntime on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from promptlet.errors import ExportError
from promptlet.export.agreement import Outputs, Run
from promptlet.export.told import first_line
from promptlet.exported.manifest import FEATURES, PIXELS
from promptlet.runtime.graphs import CPU, ERRORS_ALONE, import_onnxruntime
from promptlet.session import cores


def outputs_by(graph: Path | bytes) -> Outputs:
    """All that a graph gives, by name: of a file, or of one in memory. Raises ExportError where this
    onnxruntime cannot run it, and where it fails."""
    name = "the graph" if isinstance(graph, bytes) else graph.name
    session = _session_of(graph, name)
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


def _session_of(graph: Path | bytes, name: str) -> Any:
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = cores(), 1
    options.enable_mem_pattern = False  # it would keep memory for each shape that it meets
    options.log_severity_level = ERRORS_ALONE
    given = graph if isinstance(graph, bytes) else str(graph)
    try:
        return runtime.InferenceSession(given, options, providers=[CPU])
    except Exception as error:  # of a library's own kinds
        raise ExportError(
            f"{name}: onnxruntime {runtime.__version__} cannot run it ({first_line(error)}); upgrade "
            "onnxruntime, or export anew"
        ) from error
