"""Products with the frozen weights: the only heavy arithmetic of the text engine.

On an x86-64 CPU in float32 they go to oneDNN, which PyTorch's builds carry and `torch.compile` uses;
`torch.mm` goes to another library there, which is slower for a few hundred rows
(docs/explanation/engines.md). Where the kernel is not to be had (another build, processor, device or dtype,
`torch.backends.mkldnn.enabled = False`), `torch.mm` serves.
"""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import Tensor

from promptlet.backbones.arithmetic.layers import Linear

X86 = platform.machine().lower() in ("x86_64", "amd64")  # the only processors it was measured on
ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if X86 else None


def _use_onednn(x: Tensor) -> bool:
    return (
        ONEDNN is not None
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and bool(torch.backends.mkldnn.enabled)
        and not torch.compiler.is_compiling()  # whose own calls of the kernel want weights laid out for them
    )


def linear(layer: Linear, x: Tensor) -> Tensor:
    """``x W.T + b`` for x (..., in), in x's dtype."""
    return scaled_linear(layer, x, 1.0)


def scaled_linear(layer: Linear, x: Tensor, scale: float) -> Tensor:
    """``x W.T + scale b`` for x (..., in), in x's dtype."""
    weight, bias = layer.read(x.dtype), None if layer.bias is None else layer.bias.to(x.dtype)
    if bias is not None and scale != 1.0:
        bias = bias * scale
    flat = x.reshape(-1, x.shape[-1])
    if _use_onednn(x):
        out: Tensor = ONEDNN(flat, weight, bias, "none", [], "")
    elif bias is None:
        out = torch.mm(flat, weight.t())
    else:
        out = torch.addmm(bias, flat, weight.t())
    return out.view(*x.shape[:-1], -1)


def linear_backward(layer: Linear, grad: Tensor) -> Tensor:
    """Gradient of the input of `linear`, ``grad W``, for grad (..., out)."""
    weight = layer.read(grad.dtype)
    flat = grad.reshape(-1, grad.shape[-1])
    if _use_onednn(grad):
        out: Tensor = ONEDNN(flat, weight.t(), None, "none", [], "")
    else:
        out = torch.mm(flat, weight)
    return out.view(*grad.shape[:-1], -1)


def sum_backward(layers: tuple[Linear, ...], grads: tuple[Tensor, ...]) -> Tensor:
    """``sum_i grads_i W_i``: the gradient of an input that several layers read."""
    total = linear_backward(layers[0], grads[0])
    flat = total.view(-1, total.shape[-1])
    for layer, grad in zip(layers[1:], grads[1:], strict=True):
        weight, rows = layer.read(grad.dtype), grad.reshape(-1, grad.shape[-1])
        if _use_onednn(grad):
            flat = ONEDNN.binary(rows, flat, weight.t(), None, "add")
        else:
            flat.addmm_(rows, weight)
    return flat.view_as(total)
