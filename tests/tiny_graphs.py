"""Exported folders whose tower is one product, so that NumPy says what they must answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from promptlet.exported import Graph, Manifest, Port, Vectors, new_folder, write_manifest, write_vectors
from promptlet.preprocessing.spec import ImageSpec
from promptlet.promptfile import Rejection

SIDE, DIM = 8, 6
SPEC = ImageSpec("shortest", (SIDE, SIDE), (SIDE, SIDE), 3, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
NAMES = ("tabby_cat", "Dog", "red fox", "boat")
OPSET, IR = 18, 10


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


WEIGHT = drawn(3 * SIDE * SIDE, DIM, seed=1)


def model(
    classes: np.ndarray | None,
    scale: float = 100.0,
    bias: float = 0.0,
    batch: int | str = "batch",
    op: str = "LpNormalization",
    side: int = SIDE,
) -> Any:
    """pixels (B, 3, 8, 8) to features (B, 6), and to probabilities where there are classes."""
    held = {"weight": np.resize(WEIGHT, (3 * side * side, DIM)).astype(np.float32)}
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weight"], ["raw"]),
        helper.make_node(op, ["raw"], ["features"], **({"axis": 1, "p": 2} if op[0] == "L" else {})),
    ]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, DIM])]
    if classes is not None:
        held |= {"classes": (scale * classes.T).astype(np.float32), "bias": np.array([bias], np.float32)}
        nodes += [
            helper.make_node("MatMul", ["features", "classes"], ["cosines"]),
            helper.make_node("Add", ["cosines", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ]
        shape = [batch, len(classes)]
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, side, side])],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def vectors(**changed: Any) -> Vectors:
    """Four classes, with a rejection that lets about half of drawn pictures through."""
    draw = np.random.default_rng(3)
    centre = (unit(draw.normal(size=(1, DIM)))[0] / 4).astype(np.float16).astype(np.float32)
    signs = np.where(draw.random((len(NAMES), DIM)) < 0.5, 1, -1).astype(np.int8)
    values: dict[str, Any] = {
        "names": NAMES,
        "classes": unit(drawn(len(NAMES), DIM, seed=2)),
        "logit_scale": 20.0,
        "logit_bias": -1.0,
        "backbone": "tiny",
        "fingerprint": "aaaa1111bbbb-cccc2222dddd-eeee3333ffff",
        "preprocessing": SPEC,
        "method": "rlp",
        "taught": NAMES,
        "rejection": Rejection(centre, signs, {80.0: 0.9, 95.0: 0.6}),
        "version": "0.2.0",
    }
    return Vectors(**{**values, **changed})


def folder(target: Path, own: Vectors | None = None, tower_alone: bool = False, **given: Any) -> Path:
    """An exported folder with such a graph."""
    own = vectors() if own is None else own
    classes = None if tower_alone else own.classes
    made = model(classes, own.logit_scale, own.logit_bias, **given)
    batch = given.get("batch", "batch")
    side = given.get("side", SIDE)
    outputs = (Port("features", "float32", (batch, DIM)),)
    if not tower_alone:
        outputs = (*outputs, Port("probabilities", "float32", (batch, len(own.names))))
    graph = Graph("model.onnx", "fp32", (Port("pixels", "float32", (batch, 3, side, side)),), outputs)
    with new_folder(target) as place:
        write_vectors(place / "vectors.npz", own)
        onnx.save(made, place / "model.onnx")
        write_manifest(place, Manifest("onnx", "vectors.npz", (graph,), version="0.2.0"))
    return target
