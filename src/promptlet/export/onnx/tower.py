"""The graph of an image tower: by torch's exporter, from a captured program, its weights in a file beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptlet.errors import ExportError
from promptlet.export.onnx.nodes import OPSET
from promptlet.export.onnx.packages import import_onnx
from promptlet.export.program import plain_arithmetic
from promptlet.export.told import first_line
from promptlet.exported.manifest import FEATURES, PIXELS

WEIGHTS = "weights.data"
"""Numbers of all graphs of a folder: no protobuf holds more than 2 GB, and graphs share them."""
LEAST_HALVED = 1024
"""Numbers of a tensor whose 16 bits are worth a node that widens them."""


def write_tower(program: torch.export.ExportedProgram, path: Path, is_half: bool) -> None:
    """Write the graph ``pixels`` -> ``features`` of a program, with `WEIGHTS` beside it; is_half: these in 16
    bits, which are widened where they are read, so that all is computed in float32.

    Raises ExportError where torch's exporter cannot write it.
    """
    import onnx_ir

    model = _translated(program)
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            if not value.is_graph_output():  # what is between is known by who reads it
                value.shape = value.type = None
    for port in (*model.graph.inputs, *model.graph.outputs):
        port.shape = onnx_ir.Shape(["batch", *port.shape[1:]])
    if is_half:
        _halve(model)
    onnx_ir.save(model, path, external_data=WEIGHTS)


def _translated(program: torch.export.ExportedProgram) -> Any:
    try:
        with plain_arithmetic():
            made = torch.onnx.export(
                program, (), input_names=[PIXELS], output_names=[FEATURES], opset_version=OPSET, verbose=False
            )
    except Exception as error:  # of torch's own kinds, many
        raise ExportError(
            f"torch {torch.__version__} cannot write this image tower as ONNX ({first_line(error)}); upgrade "
            "onnxscript, or export --to torch, or --to vectors"
        ) from error
    assert made is not None  # it is where no file is named
    return made.model


def _halve(model: Any) -> None:
    """Weights of float32 become float16, with a node behind each that widens it."""
    import onnx_ir

    graph = model.graph
    first = next(iter(graph))
    for name, value in list(graph.initializers.items()):
        array = value.const_value.numpy()
        if array.dtype != np.float32 or array.size < LEAST_HALVED:
            continue
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.isfinite(half).all():
            raise ExportError(
                f"the weights {name!r} reach {np.abs(array).max():.3g}, and 16 bits hold up to 65,504; take "
                "--precision fp32"
            )
        stored = onnx_ir.Value(name=f"{name}.half", const_value=onnx_ir.tensor(half, name=f"{name}.half"))
        widened = onnx_ir.node("Cast", [stored], {"to": onnx_ir.DataType.FLOAT}, name=f"{name}.widened")
        value.replace_all_uses_with(widened.outputs[0])
        graph.initializers.pop(name)
        widened.outputs[0].name = name
        graph.register_initializer(stored)
        graph.insert_before(first, widened)


def read_graph(path: Path) -> Any:
    """A graph without its numbers, which stay in their file."""
    return import_onnx().load(path, load_external_data=False)


def convolutional(model: Any) -> float:
    """Which share of a graph's weights convolutions have."""
    sizes = {one.name: int(np.prod(one.dims)) for one in model.graph.initializer}
    held = {op: sum(_sizes(model, op, sizes)) for op in ("Conv", "MatMul", "Gemm")}
    return held["Conv"] / max(1, sum(held.values()))


def _sizes(model: Any, op: str, sizes: dict[str, int]) -> Iterator[int]:
    return (sizes.get(name, 0) for node in model.graph.node if node.op_type == op for name in node.input[1:2])
