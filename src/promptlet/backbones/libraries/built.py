"""A model while it is built: it stops where it outgrows its weights.

A configuration can ask for a model of any size; one that belongs to its weights has no more numbers than
they hold. Counting happens as torch registers the parameters, whichever library builds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from promptlet.errors import BackboneError

SPARE = 1 << 20
"""Numbers that a model may lack in its weights, for the libraries to name them one by one."""
NUMBERS_A_BYTE = 2
"""The least that a format of weights gives a number is four bits."""
MOST_PARAMETERS = 20_000


def most_numbers(weights: int) -> int:
    """The most numbers of a model with so many bytes of weights on this machine, as 32-bit floats."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 40
    return min(NUMBERS_A_BYTE * weights + SPARE if weights else memory, memory // 4)


@contextmanager
def no_larger_than(weights: int, source: str) -> Iterator[None]:
    """Raise BackboneError where a model built inside the block has more numbers than ``weights`` bytes hold.

    0 bytes: the weights are not here yet, and the machine's memory is the bound.
    """
    most = most_numbers(weights)
    thread = threading.get_ident()
    counted: dict[tuple[int, str], int] = {}
    total = 0

    def count(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal total
        if parameter is None or threading.get_ident() != thread:
            return
        key = (id(module), name)
        total += parameter.numel() - counted.get(key, 0)
        counted[key] = parameter.numel()
        if total > most or len(counted) > MOST_PARAMETERS:
            raise BackboneError(
                f"{source!r}: the configuration asks for a model of over {min(total, most):,} numbers in "
                f"{len(counted):,} tensors, and its weights have {weights:,} bytes: they do not belong "
                "together, or the model is larger than this machine's memory. Copy the model again."
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
