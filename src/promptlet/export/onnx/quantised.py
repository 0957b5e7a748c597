"""A graph whose products are of 8 bits.

Products of matrices (vision transformers): weights by channel, each input by its own range, found while it
runs; what stands between stays in float32. Convolutions: all steps, by ranges found beforehand on images. The
other way round each was worse: ranges found beforehand changed a third of the answers of a transformer of
ViT-B/16's size, and MobileNetV2 with ranges found as it runs was several times slower than in float32.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlet.errors import ExportError, PromptletError
from promptlet.export.gate import OwnImages
from promptlet.export.onnx.packages import import_onnx
from promptlet.export.onnx.tower import WEIGHTS, convolutional, read_graph
from promptlet.export.told import first_line
from promptlet.exported.manifest import PIXELS
from promptlet.preprocessing.spec import ImageSpec

AS_IT_RUNS, BEFOREHAND = "dynamic: ranges found as it runs", "static: ranges found on images"
PRODUCTS = ["MatMul", "Gemm"]


def kind_of(tower: Path) -> str:
    """How a tower is quantised: by what most of its weights are for."""
    return BEFOREHAND if convolutional(read_graph(tower)) > 0.5 else AS_IT_RUNS


def quantise(tower: Path, path: Path, images: OwnImages, spec: ImageSpec) -> None:
    """Write the graph ``tower`` in 8 bits to ``path``, with `WEIGHTS` beside it. images: for the ranges."""
    made = path.with_name("quantised.onnx")
    try:
        with _quiet():
            if kind_of(tower) == AS_IT_RUNS:
                _as_it_runs(tower, made)
            else:
                _beforehand(tower, made, images, spec)
    except (PromptletError, OSError):
        raise
    except Exception as error:  # of a library's own kinds
        raise ExportError(
            f"onnxruntime cannot make this image tower of 8 bits ({first_line(error)}); take --precision fp16"
        ) from error
    import onnx_ir

    model = onnx_ir.from_proto(import_onnx().load(made))
    for rest in (made, made.with_name("quantised.onnx.data")):
        rest.unlink(missing_ok=True)
    onnx_ir.save(model, path, external_data=WEIGHTS)


def _as_it_runs(tower: Path, made: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        tower,
        made,
        op_types_to_quantize=PRODUCTS,
        per_channel=True,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
    )


def _beforehand(tower: Path, made: Path, images: OwnImages, spec: ImageSpec) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    prepared = tower.with_name("prepared.onnx")  # beside its numbers
    import_onnx().shape_inference.infer_shapes_path(str(tower), str(prepared))
    quantize_static(
        prepared,
        made,
        _Images(images, spec),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
    )


class _Images:
    """What onnxruntime asks for images, one at a time."""

    def __init__(self, images: OwnImages, spec: ImageSpec) -> None:
        self._left: Iterator[Any] = (one[None] for _, pixels in images.pixels(spec) for one in pixels)

    def get_next(self) -> dict[str, Any] | None:
        """The next image as the graph's inputs; None at the end."""
        pixels = next(self._left, None)
        return None if pixels is None else {PIXELS: pixels}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what onnxruntime's tools say on the root logger, which Python would then give a handler."""
    root, placeholder = logging.getLogger(), logging.NullHandler()
    root.addHandler(placeholder)
    try:
        yield
    finally:
        root.removeHandler(placeholder)
