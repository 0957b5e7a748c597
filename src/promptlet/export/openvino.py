"""A folder with a model of OpenVINO, read from the ONNX graph of the classifier."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

from promptlet.errors import ExportError
from promptlet.export.agreement import TOLERANCES, compared
from promptlet.export.onnx.folder import write_classifier
from promptlet.export.running.openvino import features_by, import_openvino
from promptlet.export.told import first_line
from promptlet.export.wanted import Built, Wanted
from promptlet.exported import Graph

MODEL, NUMBERS = "classifier.xml", "classifier.bin"


def build(folder: Path, wanted: Wanted) -> Built:
    """Make the model in ``folder``, compared with torch. Raises ExportError."""
    openvino = import_openvino()
    exact = folder / "exact"
    exact.mkdir()
    graph = write_classifier(exact, wanted)
    wanted.say("reading it with OpenVINO")
    try:
        model = openvino.Core().read_model(graph)
        openvino.save_model(model, folder / MODEL, compress_to_fp16=wanted.precision == "fp16")
    except Exception as error:  # of a library's own kinds
        raise ExportError(
            f"OpenVINO {version('openvino')} cannot read this graph ({first_line(error)}); export --to onnx"
        ) from error
    del model  # which holds the files open
    shutil.rmtree(exact)
    tolerance = TOLERANCES[wanted.precision]
    wanted.say("comparing it with torch")
    run = features_by(folder / MODEL)
    largest = compared(run, wanted.pixels, wanted.expected, tolerance, "the OpenVINO model")
    pixels, *outputs = wanted.ports()
    made = Graph(MODEL, wanted.precision, (pixels,), tuple(outputs), (), tolerance, (NUMBERS,))
    return Built((made,), largest, made_with={name: version(name) for name in ("torch", "onnx", "openvino")})
