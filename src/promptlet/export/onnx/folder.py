"""A folder of ONNX graphs: the classifier, its image tower alone, and the classifier of whole pictures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.export import gate
from promptlet.export.agreement import TOLERANCES, compared, difference
from promptlet.export.drawn import drawn_picture, preprocessed, sizes_of
from promptlet.export.onnx.heads import classifier_graph, picture_graph, pixels_graph, tower_graph
from promptlet.export.onnx.packages import import_onnx
from promptlet.export.onnx.pictures import why_not
from promptlet.export.onnx.quantised import BEFOREHAND, kind_of, quantise
from promptlet.export.onnx.tower import WEIGHTS, read_graph, write_tower
from promptlet.export.program import captured
from promptlet.export.running.onnx import features_by, outputs_by
from promptlet.export.wanted import Built, Wanted
from promptlet.exported import Graph, Port
from promptlet.exported.manifest import FEATURES, IMAGE, PIXELS, STEPS

TOWER, CLASSIFIER, PICTURE = "tower.onnx", "classifier.onnx", "picture.onnx"
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "pillow")
PIXEL_TOLERANCE = 1e-3
"""The largest difference from the library's pixel values that preprocessing inside a graph may have."""
LEAST_OF_INT8, ANY = 0.01, 2.0
"""The smallest tolerance of a graph in 8 bits; and one that all numbers of vectors of length 1 are within."""


def build(folder: Path, wanted: Wanted) -> Built:
    """Make the graphs in ``folder``, each compared with torch. Raises ExportError."""
    wanted.say("writing the graph")
    verdict = None
    if wanted.precision == "fp32":
        write_classifier(folder, wanted)
    else:
        verdict = _write_coarser(folder, wanted)
    wanted.say("comparing it with torch")
    run, allowed = features_by(folder / CLASSIFIER), TOLERANCES.get(wanted.precision, ANY)
    largest = compared(run, wanted.pixels, wanted.expected, allowed, "the ONNX graph")
    tolerance = allowed if verdict is None or wanted.precision != "int8" else _of_int8(largest, verdict)
    left_out = _add_picture(folder, wanted, tolerance)
    graphs = _graphs(wanted, tolerance, has_picture=not left_out)
    return Built(graphs, largest, left_out, verdict, {name: version(name) for name in PACKAGES})


def write_classifier(folder: Path, wanted: Wanted) -> Path:
    """Make the tower and the classifier in float32; the path of the classifier. Raises ExportError."""
    write_tower(captured(wanted.tower, wanted.spec.output_size), folder / TOWER, is_half=False)
    _add_classes(folder, wanted)
    return folder / CLASSIFIER


def _write_coarser(folder: Path, wanted: Wanted) -> gate.Verdict | None:
    """The same in fewer bits, and what a person's own images say of it, where there are some."""
    exact, images = folder / "exact", wanted.images
    exact.mkdir()
    program = captured(wanted.tower, wanted.spec.output_size)
    write_tower(program, exact / TOWER, is_half=False)
    if wanted.precision == "fp16":
        kind, asked = "weights of 16 bits", images
        write_tower(program, folder / TOWER, is_half=True)
    else:
        assert images is not None  # `export_folder` asks for them
        kind = kind_of(exact / TOWER)
        calibrating, asked = images.parts(kind == BEFOREHAND)
        wanted.say("making it of 8 bits")
        quantise(exact / TOWER, folder / TOWER, calibrating, wanted.spec)
    _add_classes(folder, wanted)
    verdict = None
    if asked is not None:
        wanted.say(f"asking it about {len(asked.paths):,} of your images")
        run, coarse = features_by(exact / TOWER), features_by(folder / TOWER)
        verdict = gate.measured(run, coarse, asked, wanted.vectors, kind)
        gate.check(verdict, wanted.precision, wanted.least_agreement)
    shutil.rmtree(exact)
    return verdict


def _add_classes(folder: Path, wanted: Wanted) -> None:
    """The classifier over the tower's weights; and the tower as one of ours."""
    tower = read_graph(folder / TOWER)
    for name, make in ((CLASSIFIER, classifier_graph), (TOWER, tower_graph)):
        _save(make(tower, wanted.vectors, wanted.spec), folder / name)


def _save(model: Any, path: Path) -> None:
    onnx = import_onnx()
    onnx.save(model, path)
    onnx.checker.check_model(str(path))


def _of_int8(largest: float, verdict: gate.Verdict) -> float:
    """The tolerance of a graph in 8 bits: twice what was seen, since other processors round otherwise."""
    return min(ANY, max(LEAST_OF_INT8, round(2 * max(largest, verdict.largest), 3)))


def _add_picture(folder: Path, wanted: Wanted, tolerance: float) -> str:
    """Write the graph of whole pictures; why there is none, or nothing."""
    reason = why_not(wanted.spec) or _why_other_pixels(wanted)
    if reason:
        return reason
    _save(picture_graph(read_graph(folder / TOWER), wanted.vectors, wanted.spec), folder / PICTURE)
    picture = np.asarray(drawn_picture(0, sizes_of(wanted.spec)[0]))
    found = outputs_by(folder / PICTURE)({IMAGE: picture})[FEATURES]
    off = difference(found, wanted.expected[:1])
    if off > tolerance:
        (folder / PICTURE).unlink()
        return f"its features differ by {off:.2g} from torch's"
    return ""


def _why_other_pixels(wanted: Wanted) -> str:
    """Whether preprocessing inside a graph makes the library's pixel values of drawn pictures."""
    run = outputs_by(pixels_graph(wanted.spec).SerializeToString())
    for number, size in enumerate(sizes_of(wanted.spec)):
        picture = drawn_picture(number, size)
        found = run({IMAGE: np.asarray(picture)})[PIXELS][0]
        off = difference(found, preprocessed(picture, wanted.spec))
        if off > PIXEL_TOLERANCE:
            return f"a pixel value would be {off:.2g} off, and {PIXEL_TOLERANCE:g} is allowed"
    return ""


def _graphs(wanted: Wanted, tolerance: float, has_picture: bool) -> tuple[Graph, ...]:
    pixels, features, probabilities = wanted.ports()
    first = Graph(
        CLASSIFIER, wanted.precision, (pixels,), (features, probabilities), (), tolerance, (WEIGHTS,)
    )
    tower = replace(first, file=TOWER, outputs=(features,))
    if not has_picture:
        return first, tower
    _, *outputs = wanted.ports(batch=1)
    image = Port(IMAGE, "uint8", ("height", "width", 3))
    steps = tuple(step for step in STEPS if step != "crop" or wanted.spec.crop is not None)
    return first, tower, replace(first, file=PICTURE, inputs=(image,), outputs=tuple(outputs), inside=steps)
