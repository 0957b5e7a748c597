"""A classifier for features of any width, as scikit-learn's checks give them.

Promptlet's features have the width of their backbone. Here each fit makes one as wide as its features, whose
texts have ready vectors; nothing else differs.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from promptlet import PromptClassifier, load_backbone, rng
from promptlet.backbones import Backbone, write_text_features

NUMBERS = range(-1, 12)
WORDS = ("one", "two", "three", "setosa", "versicolor", "virginica", "-1", "0", "1", "2")
LABEL_NAMES = {number: f"kind {number}" for number in NUMBERS}


@cache
def backbone_of(width: int) -> Backbone:
    """Of made-up vectors, one for each name."""
    names = [*LABEL_NAMES.values(), *WORDS]
    vectors = rng.normal(f"test/any width/{width}", 0, (len(names), width), 1.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.npz")
        write_text_features(path, names, vectors.astype(np.float32), logit_scale=100.0)
        return load_backbone(f"features:{path}", device="cpu")


class AnyWidthClassifier(PromptClassifier):
    """Parameters and behaviour of `PromptClassifier`."""

    def fit(self, images: Any, labels: Any = None, val_images: Any = None, val_labels: Any = None) -> Any:
        """As of `PromptClassifier`."""
        shape = np.asarray(images).shape
        self._width = shape[1] if len(shape) == 2 and shape[1] else 2
        return super().fit(images, labels, val_images, val_labels)

    def _load_backbone(self) -> None:
        self.backbone_ = backbone_of(self._width)
