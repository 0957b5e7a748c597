"""Pixel values of one view of a picture at hand."""

from __future__ import annotations

import numpy as np
from PIL import Image

from promptlet.data.images.reduced import whole
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import pixels_of


def preprocess(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    """View 0: the model's own preprocessing."""
    return pixels_of(whole(image), spec, "", 0)


def augmented_view(image: Image.Image, spec: ImageSpec, content: str, view: int) -> np.ndarray:
    """View 1 or a later one of a picture whose content hash is ``content``."""
    return pixels_of(whole(image), spec, content, view)
