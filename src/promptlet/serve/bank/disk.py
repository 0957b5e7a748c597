"""Class features that were computed before, on the disk: of a restarted server, or of one beside it."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.serve.bank.answerers import Matrix
from promptlet.session import precision

_logger = logging.getLogger("promptlet.serve")
FORM = "classes-1"
"""Another one when other numbers come of the same prompt, names and rule."""
BUSY_SECONDS = 2.0


def class_cache(folder: str | Path, max_bytes: int = 4 * 2**30) -> FeatureCache:
    """A cache of class features, in a folder of its own; it does not wait long for others who write there."""
    return FeatureCache(folder, max_bytes, busy_seconds=BUSY_SECONDS)


class ClassFeatures:
    """Matrices (C, D) by digest of the prompt, names and rule. Nothing that goes wrong here is an error."""

    def __init__(self, cache: FeatureCache | None, backbone: Backbone) -> None:
        self._cache, self._width = cache, backbone.feature_dim
        self._identity = text_identity(backbone)
        self._told = 0

    def get(self, digest: str, names: tuple[str, ...], rule: str | None) -> Matrix | None:
        """The matrix, where it is there and sound."""
        if self._cache is None:
            return None
        key = _key(digest, names, rule)
        try:
            found = self._cache.get_many(self._identity, [key]).get(key)
        except Exception as error:
            _logger.warning("class features cannot be read from the disk: %s", error)
            return None
        self._tell()
        if found is None or found.size != len(names) * self._width:
            return None
        matrix: Matrix = found.reshape(len(names), self._width)
        return matrix if np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-2) else None

    def put(self, digest: str, names: tuple[str, ...], rule: str | None, matrix: Matrix) -> None:
        """Keep it, where there is room."""
        if self._cache is None:
            return
        try:
            self._cache.put_many(self._identity, {_key(digest, names, rule): matrix.reshape(-1)})
        except Exception as error:
            _logger.warning("class features cannot be written to the disk: %s", error)
        self._tell()

    def _tell(self) -> None:
        """What the cache noted since, once."""
        notes = [] if self._cache is None else self._cache.notes
        for note in notes[self._told :]:
            _logger.warning("%s", note.replace("feature cache", "cache of class features"))
        self._told = len(notes)


def text_identity(backbone: Backbone) -> str:
    """What they depend on beside prompt and names: the backbone, and what its text side computes in."""
    products = str(backbone.text.products).removeprefix("torch.") if backbone.has_towers else ""
    weights = str(backbone.dtype).removeprefix("torch.")
    words = [backbone.fingerprint, "text", weights, products, precision(backbone.device)]
    return "-".join(filter(None, words))


def _key(digest: str, names: tuple[str, ...], rule: str | None) -> tuple[str, str]:
    asked = json.dumps([digest, rule, names]).encode()
    return hashlib.blake2b(asked, digest_size=20).hexdigest(), FORM
