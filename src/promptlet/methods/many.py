"""Losses over more images and classes than there is memory for logits: in parts, equal to rounding.

B images and C classes make B x C logits, and a training step holds them four times over: 20,000 classes with
16 images each would be 25 GB a time. A loss that is a mean over images needs them only for its gradient in
what all images share, the class features above all; so some images at a time are taken forward and backward
at once, their gradients added up, and the step goes back through the text tower once, as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

HELD = 1 << 24
"""Logits that are held at once as they are: 64 MiB in float32, those of 1,000 classes with 16 images each."""
PART = 1 << 21
"""Logits in a part, where there are more."""

Objective = Callable[..., tuple[Tensor, Tensor]]
"""From images (n, D), labels (n,) and what all images share to a mean over them and their logits (n, C)."""


def over_images(
    objective: Objective, inputs: Tensor, labels: Tensor, width: int, *shared: Tensor
) -> tuple[Tensor, Tensor]:
    """``objective(inputs, labels, *shared)``, some images at a time where they are many.

    inputs (B, D), labels (B,). width: how many numbers an image takes, C or more. shared: what gradients may
    flow to beside the inputs; the objective may hang on nothing else that learns. Gives the mean (a scalar)
    and the logits (B, C), or, where B x width is more than `HELD`, the best class of each image (B,).
    """
    if len(labels) * width <= HELD:
        return objective(inputs, labels, *shared)
    size = max(1, PART // width)
    given = (inputs, *shared)
    if not torch.is_grad_enabled():  # what is asked of a function does not tell it
        given = tuple(tensor.detach() for tensor in given)
    mean, best = _OverImages.apply(objective, size, labels, *given)  # type: ignore[no-untyped-call]
    return mean, best


def best_of(answers: Tensor) -> Tensor:
    """The best class of each image (B,), of what a loss gives beside its mean: logits (B, C), or these."""
    return answers.detach().argmax(1) if answers.dim() > 1 else answers


def in_parts(score: Callable[[Tensor], Tensor], inputs: Tensor, width: int) -> Tensor:
    """``score`` (B, C) of inputs (B, D), as many at a time as `HELD` allows; width: numbers each takes."""
    size = max(1, HELD // max(width, 1))
    if len(inputs) <= size:
        return score(inputs)
    return torch.cat([score(some) for some in torch.split(inputs, size)])


class _OverImages(torch.autograd.Function):
    """Makes the gradients on the way forward: nothing of a part is kept but these."""

    @staticmethod
    def forward(
        ctx: Any, objective: Objective, size: int, labels: Tensor, *given: Tensor
    ) -> tuple[Tensor, Tensor]:
        wanted = ctx.needs_input_grad[3:]
        inputs, *shared = (
            tensor.detach().requires_grad_(asked) for tensor, asked in zip(given, wanted, strict=True)
        )
        total = torch.zeros((), dtype=torch.float32, device=labels.device)
        sums = [
            torch.zeros_like(tensor) if asked else None for tensor, asked in zip(given, wanted, strict=True)
        ]
        best = torch.empty_like(labels)
        for begin in range(0, len(labels), size):
            part = slice(begin, begin + size)
            some = inputs[part].detach().requires_grad_(wanted[0])
            with torch.set_grad_enabled(any(wanted)):
                mean, logits = objective(some, labels[part], *shared)
                share = mean * (len(some) / len(labels))
            best[part] = best_of(logits)
            total += share.detach()
            _add_gradients(share, [some, *shared], sums, part)
        ctx.mark_non_differentiable(best)
        ctx.sums = sums
        return total, best

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, _best: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *(None if one is None else one * grad.to(one.dtype) for one in ctx.sums)


def _add_gradients(share: Tensor, leaves: list[Tensor], sums: list[Tensor | None], part: slice) -> None:
    """Those of the inputs stand at their own rows, those of what is shared add up."""
    asked = [i for i, one in enumerate(sums) if one is not None]
    if not asked:
        return
    found = torch.autograd.grad(share, [leaves[i] for i in asked])
    for i, gradient in zip(asked, found, strict=True):
        into = sums[i]
        assert into is not None
        if i == 0:
            into[part] = gradient
        else:
            into += gradient
