"""Nodes of an ONNX graph, written one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from promptlet.export.onnx.packages import import_onnx

OPSET, IR_VERSION = 18, 10
"""Of all graphs: onnxruntime 1.20 and newer run them."""


class Nodes:
    """Nodes and constants that a graph gets, whose names begin with a prefix of their own."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output; the name of that."""
        made = name or f"{self.prefix}.{len(self.nodes)}"
        self.nodes.append(import_onnx().helper.make_node(op, inputs, [made], name=made, **attributes))
        return made

    def constant(self, value: Any, dtype: Any) -> str:
        """Add numbers; their name."""
        name = f"{self.prefix}.constant.{len(self.constants)}"
        self.constants.append(import_onnx().numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def either(
        self, condition: str, one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]
    ) -> str:
        """One node or another, (operator and input, attributes) each, as the condition says."""
        helper, branches = import_onnx().helper, {}
        for branch, (call, attributes) in (("then_branch", one), ("else_branch", other)):
            op, given = call.split(" ")
            made = f"{self.prefix}.{len(self.nodes)}.{branch}"
            node = helper.make_node(op, [given], [made], **attributes)
            kind = helper.make_tensor_value_info(made, import_onnx().TensorProto.UINT8, None)
            branches[branch] = helper.make_graph([node], branch, [], [kind])
        return self("If", condition, **branches)
