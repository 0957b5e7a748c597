"""While one piece of work lasts, each image is read and encoded once, whatever cache the classifier has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from promptlet.classifier import PromptLearner
from promptlet.data.cache.features import choose_cache
from promptlet.data.cache.kept import KeptFeatures
from promptlet.data.images.opening import hashed_once


@contextmanager
def keeping_features(classifier: PromptLearner) -> Iterator[None]:
    """Features are kept; afterwards the classifier has the cache and the callbacks that it came with. One
    within another keeps what the outer keeps."""
    own = classifier.cache, classifier.on_encode, classifier.on_epoch
    if not isinstance(classifier.cache, KeptFeatures):
        classifier.cache = KeptFeatures(choose_cache(classifier.cache))
    try:
        with hashed_once():
            yield
    finally:
        classifier.cache, classifier.on_encode, classifier.on_epoch = own
