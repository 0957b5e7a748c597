"""What stands behind the image tower, and before it: the class matrix, and the preprocessing of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from promptlet.export.onnx.nodes import IR_VERSION, OPSET, Nodes
from promptlet.export.onnx.packages import import_onnx
from promptlet.export.onnx.pictures import picture_nodes
from promptlet.exported import Vectors
from promptlet.exported.manifest import FEATURES, IMAGE, PIXELS, PROBABILITIES
from promptlet.preprocessing.spec import ImageSpec


def tower_graph(tower: Any, vectors: Vectors, spec: ImageSpec) -> Any:
    """The tower alone: ``pixels`` (B, 3, H, W) to ``features`` (B, D)."""
    return _model(tower, [], [], _pixels(spec), [_features("batch", vectors)])


def classifier_graph(tower: Any, vectors: Vectors, spec: ImageSpec) -> Any:
    """The tower with the class matrix: also ``probabilities`` (B, C)."""
    head = _head(vectors)
    outputs = [_features("batch", vectors), _probabilities("batch", vectors)]
    return _model(tower, [], [head], _pixels(spec), outputs)


def picture_graph(tower: Any, vectors: Vectors, spec: ImageSpec) -> Any:
    """The same of one picture, uint8 (H, W, 3), RGB, which is preprocessed inside."""
    outputs = [_features(1, vectors), _probabilities(1, vectors)]
    return _model(tower, [picture_nodes(spec, PIXELS)], [_head(vectors)], _image(), outputs)


def pixels_graph(spec: ImageSpec) -> Any:
    """Preprocessing alone: ``image``, uint8 (H, W, 3), to ``pixels`` (1, 3, h, w)."""
    helper, add = import_onnx().helper, picture_nodes(spec, PIXELS)
    output = _port(PIXELS, "FLOAT", [1, 3, *spec.output_size])
    graph = helper.make_graph(add.nodes, "pixels", [_image()], [output], add.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _head(vectors: Vectors) -> Nodes:
    add = Nodes("classes")
    cosines = add("MatMul", FEATURES, add.constant(vectors.classes.T, np.float32))
    logits = add("Mul", cosines, add.constant(vectors.logit_scale, np.float32))
    logits = add("Add", logits, add.constant(vectors.logit_bias, np.float32))
    add("Softmax", logits, name=PROBABILITIES, axis=1)
    return add


def _model(tower: Any, before: list[Nodes], behind: list[Nodes], inputs: Any, outputs: list[Any]) -> Any:
    helper = import_onnx().helper
    nodes = [node for part in before for node in part.nodes]
    nodes += [*tower.graph.node, *(node for part in behind for node in part.nodes)]
    constants = [one for part in (*before, *behind) for one in part.constants]
    graph = helper.make_graph(nodes, "promptlet", [inputs], outputs, [*tower.graph.initializer, *constants])
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), *(o for o in tower.opset_import if o.domain)],
        ir_version=IR_VERSION,
        producer_name="promptlet",
    )


def _image() -> Any:
    return _port(IMAGE, "UINT8", ["height", "width", 3])


def _pixels(spec: ImageSpec) -> Any:
    return _port(PIXELS, "FLOAT", ["batch", 3, *spec.output_size])


def _features(batch: int | str, vectors: Vectors) -> Any:
    return _port(FEATURES, "FLOAT", [batch, vectors.dim])


def _probabilities(batch: int | str, vectors: Vectors) -> Any:
    return _port(PROBABILITIES, "FLOAT", [batch, len(vectors.names)])


def _port(name: str, dtype: str, shape: list[int | str]) -> Any:
    onnx = import_onnx()
    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, dtype), shape)
