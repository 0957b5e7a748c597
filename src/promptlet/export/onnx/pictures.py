"""Preprocessing as nodes of a graph: from a picture, uint8 (H, W, 3), to pixel values (1, 3, h, w), which are
to the bit what Pillow and the library make.

ONNX's own Resize computes in float32, and does not round between its two passes as Pillow does. So each pass
is a product of whole numbers here, as in Pillow: weights of the filter with 22 bits, cut into three digits of
8 bits, since uint8 is what graphs multiply exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, __version__

from promptlet.export.onnx.nodes import Nodes
from promptlet.export.onnx.packages import import_onnx
from promptlet.exported.manifest import IMAGE
from promptlet.preprocessing.spec import ImageSpec

BITS = 22
"""Of a weight behind the point, as Pillow has them."""
FIRST_OFFSET = 1 << (BITS - 16)
"""Makes the first digit of a weight positive: none is below -1."""
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
DOWN_FIRST = 13
"""Pillow's version from which on tall pictures go down before they go across."""


def why_not(spec: ImageSpec) -> str:
    """Why this preprocessing cannot be in a graph; nothing where it can."""
    if spec.resize not in ("shortest", "exact"):
        return f"it resizes pictures in another way ({spec.resize})"
    if spec.resample not in FILTERS:
        return f"its filter is {Image.Resampling(spec.resample).name.lower()}"
    if spec.crop is not None and (spec.crop[0] > spec.size[0] or spec.crop[1] > spec.size[1]):
        return "its crop is larger than what it resizes to"
    return ""


def picture_nodes(spec: ImageSpec, pixels: str) -> Nodes:
    """From the input ``image``, uint8 (H, W, 3), to pixel values called ``pixels``."""
    return _Picture(spec).build(pixels)


