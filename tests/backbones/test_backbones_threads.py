"""Two threads that ask the library's own text tower at once get what each asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from promptlet.backbones import load_backbone

NAMES = ["cat", "brown dog"]


@pytest.fixture
def text(siglip_folder: Path) -> Any:
    """A tower for which only the plain path is exact; whoever is in it waits for others to come, too."""
    text = load_backbone(siglip_folder, device="cpu").text
    assert not text.exact_sharing
    together, plain = threading.Barrier(2), text.plain

    def slow(ids: Tensor) -> Tensor:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.2)
        return plain.forward(ids)

    yield text, replace(plain, forward=slow)


def test_contexts_of_two_threads_are_not_mixed(text: Any) -> None:
    own, slow = text
    draw = torch.Generator().manual_seed(1)
    contexts = [torch.randn(2, own.dim, generator=draw) for _ in range(2)]
    alone = [own.encode(context, NAMES) for context in contexts]
    words = own.encode_texts(NAMES)
    own.plain = slow
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(own.encode, context, NAMES) for context in contexts]
        told = pool.submit(own.encode_texts, NAMES)
        for want, got in zip(alone, asked, strict=True):
            torch.testing.assert_close(got.result(), want)
        torch.testing.assert_close(told.result(), words)
