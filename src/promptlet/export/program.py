"""A module captured by torch.export, for any number of images at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from promptlet.errors import ExportError
from promptlet.export.told import first_line
from promptlet.session import generators_kept

EXAMPLES = 2
"""Images that the module is captured with: with one alone, torch takes their number for a constant."""


def captured(module: nn.Module, size: tuple[int, int]) -> torch.export.ExportedProgram:
    """The module over pixel values (B, 3, height, width) for any B, without a trace of where its code lies.

    Raises ExportError where torch cannot capture it so.
    """
    pixels = torch.zeros(EXAMPLES, 3, *size, dtype=torch.float32, device="cpu")
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    try:
        with plain_arithmetic():
            program = torch.export.export(module.eval(), (pixels,), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # of torch's own kinds, many
        raise ExportError(
            f"torch {torch.__version__} cannot capture this image tower ({first_line(error)}); export its "
            "class vectors, --to vectors, or answer with the prompt file"
        ) from error
    _forget_places(program.graph_module)
    return program


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Without gradients, and without the shortcuts of attention that no exporter knows; what a library warns
    of is not said: what comes out is compared."""
    attention = torch.backends.mha
    fast = attention.get_fastpath_enabled()
    with torch.no_grad(), warnings.catch_warnings(), generators_kept():
        warnings.simplefilter("ignore")
        attention.set_fastpath_enabled(False)
        try:
            yield
        finally:
            attention.set_fastpath_enabled(fast)


def _forget_places(module: Any) -> None:
    """Take out the lines of code that each step came from: paths of this machine."""
    for inner in module.modules():
        graph = getattr(inner, "graph", None)
        for node in [] if graph is None else graph.nodes:
            node.meta.pop("stack_trace", None)
