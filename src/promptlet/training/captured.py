"""A step's forward and backward pass: as it is, or captured once as a CUDA graph and replayed.

A step over few classes is hundreds of small kernels, and a card waits for the host to start them one by one.
A graph starts all of them at once. It is exact: the same kernels on the same shapes. The optimiser's step
stays as it is, and so do batches of another shape, such as an incomplete last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods import Method
from promptlet.methods.method import IMAGES, NOTHING
from promptlet.training.sampled import Among

EXACT = "float32"
WARM_UP = 3
"""Steps of a shape before the one that is captured: they encode what is frozen, and make plans."""

Body = Callable[[], tuple[Tensor, ...]]
Recorder = Callable[[Body], tuple[tuple[Tensor, ...], Callable[[], Any]]]
"""From work on fixed tensors to its results, which hold nothing yet, and what fills them, again and again."""


def precision_of_steps(method: Method) -> AbstractContextManager[object]:
    """On CUDA bfloat16 autocast, where a step runs through a tower and the backbone does not compute in
    float32 alone (`Backbone.arithmetic`); what is not a tower's own work is kept out of it
    (`without_autocast`). The engines know what they compute in: it is for what else runs there."""
    backbone, info = method.backbone, method.info
    in_towers = info.in_text_tower or info.reads == IMAGES
    if backbone.device.type == "cuda" and in_towers and backbone.arithmetic != EXACT:
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def forward_and_backward(method: Method, inputs: Tensor, among: Among) -> tuple[Tensor, Tensor]:
    """Loss and logits of a step; gradients are left in what is learned."""
    with precision_of_steps(method):
        loss, logits = among.loss(method, inputs)
    for parameter in method.trainables().values():
        parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    method.after_backward()
    return loss.detach(), logits.detach()


def cuda_graph(body: Body) -> tuple[tuple[Tensor, ...], Callable[[], Any]]:
    """``body`` as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = body()
    return results, graph.replay


class Captured:
    """`forward_and_backward` of one method, captured after the first steps and replayed since."""

    def __init__(self, method: Method, record: Recorder = cuda_graph) -> None:
        self.method, self.record = method, record
        self.parameters = list(method.trainables().values())
        self.seen: Counter[torch.Size] = Counter()
        self.inputs: Tensor | None = None
        self.labels: Tensor | None = None
        self.results: tuple[Tensor, ...] = ()
        self.replay: Callable[[], Any] | None = None
        self.kept: tuple[object, ...] = ()

    def __call__(self, inputs: Tensor, among: Among) -> tuple[Tensor, Tensor]:
        """Loss and logits of a step; gradients are left in what is learned."""
        self.seen[inputs.shape] += 1
        if among.classes is not None or self.seen[inputs.shape] <= WARM_UP or not self._fits(inputs):
            return forward_and_backward(self.method, inputs, among)
        if self.inputs is None or self.labels is None or self.replay is None:
            self.inputs, self.labels = inputs.clone(), among.labels.clone()
            self.results, self.replay = self.record(self._body)
            self.kept = _read_by_address(self.method)
        else:
            self.inputs.copy_(inputs)
            self.labels.copy_(among.labels)
        self.replay()
        loss, logits, *gradients = self.results
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        return loss.clone(), logits

    def _fits(self, inputs: Tensor) -> bool:
        return self.inputs is None or self.inputs.shape == inputs.shape

    def _body(self) -> tuple[Tensor, ...]:
        assert self.inputs is not None and self.labels is not None
        with precision_of_steps(self.method):
            loss, logits = self.method.loss(self.inputs, self.labels)
        found = torch.autograd.grad(loss, self.parameters)
        for parameter, gradient in zip(self.parameters, found, strict=True):
            parameter.grad = gradient
        self.method.after_backward()
        gradients = [parameter.grad for parameter in self.parameters]
        return loss.detach(), logits.detach(), *(one for one in gradients if one is not None)


def _read_by_address(method: Method) -> tuple[object, ...]:
    """The text engine's plans, which it may forget while other names are encoded: a graph goes on to read
    where their tensors were."""
    engine = method.backbone.text.engine if method.info.in_text_tower else None
    return () if engine is None else tuple(engine.plans)


def why_not_on(backbone: Backbone) -> str:
    """Why no steps at all can be captured there, in words without an end; "" where some can."""
    if backbone.device.type != "cuda":
        return f"the backbone is on {backbone.device}, and only CUDA has graphs of steps"
    return ""


def why_not_captured(method: Method | type[Method], backbone: Backbone) -> str:
    """Why the steps of a method cannot be captured, in words without an end; "" where they can."""
    why = why_not_on(backbone) or method.asks_host
    if not why and method.info.in_text_tower and not backbone.text.exact_sharing:
        return (
            "the text tower takes the plain path, the library's own forward, which is given token ids by the "
            "host at each step"
        )
    return why


def check_device(backbone: Backbone) -> None:
    """Raise OptionError where no steps can be captured there, whatever the method."""
    why = why_not_on(backbone)
    if why:
        raise OptionError(f"capture is not possible here: {why}; leave it out")


def check_captured(method: Method | type[Method], backbone: Backbone) -> None:
    """Raise OptionError where steps are to be captured and cannot; a method may be built, or not yet."""
    why = why_not_captured(method, backbone)
    if why and method.info.learns != NOTHING:
        raise OptionError(f"capture is not possible with {method.info.name!r} here: {why}; leave it out")
