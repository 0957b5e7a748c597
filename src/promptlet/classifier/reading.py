"""Images as the method reads them: features, encoded or given, or pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.classifier.inputs import given_features
from promptlet.data import FeatureCache, choose_cache
from promptlet.errors import DataError
from promptlet.features import encode_images, reads_reduced
from promptlet.methods import MethodInfo
from promptlet.methods.inputs import FeatureInputs, Inputs
from promptlet.methods.method import FEATURES
from promptlet.pixels import KEEP_BYTES, PixelInputs
from promptlet.views import Views, are_in_turn

VECTORS = (np.ndarray, torch.Tensor, list, tuple)


@dataclass(frozen=True)
class Reader:
    """cache: what `choose_cache` takes; on_encode: called with (done, total) while images are encoded."""

    info: MethodInfo
    backbone: Backbone
    cache: bool | str | Path | FeatureCache
    on_encode: Callable[[int, int], None] | None = None

    def __call__(self, sources: Sequence[Any], views: Views = 1, keep_bytes: int = KEEP_BYTES) -> Inputs:
        """Features, or pictures of which ``keep_bytes`` are kept decoded. Raises DataError."""
        if self.info.reads == FEATURES:
            features = torch.from_numpy(self._features(sources, views))
            return FeatureInputs(features, self.backbone.device, are_in_turn(views))
        return pictures(self.info, self.backbone, sources, views, keep_bytes)

    def once(self, sources: Sequence[Any]) -> Inputs:
        """The same for images that are read only once, so that none is kept."""
        return self(sources, keep_bytes=0)

    def frozen(self, sources: Sequence[Any], ready: Inputs | None = None) -> np.ndarray:
        """Features (N, D) of the backbone as it is, whatever the method reads; ``ready``: inputs made of the
        same sources, which may hold them already; crops alone do not."""
        if isinstance(ready, FeatureInputs) and not ready.in_turn:
            return np.asarray(ready.features[0].cpu())
        features: np.ndarray = self._features(sources, 1)[0]
        return features

    def _features(self, sources: Sequence[Any], views: Views) -> np.ndarray:
        """Features (views, N, D); those given as vectors are taken as they are."""
        if are_vectors(sources):
            return given_features(sources, self.backbone.feature_dim)
        cache = choose_cache(self.cache)
        return encode_images(self.backbone, sources, views=views, cache=cache, on_progress=self.on_encode)


def pictures(
    info: MethodInfo, backbone: Backbone, sources: Sequence[Any], views: Views, keep_bytes: int = KEEP_BYTES
) -> PixelInputs:
    """Pictures for a method that changes the image tower. Raises DataError for features."""
    if are_vectors(sources):
        raise DataError(
            f"the method {info.name!r} changes the image tower, so it needs images, not features; "
            "give images, or a method that reads features, such as 'rlp'"
        )
    return PixelInputs(sources, backbone.images.spec, views, keep_bytes, reads_reduced(backbone))


def are_vectors(sources: Sequence[Any]) -> bool:
    return len(sources) > 0 and isinstance(sources[0], VECTORS) and np.ndim(sources[0]) == 1
