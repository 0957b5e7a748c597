"""From a query to a question: words, classes and images become directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.data import FeatureCache
from promptlet.features import encode_images
from promptlet.search.classes import Asked, classes_of
from promptlet.search.common import COMMON
from promptlet.search.query import Query, sentence
from promptlet.search.question import OF_IMAGE, Question
from promptlet.session import own_arithmetic


@dataclass(frozen=True, eq=False)
class Ready:
    """The question, and what is to be told of it."""

    question: Question
    notes: tuple[str, ...]


@own_arithmetic()
def ask_of(query: Query, backbone: Backbone, mean: np.ndarray, cache: FeatureCache | None) -> Ready:
    """The question of a query. mean (D,): of the features of all images. Raises ImageError for an image that
    cannot be read, and what `classes_of` raises."""
    words = _Words(backbone, query.template)
    taught = list(_by_file(query, backbone))
    wanted = [words.directions(query.words), _images(query.images, backbone, mean, cache)]
    others = [words.directions(query.not_words)]
    others.append((1.0 if query.images else OF_IMAGE) * _images(query.not_images, backbone, mean, cache))
    for one in taught:
        origin = one.others.mean(axis=0) if len(one.others) else words.origin
        wanted.append(one.asked - origin)
        others.append(one.others - origin)
    positive = np.concatenate(wanted).mean(axis=0, dtype=np.float64).astype(np.float32)
    question = Question(positive, np.concatenate(others).astype(np.float32), backbone.logit_scale)
    return Ready(question, tuple(note for one in taught for note in one.notes))


class _Words:
    """Words of a query as directions."""

    def __init__(self, backbone: Backbone, template: str) -> None:
        self._backbone, self._template = backbone, template
        self._origin: np.ndarray | None = None

    @property
    def origin(self) -> np.ndarray:
        """The mean (D,) of common words in the same template, encoded when it is first asked for."""
        if self._origin is None:
            self._origin = self._features(COMMON).mean(axis=0)
        return self._origin

    def directions(self, words: Sequence[str]) -> np.ndarray:
        """(n, D)."""
        if not words:
            return np.zeros((0, self._backbone.feature_dim), np.float32)
        found: np.ndarray = self._features(words) - self.origin
        return found

    def _features(self, words: Sequence[str]) -> np.ndarray:
        texts = [sentence(self._template, text) for text in words]
        with torch.no_grad():
            found: np.ndarray = unit(self._backbone.encode_texts(texts).float()).cpu().numpy()
        return found


def _images(
    images: Sequence[str | Path], backbone: Backbone, mean: np.ndarray, cache: FeatureCache | None
) -> np.ndarray:
    """Their directions (n, D)."""
    if not images:
        return np.zeros((0, backbone.feature_dim), np.float32)
    features = encode_images(backbone, list(images), cache=cache)[0]
    rows: np.ndarray = features / np.linalg.norm(features, axis=1, keepdims=True)
    found: np.ndarray = rows - mean
    return found


def _by_file(query: Query, backbone: Backbone) -> Iterator[Asked]:
    names: dict[str, list[str]] = {}
    for one in query.classes:
        names.setdefault(one.file, []).append(one.class_name)
    for file, own in names.items():
        yield classes_of(file, own, backbone)
