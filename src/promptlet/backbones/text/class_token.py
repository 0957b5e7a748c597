"""Where the class name stands among the context vectors, as CoOp has it (arXiv 2109.01134, section 3.2).

end:    [start] context name . [end]
middle: [start] context[: n_ctx // 2] name context[n_ctx // 2 :] . [end]
front:  [start] name context . [end]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from promptlet.backbones.text.tokenizer import Tokenizer

ClassToken = Literal["end", "middle", "front"]
CLASS_TOKENS = ("end", "middle", "front")

Sequences = tuple[tuple[int, ...], ...]


def vectors_before(class_token: ClassToken, n_ctx: int) -> int:
    """How many context vectors stand before the name."""
    return {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[class_token]


def name_length(tokenizer: Tokenizer, class_name: str, sequence: tuple[int, ...]) -> int:
    """How many tokens of ``sequence`` (name "." [end]) are the name; its own number of tokens, as in CoOp's
    code. Where its last sign and the "." became one token, that is the name's."""
    end = int(tokenizer.end is not None)
    return min(len(tokenizer.behind_words(class_name)), len(sequence) - end)


def with_placeholders(sequences: Sequences, names: Sequence[int], before: int, n_ctx: int) -> Sequences:
    """Sequences with -(k + 1) where context vector k stands: the first ``before`` before the name, the others
    behind it. ``names``: `name_length` of each."""
    first, others = (tuple(-1 - k for k in part) for part in (range(before), range(before, n_ctx)))
    return tuple((*first, *s[:n], *others, *s[n:]) for s, n in zip(sequences, names, strict=True))


def with_gaps(
    sequences: Sequences, fillers: Sequence[int], names: Sequence[int], before: int, n_ctx: int
) -> Sequences:
    """Sequences with each one's filler (`Tokenizer.filler`) where the context will be put."""
    rows = []
    for s, filler, n in zip(sequences, fillers, names, strict=True):
        gap = (filler,)
        rows.append((*gap * before, *s[:n], *gap * (n_ctx - before), *s[n:]))
    return tuple(rows)


def context_positions(names: Sequence[int], before: int, n_ctx: int, start: int) -> Tensor:
    """Where each context vector stands in the whole prompt, int64 (C, n_ctx); ``start``: how many start
    tokens there are."""
    rows = [[start + k + (name if k >= before else 0) for k in range(n_ctx)] for name in names]
    return torch.tensor(rows, dtype=torch.int64, device="cpu")
