"""Models of OpenVINO, on the processor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.errors import ExportError, MissingExtraError
from promptlet.export.agreement import Outputs, Run
from promptlet.export.told import first_line
from promptlet.exported.manifest import FEATURES, PIXELS
from promptlet.session import cores

TELEMETRY = "openvino_telemetry"
"""A package that tells Google Analytics when openvino is imported; where it is absent, nothing is told."""


def outputs_by(model: Path) -> Outputs:
    """All that a model gives, by name, computed in float32: left alone, OpenVINO takes bfloat16 where the
    processor has it. Raises ExportError where this OpenVINO cannot run it."""
    openvino = import_openvino()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": cores()}
    try:
        compiled = openvino.Core().compile_model(model, "CPU", settings)
    except Exception as error:  # of a library's own kinds
        raise ExportError(
            f"{model.name}: OpenVINO {openvino.__version__} cannot run it ({first_line(error)}); upgrade "
            "OpenVINO, or export anew"
        ) from error

    def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            found = compiled(given)
        except Exception as error:  # of a library's own kinds
            raise ExportError(f"{model.name}: OpenVINO failed ({first_line(error)})") from error
        return {port.get_any_name(): np.array(found[port]) for port in compiled.outputs}

    return run


def features_by(model: Path) -> Run:
    """From pixel values (B, 3, H, W) to features (B, D), by a model."""
    run = outputs_by(model)
    return lambda pixels: run({PIXELS: pixels})[FEATURES]


def import_openvino() -> Any:
    """Imported so that it tells nobody. Raises MissingExtraError."""
    try:
        with _without_telemetry():
            import openvino
    except ImportError as error:
        raise MissingExtraError(
            "folders for OpenVINO need the optional package openvino: pip install 'promptlet[onnx,openvino]'"
        ) from error
    return openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Inside, the package that tells cannot be imported; openvino has one of its own for that, which is
    silent."""
    absent = object()
    before: Any = sys.modules.get(TELEMETRY, absent)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is absent:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = before
