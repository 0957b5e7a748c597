"""A step under `torch.compile` gives the numbers of one without it."""

from __future__ import annotations

import shutil

import pytest
import torch

from promptlet.backbones import load_backbone
from promptlet.methods import build_method

NAMES = tuple(f"{word} bird" for word in ("red", "blue", "green", "small"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler of C++")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own parts
def test_inductor_takes_a_step() -> None:
    backbone = load_backbone("mini", dtype="float32")
    method = build_method("rlp", backbone, NAMES, seed=1).train()
    draw = torch.Generator().manual_seed(0)
    images = torch.nn.functional.normalize(torch.randn(8, backbone.feature_dim, generator=draw), dim=-1)
    labels = torch.arange(8) % len(NAMES)
    learned = list(method.trainables().values())

    def step(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return method.loss(images, labels)[0]

    exact = step(images, labels)
    compiled = torch.compile(step, backend="inductor")(images, labels)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    torch.testing.assert_close(compiled, exact, rtol=1e-5, atol=1e-6)
    wanted, found = (torch.autograd.grad(loss, learned) for loss in (exact, compiled))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
