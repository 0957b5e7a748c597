"""The image side of a backbone: the model's own image tower, in inference mode, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from promptlet.backbones.preprocess import ImageSpec


class ImageEncoder:
    """Encodes preprocessed images; nothing in it is trainable.

    Attributes: ``spec`` (preprocessing), ``device``, ``dtype``.
    """

    def __init__(
        self, forward: Callable[[Tensor], Tensor], spec: ImageSpec, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._forward = forward
        self.spec = spec
        self.device = device
        self.dtype = dtype

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Features (B, D), float32, not normalised, of pixel values (B, 3, H, W)."""
        # channels-last input: convolutional towers run about twice as fast on CPUs, others as before
        pixels = pixel_values.to(self.device, self.dtype, memory_format=torch.channels_last)
        with torch.inference_mode():
            features = self._forward(pixels)
        return features.float().clone()
