"""Numbers of a model that nothing sound is computed from: found while it is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from promptlet.errors import BackboneError
from promptlet.preprocessing.settings import LEAST_DEVIATION, MOST_DEVIATION, MOST_MEAN, MOST_SIDE
from promptlet.preprocessing.spec import ImageSpec

LARGEST = 1e8
"""Of a weight: the square of a sum of such numbers is near what float32 holds."""
SCALES = (1e-3, 1e4)
"""Between which a logit scale is: CLIP's is 100, SigLIP's about 110."""
LARGEST_BIAS = 1e4


def check_weights(name: str, modules: Iterable[nn.Module]) -> None:
    """Raise BackboneError naming the first tensor with a number that is not finite, or absurdly large."""
    for module in modules:
        for place, tensor in (*module.named_parameters(), *module.named_buffers()):
            if not tensor.is_floating_point() or tensor.numel() == 0 or "mask" in place:
                continue  # a mask is -inf where nothing is seen
            low, high = (float(one) for one in torch.aminmax(tensor.detach()))
            if not max(-low, high) <= LARGEST:  # also NaN
                raise BackboneError(
                    f"the weights of {name!r} are damaged: {type(module).__name__}.{place} goes from {low:g} "
                    f"to {high:g}. Download the model again; if it was trained so, load it in float32"
                )


def scale_of(name: str, logarithm: Tensor) -> float:
    """The logit scale whose logarithm a model holds. Raises BackboneError for one that is not sane."""
    return _sane(name, float(logarithm.detach().cpu().double().exp()))  # Apple's devices have no float64


def scale_of_temperature(name: str, temperature: Tensor) -> float:
    """The logit scale of a model that divides by a temperature (ALIGN). Raises BackboneError likewise."""
    value = float(temperature.detach().cpu().double())
    return _sane(name, 1 / value if value else math.inf, f", one over its temperature {value:g}")


def _sane(name: str, scale: float, told: str = "") -> float:
    if not SCALES[0] <= scale <= SCALES[1]:
        raise BackboneError(
            f"the logit scale of {name!r} is {scale:g}{told}; expected {SCALES[0]:g} to {SCALES[1]:g}, as "
            "CLIP's 100. The file is damaged: download the model again"
        )
    return scale


def bias_of(name: str, bias: Tensor | None) -> float:
    """The logit bias that a model holds, or 0. Raises BackboneError for one that is not sane."""
    value = 0.0 if bias is None else float(bias.detach().float())
    if not abs(value) <= LARGEST_BIAS:
        raise BackboneError(
            f"the logit bias of {name!r} is {value:g}; expected a number of at most {LARGEST_BIAS:g}, as "
            "SigLIP's -16. The file is damaged: download the model again"
        )
    return value


def check_preprocessing(name: str, spec: ImageSpec) -> None:
    """Raise BackboneError for a mean, a standard deviation or a size of images that is not sane."""
    mean, std = spec.mean, spec.std
    if not all(1 <= one <= MOST_SIDE for one in spec.output_size):
        raise BackboneError(
            f"{name!r} reads images of {' x '.join(map(str, spec.output_size))} pixels; expected 1 to "
            f"{MOST_SIDE:,} a side. Save the model's own image processor beside it"
        )
    sound = all(math.isfinite(one) and abs(one) <= MOST_MEAN for one in mean)
    if not (sound and all(math.isfinite(one) and LEAST_DEVIATION <= one <= MOST_DEVIATION for one in std)):
        raise BackboneError(
            f"{name!r} subtracts a mean of {tuple(mean)} from images and divides by {tuple(std)}; expected "
            "finite numbers, such as CLIP's (0.48, 0.46, 0.41) and (0.27, 0.26, 0.28). Save the model's own "
            "image processor beside it"
        )