class _Picture:
    def __init__(self, spec: ImageSpec) -> None:
        self.spec = spec
        self.add = Nodes("picture")

    def build(self, pixels: str) -> Nodes:
        add, spec = self.add, self.spec
        planes = add("Transpose", IMAGE, perm=[2, 0, 1])
        height, width = (self._side(IMAGE, axis) for axis in (0, 1))
        new_height, new_width = self._new_sides(height, width)
        resized = self._resized(planes, (height, width), (new_height, new_width))
        if spec.crop is not None:
            resized = self._cropped(resized, (new_height, new_width), spec.crop)
        numbers = add("Cast", resized, to=import_onnx().TensorProto.FLOAT)
        numbers = add("Mul", numbers, add.constant(spec.scale, np.float32))
        numbers = add("Sub", numbers, add.constant(_channels(spec.mean), np.float32))
        numbers = add("Div", numbers, add.constant(_channels(spec.std), np.float32))
        add("Unsqueeze", numbers, add.constant([0], np.int64), name=pixels)
        return add

    def _number(self, value: float) -> str:
        return self.add.constant(value, np.float64)

    def _side(self, of: str, axis: int) -> str:
        """Pixels along one side, as a number."""
        side = self.add("Shape", of, start=axis, end=axis + 1)
        return self.add("Squeeze", self.add("Cast", side, to=import_onnx().TensorProto.DOUBLE))

    def _new_sides(self, height: str, width: str) -> tuple[str, str]:
        add, (rows, columns) = self.add, self.spec.size
        if self.spec.resize == "exact":
            return self._number(rows), self._number(columns)
        short = self._number(rows)
        is_tall = add("LessOrEqual", width, height)
        down = add("Floor", add("Div", add("Mul", short, height), width))
        across = add("Floor", add("Div", add("Mul", short, width), height))
        return add("Where", is_tall, down, short), add("Where", is_tall, short, across)

    def _resized(self, planes: str, old: tuple[str, str], new: tuple[str, str]) -> str:
        """Planes (3, H, W) in their new size, across first and then down, or the other way round."""
        add, (height, width), (new_height, new_width) = self.add, old, new
        turn: dict[str, Any] = {"perm": [0, 2, 1]}
        if int(__version__.split(".")[0]) < DOWN_FIRST:
            across = add("Transpose", self._pass(planes, width, new_width), **turn)
            return add("Transpose", self._pass(across, height, new_height), **turn)
        is_down_first = self._is_down_first(old, new)
        turned = add.either(is_down_first, (f"Transpose {planes}", turn), (f"Identity {planes}", {}))
        sides = [add("Where", is_down_first, *pair) for pair in ((height, width), (width, height))]
        news = [
            add("Where", is_down_first, *pair) for pair in ((new_height, new_width), (new_width, new_height))
        ]
        first = add("Transpose", self._pass(turned, sides[0], news[0]), **turn)
        second = self._pass(first, sides[1], news[1])
        return add.either(is_down_first, (f"Identity {second}", {}), (f"Transpose {second}", turn))

    def _is_down_first(self, old: tuple[str, str], new: tuple[str, str]) -> str:
        """Whether the picture loses rows, and more than twice as many as columns."""
        add = self.add
        rows, columns = (add("Sub", before, after) for before, after in zip(old, new, strict=True))
        many = add("Greater", rows, add("Mul", self._number(2), columns))
        return add("And", many, add("Greater", rows, self._number(0)))

    def _pass(self, planes: str, old: str, new: str) -> str:
        """Planes (3, N, old), uint8, to (3, N, new), as Pillow's pass over one side makes them."""
        add, types = self.add, import_onnx().TensorProto
        total = ""
        for place, digit in zip((1 << 16, 1 << 8, 1), self._digits(self._weights(old, new)), strict=True):
            offset = FIRST_OFFSET if place == 1 << 16 else 0
            zeros = add.constant(0, np.uint8), add.constant(offset, np.uint8)
            part = add("Cast", add("MatMulInteger", planes, digit, *zeros), to=types.INT64)
            part = add("Mul", part, add.constant(place, np.int64))
            total = add("Add", total, part) if total else part
        total = add("Add", total, add.constant(1 << (BITS - 1), np.int64))
        total = add("Max", total, add.constant(0, np.int64))
        level = add("Div", total, add.constant(1 << BITS, np.int64))
        return add("Cast", add("Min", level, add.constant(255, np.int64)), to=types.UINT8)

    def _weights(self, old: str, new: str) -> str:
        """Weights (old, new) in units of 2**-22, whole numbers."""
        add, number = self.add, self._number
        scale = add("Div", old, new)
        wide = add("Div", number(1), add("Max", scale, number(1)))
        places = add("Unsqueeze", self._counted(old), add.constant([1], np.int64))
        centres = add("Mul", add("Add", self._counted(new), number(0.5)), scale)
        away = add("Add", add("Sub", places, centres), number(0.5))
        weights = self._filter(add("Abs", add("Mul", away, wide)))
        sums = add("ReduceSum", weights, add.constant([0], np.int64), keepdims=1)
        exact = add("Mul", add("Div", weights, sums), number(1 << BITS))
        return add("Mul", add("Floor", add("Add", add("Abs", exact), number(0.5))), add("Sign", exact))

    def _counted(self, count: str) -> str:
        return self.add("Range", self._number(0), count, self._number(1))

    def _filter(self, x: str) -> str:
        """Of distances x >= 0: 1 - x below 1, or the cubic with a = -1/2 below 2."""
        add, number = self.add, self._number
        is_near = add("Less", x, number(1))
        if self.spec.resample == Image.Resampling.BILINEAR:
            return add("Where", is_near, add("Sub", number(1), x), number(0))
        near = add("Sub", add("Mul", number(1.5), x), number(2.5))
        near = add("Add", add("Mul", add("Mul", near, x), x), number(1))
        far = add("Add", add("Mul", add("Sub", x, number(5)), x), number(8))
        far = add("Mul", add("Sub", add("Mul", far, x), number(4)), number(-0.5))
        is_far = add("Less", x, number(2))
        return add("Where", is_near, near, add("Where", is_far, far, number(0)))

    def _digits(self, weights: str) -> list[str]:
        """Three digits of 8 bits, the first of them raised by `FIRST_OFFSET`."""
        add, number, types = self.add, self._number, import_onnx().TensorProto
        digits, left = [], add("Add", weights, number(FIRST_OFFSET << 16))
        for place in (1 << 16, 1 << 8, 1):
            digit = add("Floor", add("Div", left, number(place)))
            left = add("Sub", left, add("Mul", digit, number(place)))
            digits.append(add("Cast", digit, to=types.UINT8))
        return digits

    def _cropped(self, planes: str, sides: tuple[str, str], crop: tuple[int, int]) -> str:
        """The middle of planes (3, h, w), half pixels rounded as the library does."""
        add, op = self.add, "Round" if self.spec.crop_rounding == "nearest" else "Floor"
        starts = []
        for side, kept in zip(sides, crop, strict=True):
            start = add(op, add("Div", add("Sub", side, self._number(kept)), self._number(2)))
            start = add("Cast", start, to=import_onnx().TensorProto.INT64)
            starts.append(add("Unsqueeze", start, add.constant([0], np.int64)))
        first = add("Concat", *starts, axis=0)
        last = add("Add", first, add.constant(crop, np.int64))
        return add("Slice", planes, first, last, add.constant([1, 2], np.int64))


def _channels(values: tuple[float, ...]) -> Any:
    return np.asarray(values, np.float32)[:, None, None]
