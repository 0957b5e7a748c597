"""Prompts for banks in tests: small, quickly made, and different from one another."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from learning_toys import NAMES, toy_arrays

from promptlet import rng
from promptlet.classifier.answers.deciding import Answer, Rule
from promptlet.classifier.files import prompt_file_of
from promptlet.classifier.learner import PromptLearner
from promptlet.errors import PromptletError
from promptlet.methods import METHODS, build_method
from promptlet.methods.method import FEATURES
from promptlet.promptfile import PromptFile, dumps, loads
from promptlet.serve.bank import Answerer, Bank, answer_each, open_source

T = TypeVar("T")
SERVED = tuple(name for name, method in METHODS.items() if method.info.reads == FEATURES)
REFUSED = tuple(name for name in METHODS if name not in SERVED)
OLD = 3600.0


def run(work: Coroutine[Any, Any, T]) -> T:
    """Within a bounded time."""

    async def bounded() -> T:
        return await asyncio.wait_for(work, 60)

    return asyncio.run(bounded())


def fitted(backbone: Any, method: str, **options: Any) -> PromptFile:
    """A prompt that learned from toy features."""
    learner = PromptLearner(backbone, method=method, epochs=1, cache=False, **options)
    features, labels = toy_arrays(backbone)
    return learner.fit(features, labels).prompt_file()


def untrained(backbone: Any, method: str, names: tuple[str, ...] = NAMES) -> PromptFile:
    """A prompt of a method that changes the image tower, which takes long to train."""
    return prompt_file_of(build_method(method, backbone, names).eval(), names, {})


def drawn(backbone: Any, seed: int, names: tuple[str, ...] = NAMES, **changed: Any) -> PromptFile:
    """An RLP prompt with numbers of its own."""
    method = build_method("rlp", backbone, names, n_ctx=3, ctx_init="random").eval()
    file = prompt_file_of(method, names, {"seed": seed})
    numbers = {
        name: rng.normal(f"test/bank/{name}", seed, array.shape, 0.3) for name, array in file.tensors.items()
    }
    return replace(file, **{"tensors": numbers, **changed})


def place(folder: Path, name: str, data: bytes | PromptFile, age: float = OLD) -> Path:
    """Put a file there that was written ``age`` seconds ago, at once, as a careful program does."""
    path, temporary = folder / f"{name}.prompt", folder / f".{name}.tmp"
    temporary.write_bytes(data if isinstance(data, bytes) else dumps(data))
    when = time.time() - age
    os.utime(temporary, (when, when))
    temporary.replace(path)
    return path


def bank_of(folder: Path, backbone: Any, **options: Any) -> Bank:
    """A bank over the folder."""
    return Bank(open_source(folder), backbone, **options)


def queries(backbone: Any, count: int = 7, seed: int = 5) -> np.ndarray:
    """Image features (N, D) of any length."""
    return rng.normal("test/bank/queries", seed, (count, backbone.feature_dim), 3.0)


def answer(answerers: Sequence[Answerer], features: np.ndarray, rule: Rule) -> list[list[Answer]]:
    """`answer_each`, where all can be answered. Raises the first error there is."""
    found = []
    for own in answer_each(answerers, features, rule):
        if isinstance(own, PromptletError):
            raise own
        for one in own:
            if isinstance(one, PromptletError):
                raise one
        found.append([one for one in own if isinstance(one, Answer)])
    return found


def learner_of(data: bytes | PromptFile, backbone: Any, folder: Path) -> PromptLearner:
    """The library's own, of the same content."""
    path = folder / f"own-{time.monotonic_ns()}.prompt"
    path.write_bytes(data if isinstance(data, bytes) else dumps(data))
    try:
        return PromptLearner.load(path, backbone)
    finally:
        path.unlink()


__all__ = ["NAMES", "OLD", "REFUSED", "SERVED", "loads"]
