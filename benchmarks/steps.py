"""One text step of prompt learning (encode, then the context's gradient), timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import machine

N_CTX = 4


def autocast_of(device: str, enabled: bool) -> torch.autocast:
    """bfloat16 autocast there, or none."""
    return torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=enabled)


def precisions(device: str) -> tuple[bool, ...]:
    """Whether steps are measured under autocast: on a card in both ways."""
    return (False, True) if machine.on_gpu(device) else (False,)


def word_of(autocast: bool) -> str:
    """As rows tell it."""
    return "bf16" if autocast else "fp32"


@dataclass
class Step:
    """``encode`` maps the context (n_ctx, d) to features (C, D); ``seed_grad`` (C, D) flows back."""

    encode: Callable[[Tensor], Tensor]
    context: Tensor
    seed_grad: Tensor
    device: str
    autocast: bool = False

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Features and the gradient of the context."""
        self.context.grad = None
        with autocast_of(self.device, self.autocast):
            features = self.encode(self.context)
        features.backward(self.seed_grad.to(features.dtype))
        assert self.context.grad is not None
        return features.detach(), self.context.grad

    def seconds(self) -> float:
        """Wall time of one call."""
        return machine.seconds_of(self, self.device)


@dataclass
class Captured(Step):
    """`eager`, forward and backward, recorded once as a CUDA graph and replayed since."""

    eager: Step | None = None
    graph: torch.cuda.CUDAGraph | None = None
    results: tuple[Tensor, ...] = ()

    def __call__(self) -> tuple[Tensor, Tensor]:
        if self.graph is None:
            self._record()
        assert self.graph is not None
        self.graph.replay()
        features, gradient = self.results
        return features, gradient

    def _record(self) -> None:
        assert self.eager is not None
        self.eager()  # plans are made
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph), autocast_of(self.device, self.autocast):
            features = self.encode(self.context)
            gradients = torch.autograd.grad(features, self.context, self.seed_grad.to(features.dtype))
        self.graph, self.results = graph, (features.detach(), *gradients)


def captured(step: Step) -> Captured:
    """``step`` as a CUDA graph."""
    return Captured(step.encode, step.context, step.seed_grad, step.device, step.autocast, step)


def make_step(
    encode: Callable[[Tensor], Tensor], dim: int, classes: int, device: str, autocast: bool = False
) -> Step:
    """A step with a fixed random context (std 0.02, as CoOp) and a fixed random gradient."""
    draw = torch.Generator().manual_seed(0)
    context = (torch.randn(N_CTX, dim, generator=draw) * 0.02).to(device).requires_grad_()
    seed_grad = torch.randn(classes, dim, generator=draw).to(device)
    return Step(encode, context, seed_grad, device, autocast)


def spread(seconds: list[float]) -> dict[str, float | int]:
    """Best and median of the repeats."""
    ordered = sorted(seconds)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return {"best_s": ordered[0], "median_s": median, "repeats": len(ordered)}


def rates(useful: int, timing: dict[str, float | int], matmul: float) -> dict[str, float]:
    """Achieved GFLOP/s, its share of the matmul rate, and the seconds that the products alone would take."""
    return {
        "gflops_best": useful / timing["best_s"] / 1e9,
        "gflops_median": useful / timing["median_s"] / 1e9,
        "share_best": useful / timing["best_s"] / 1e9 / matmul,
        "share_median": useful / timing["median_s"] / 1e9 / matmul,
        "floor_s": useful / 1e9 / matmul,
    }
