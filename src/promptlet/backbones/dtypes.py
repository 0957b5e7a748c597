"""What can be asked of ``dtype``, and what it comes to for the towers at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from promptlet.backbones.arithmetic.fastest import engine_is_faster, is_faster, is_faster_way, is_native
from promptlet.backbones.arithmetic.precision import ARITHMETICS, MIXED, Arithmetic, library_precision
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.parts import Towers
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.errors import check_option

AUTO = "auto"
DTYPES = (AUTO, "float32", "mixed", "bfloat16", "float16")
"""What help names; `ARITHMETICS` has those of one tower too, for records that are to be made again."""
LEAST_WEIGHTS = 4_000_000
"""In a tower's linear layers and convolutions. Of less, a step takes milliseconds: nothing to gain."""
TEXTS = ("a photo of a dog.",) * 8
IMAGES = 2
"""What a tower is measured with as a whole."""


def asked(dtype: str | torch.dtype | None) -> Arithmetic | None:
    """What was asked for; None for "auto", which depends on the towers. Raises OptionError."""
    given = AUTO if dtype is None else str(dtype)
    word = given.removeprefix("torch.") if isinstance(dtype, torch.dtype) else given
    if word in ARITHMETICS:
        return ARITHMETICS[word]
    check_option("dtype", given, DTYPES)
    return None


def chosen(towers: Towers, text: TextEncoder, images: ImageEncoder) -> Arithmetic:
    """Of "auto": products in bfloat16 in each tower for which they are faster on this machine. Where they are
    in neither, images in float32 by the engine, if that is faster than the library."""
    found = Arithmetic(text=_of_text(towers, text), images=_of_images(towers, images))
    if (
        found != Arithmetic()
        or images.engine is None
        or images.broken
        or not _is_large(_shapes(towers.image))
    ):
        return found
    largest = max(_shapes(towers.image), key=prod)
    return Arithmetic(engine=engine_is_faster(largest, images.device))


def _of_text(towers: Towers, text: TextEncoder) -> torch.dtype:
    """By its products where the engine serves; a tower that only its library can run is measured whole."""
    shapes, device = _shapes(towers.text), text.device
    if not _is_large(shapes):
        return torch.float32
    if text.engine is not None:
        return MIXED if is_faster(max(shapes, key=prod), device) else torch.float32

    def encode(products: torch.dtype) -> None:
        with library_precision(device, torch.float32, products):
            text.encode_texts_reference(TEXTS)

    what = f"{type(towers.text[0]).__name__} {text.context_length} {sorted(Counter(shapes).items())}"
    exact, mixed = (partial(encode, dtype) for dtype in (torch.float32, MIXED))
    return MIXED if is_faster_way(what, exact, mixed, device) else torch.float32


def _of_images(towers: Towers, images: ImageEncoder) -> torch.dtype:
    """The same of the image tower."""
    shapes, device = _shapes(towers.image), images.device
    if not _is_large(shapes) or images.broken:
        return torch.float32
    if images.engine is not None:
        return MIXED if is_faster(max(shapes, key=prod), device) else torch.float32
    pixels = torch.zeros(IMAGES, 3, *images.spec.output_size, dtype=torch.float32, device="cpu")
    exact, mixed = (partial(images.encode_in, dtype, pixels) for dtype in (torch.float32, MIXED))
    what = f"{images.kind} {tuple(pixels.shape)} {sorted(Counter(shapes).items())}"
    return MIXED if is_faster_way(what, exact, mixed, device) else torch.float32


def _is_large(shapes: list[tuple[int, int]]) -> bool:
    return sum(map(prod, shapes)) >= LEAST_WEIGHTS


def _shapes(modules: Sequence[nn.Module]) -> list[tuple[int, int]]:
    """Of the weights of all linear layers and convolutions: (out, numbers for each)."""
    found: list[tuple[int, int]] = []
    for layer in (layer for module in modules for layer in module.modules()):
        packed = layer.in_proj_weight if isinstance(layer, nn.MultiheadAttention) else None
        weight: Tensor | None = layer.weight if isinstance(layer, nn.Linear | nn.Conv2d) else packed
        if weight is not None:
            found.append((int(weight.shape[0]), int(weight[0].numel())))
    return found


def slow(arithmetic: Arithmetic, device: torch.device) -> str:
    """That products in half of float32's bits are slow there, as a note; "" where they are not."""
    kinds = (arithmetic.text, arithmetic.images)
    if device.type == "cpu" and torch.float16 in kinds:
        return (
            f"dtype {arithmetic.word}: hardly any processor computes in float16, and others are slower in it "
            "than in float32. Take --dtype auto, or float32"
        )
    if MIXED not in kinds or device.type not in ("cpu", "cuda") or is_native(device):
        return ""
    where, instead = ("GPU", "float32 or float16") if device.type == "cuda" else ("processor", "float32")
    return (
        f"dtype {arithmetic.word}: this {where} has no instructions for bfloat16, so it computes the same "
        f"numbers, but slower than in float32. Take --dtype auto, or {instead}"
    )
