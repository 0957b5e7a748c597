"""RLP's rank where none is asked for: as half a thousand numbers allow."""

from __future__ import annotations

from typing import Any

import pytest

from promptlet.errors import OptionError
from promptlet.methods import build_method
from promptlet.methods.text.rlp import resolve_rank
from promptlet.methods.text_prompt import repeated_words


@pytest.mark.parametrize(
    ("n_ctx", "dim", "rank", "numbers"),
    [
        (4, 512, 1, 516),  # CLIP ViT-B/16 and B/32
        (16, 512, 1, 528),
        (4, 256, 2, 520),
        (4, 128, 2, 264),  # half of four vectors is two
        (16, 128, 4, 576),
        (4, 768, 1, 772),  # ViT-L/14: no rank costs 600 or less
        (1, 64, 1, 65),
    ],
)
def test_half_a_thousand_numbers_at_every_width(n_ctx: int, dim: int, rank: int, numbers: int) -> None:
    assert resolve_rank(None, None, n_ctx, dim) == rank
    assert rank * (n_ctx + dim) == numbers


def test_a_rank_that_is_asked_for_is_taken(tiny_backbone: Any) -> None:
    assert resolve_rank(4, None, 8, 512) == 4
    method = build_method("rlp", tiny_backbone, ["cat", "dog"], rank=3)
    assert (method.rank, method.trainable_count()) == (3, 3 * (4 + 32))


def test_a_budget_is_kept(tiny_backbone: Any) -> None:
    assert resolve_rank(None, 3000, 16, 512) == 5
    assert resolve_rank(None, 1100, 16, 512) == 2
    assert resolve_rank(1, 516, 4, 512) == 1
    assert build_method("rlp", tiny_backbone, ["cat", "dog"], budget=71).trainable_count() == 36


@pytest.mark.parametrize(
    ("rank", "budget", "dim", "message"),
    [
        (
            2,
            600,
            512,
            r"budget=600 numbers do not allow rank 2 here: it costs 1,040 \(n_ctx=8, d=512\); give",
        ),
        (None, 600, 768, r"budget=600 numbers do not allow rank 1 here: it costs 776 \(n_ctx=8, d=768\)"),
        (None, 0, 512, "budget=0 is not allowed; give how many numbers may be learned"),
        (None, 1.5, 512, "budget=1.5 is not allowed"),
        (1.0, None, 512, "rank=1.0 is not allowed; give a whole number, or None for the budget's"),
        (True, None, 512, "rank=True is not allowed"),
    ],
)
def test_what_a_budget_does_not_allow_is_refused(rank: Any, budget: Any, dim: int, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve_rank(rank, budget, 8, dim)


def test_longer_contexts_start_at_words_that_begin_again(tiny_backbone: Any) -> None:
    assert [repeated_words(n) for n in (1, 3, 4)] == ["a", "a photo of", "a photo of a"]
    assert repeated_words(6) == "of a a photo of a"
    method = build_method("rlp", tiny_backbone, ["cat", "dog"], n_ctx=8, ctx_init="words")
    assert method.init == "words:a photo of a a photo of a"
    coop = build_method("coop", tiny_backbone, ["cat", "dog"], n_ctx=6, ctx_init="words")
    assert coop.init == "words:of a a photo of a"
    for ctx_init in ("random", None):  # None as before: words up to four vectors, random beyond
        other = build_method("rlp", tiny_backbone, ["cat", "dog"], n_ctx=8, ctx_init=ctx_init, seed=3)
        assert other.init == "seed:3"
