"""Layer normalisation and activations, forward and backward, with frozen weights.

GELU is evaluated in one fused pass: quick GELU as SiLU, ``u s(1.702 u) = silu(1.702 u) / 1.702``, with the
first factor folded into the normalisation before it and the second into the addition after it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones.arithmetic.layers import Norm

QUICK_GELU = 1.702
aten = torch.ops.aten


def norm(layer: Norm, x: Tensor, scale: float = 1.0) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """``scale`` times the layer normalisation of x, and its (mean, 1/std)."""
    weight, bias = layer.weight.to(x.dtype), layer.bias.to(x.dtype)
    if scale != 1.0:
        weight, bias = weight * scale, bias * scale
    out, mean, rstd = aten.native_layer_norm(x, (x.shape[-1],), weight, bias, layer.eps)
    return out, (mean, rstd)


def norm_backward(layer: Norm, grad: Tensor, x: Tensor, stats: tuple[Tensor, Tensor]) -> Tensor:
    """Gradient of the input of `norm` (scale 1)."""
    shape = (x.shape[-1],)
    result: Tensor = aten.native_layer_norm_backward(
        grad.to(x.dtype).contiguous(),
        x,
        shape,
        *stats,
        layer.weight.to(x.dtype),
        layer.bias.to(x.dtype),
        [True, False, False],
    )[0]
    return result


def activation_scale(name: str) -> float:
    """Factor by which `activate` wants its input and returns its output: too large, for quick GELU."""
    return QUICK_GELU if name == "quick_gelu" else 1.0


def activate(name: str, hidden: Tensor) -> Tensor:
    """Activation of ``hidden``, both in the scaling of `activation_scale`."""
    if name == "quick_gelu":
        return F.silu(hidden)
    return F.gelu(hidden, approximate="tanh" if name == "gelu_tanh" else "none")


def activate_backward(name: str, grad: Tensor, hidden: Tensor) -> Tensor:
    """Gradient of the pre-activation, in the scaling of `activate` (for quick GELU the factors cancel).

    ``grad`` may be overwritten: fresh memory costs more than the arithmetic."""
    if name == "quick_gelu":
        result: Tensor = aten.silu_backward.grad_input(grad, hidden, grad_input=grad)
    else:
        result = aten.gelu_backward(grad, hidden, approximate="tanh" if name == "gelu_tanh" else "none")
    return result
