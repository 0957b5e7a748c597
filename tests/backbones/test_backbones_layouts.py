"""Layouts of the text engine's chunks: made once, kept up to a bound, and no longer than their plan."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch

from promptlet.backbones import load_backbone
from promptlet.backbones.text import engine as engine_module
from promptlet.backbones.text.attention import Slots
from promptlet.backbones.text.encoder import TextEncoder


class TestLayouts:
    """What is the same in every step is made once, and does not grow without bound."""

    MANY = tuple(map(" ".join, product("abcdefghi", repeat=3)))

    @pytest.fixture
    def text(self, clip_folder: Path) -> TextEncoder:
        text = load_backbone(clip_folder, "cpu", "float32").text
        assert text.engine is not None
        text.engine.max_rows = 8
        return text

    @pytest.fixture
    def made(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        made: list[int] = []
        real = Slots.mask

        def mask(self: Slots, dtype: torch.dtype, b: int) -> torch.Tensor:
            made.append(b)
            return real(self, dtype, b)

        monkeypatch.setattr(Slots, "mask", mask)
        return made

    @pytest.mark.slow
    def test_of_many_chunks_each_is_made_once(self, text: TextEncoder, made: list[int]) -> None:
        first = text.encode_texts(self.MANY)
        assert len(made) > 2 * 64
        made.clear()
        assert torch.equal(text.encode_texts(self.MANY), first) and not made

    @pytest.mark.slow
    def test_those_beyond_the_bound_are_made_at_each_step(
        self, text: TextEncoder, made: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, every = text.encode_texts(self.MANY), len(made)
        for most in (0, 20_000):
            assert text.engine is not None
            text.engine._plan.cache_clear()
            monkeypatch.setattr(engine_module, "LAYOUT_BYTES", most)
            for _ in range(2):
                made.clear()
                assert torch.equal(text.encode_texts(self.MANY), first)
            [plan] = text.engine.plans
            kept = list(plan.layouts.values())
            assert len(made) == every - 2 * len(kept) > 0
            assert sum(one.mask.nbytes + one.leaf_mask.nbytes for one in kept) <= most
            assert bool(kept) == bool(most)
            del plan
