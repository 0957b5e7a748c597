"""Vectors of an index for tests of stores: drawn by chance, of files with odd names."""

from __future__ import annotations

import numpy as np

from promptlet.search.file import FEATURE, Facts, Paths, Stored
from promptlet.search.question import Question
from promptlet.search.ranking import all_scores, best

DIM, COUNT = 24, 500
ODD = (
    "tab\there.jpg",
    "line\nbreak.jpg",
    'quo"te\\back.jpg',
    "ä/ü.jpg",
    b"caf\xe9.jpg".decode(errors="surrogateescape"),
)


def drawn() -> Stored:
    """An index of them."""
    draw = np.random.default_rng(0)
    features = draw.normal(size=(COUNT, DIM))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    names = [*ODD, *(f"d/{i}.jpg" for i in range(COUNT - len(ODD)))]
    stamps, contents = np.zeros((COUNT, 2), "<i8"), np.zeros((COUNT, 16), np.uint8)
    facts = Facts("/photos", "openai/clip-vit-base-patch16", "a-b-c", "c")
    return Stored(facts, Paths.of(names), stamps, contents, features.astype(FEATURE))


def ten_best(stored: Stored, asked: np.ndarray) -> list[int]:
    """Rows, as the library ranks them."""
    question = Question(asked, np.zeros((0, DIM), np.float32), 100.0)
    return best(all_scores(stored.features, question), 10).tolist()
