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
from promptlet.errors import shown
from promptlet.features import encode_images
from promptlet.search.classes import Asked, classes_of
from promptlet.search.common import COMMON
from promptlet.search.query import Query, sentence
from promptlet.search.question import OF_IMAGE, Question
from promptlet.session import own_arithmetic

MORE = "and more"
"""Words that change what is read of a text, unless it is cut off before them."""


@dataclass(frozen=True, eq=False)
class Ready:
    """The question, and what is to be told of it."""

    question: Question
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A query read, before it is known which images it is asked of. wanted, others: directions (n, D) that
    need no images to compare with; images, not_images: features (n, D) of length 1, which do."""

    query: Query
    wanted: tuple[np.ndarray, ...]
    images: np.ndarray
    others: tuple[np.ndarray, ...]
    not_images: np.ndarray
    scale: float
    notes: tuple[str, ...]

    def ready(self, mean: np.ndarray) -> Ready:
        """The question. mean (D,): of the features of all images."""
        wanted = np.concatenate([*self.wanted, self.images - mean])
        not_images = (1.0 if self.query.images else OF_IMAGE) * (self.not_images - mean)
        positive = wanted.mean(axis=0, dtype=np.float64).astype(np.float32)
        others = np.concatenate([*self.others, not_images]).astype(np.float32)
        return Ready(Question(positive, others, self.scale), self.notes)


@own_arithmetic()
def prepared_of(query: Query, backbone: Backbone, cache: FeatureCache | None) -> Prepared:
    """Read all that a query names. Raises ImageError for an image that cannot be read, and what `classes_of`
    raises."""
    words = _Words(backbone, query.template)
    taught = list(_by_file(query, backbone))
    wanted, others = [words.directions(query.words)], [words.directions(query.not_words)]
    for one in taught:
        origin = one.others.mean(axis=0) if len(one.others) else words.origin
        wanted.append(one.asked - origin)
        others.append(one.others - origin)
    told = [note for one in taught for note in one.notes]
    return Prepared(
        query,
        tuple(wanted),
        _images(query.images, backbone, cache),
        tuple(others),
        _images(query.not_images, backbone, cache),
        backbone.logit_scale,
        (*told, *words.notes((*query.words, *query.not_words))),
    )


def ask_of(query: Query, backbone: Backbone, mean: np.ndarray, cache: FeatureCache | None) -> Ready:
    """The question of a query. mean (D,): of the features of all images. Raises what `prepared_of` raises."""
    return prepared_of(query, backbone, cache).ready(mean)


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

    def notes(self, words: Sequence[str]) -> list[str]:
        """What must be known of them."""
        if not words:
            return []
        read = self._backbone.text.tokenizer.text
        texts = {text: sentence(self._template, text) for text in words}
        long = [text for text, whole in texts.items() if read(whole) == read(f"{whole} {MORE}")]
        told = [
            f"{shown(text)} is longer than {self._backbone.name} reads; its end is passed over"
            for text in long
        ]
        return [*told, *self._backbone.notes((), words)]

    def _features(self, words: Sequence[str]) -> np.ndarray:
        texts = [sentence(self._template, text) for text in words]
        with torch.no_grad():
            found: np.ndarray = unit(self._backbone.encode_texts(texts).float()).cpu().numpy()
        return found


def _images(images: Sequence[str | Path], backbone: Backbone, cache: FeatureCache | None) -> np.ndarray:
    """Their features (n, D), of length 1."""
    if not images:
        return np.zeros((0, backbone.feature_dim), np.float32)
    features = encode_images(backbone, list(images), cache=cache)[0]
    found: np.ndarray = features / np.linalg.norm(features, axis=1, keepdims=True)
    return found


def _by_file(query: Query, backbone: Backbone) -> Iterator[Asked]:
    names: dict[str, list[str]] = {}
    for one in query.classes:
        names.setdefault(one.file, []).append(one.class_name)
    for file, own in names.items():
        yield classes_of(file, own, backbone)
