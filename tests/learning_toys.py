"""Problems that a context can solve: image features around the class features of a hidden context."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet import rng
from promptlet.methods import Method, build_method
from promptlet.pixels import PixelInputs

NAMES = ("cat", "dog", "photo of the cat", "the dog", "box")


def noise(purpose: str, shape: tuple[int, ...], std: float = 1.0, seed: int = 0) -> Tensor:
    """Normal numbers (float32) from the library's own generator."""
    return torch.from_numpy(rng.normal(f"test/{purpose}", seed, shape, std))


def hidden_method(backbone: Any, names: tuple[str, ...] = NAMES, strength: float = 2.0) -> Method:
    """RLP at a context that training does not know: P0 plus a strong update of rank 1."""
    method = build_method("rlp", backbone, names, rank=1, n_ctx=4, new_names="learned")
    method.load_state(
        {
            "U": noise("hidden U", (4, 1), strength).numpy(),
            "V": noise("hidden V", (1, backbone.text.dim)).numpy(),
        }
    )
    return method.eval()


def toy_problem(
    backbone: Any, per_class: int = 4, views: int = 1, spread: float = 0.1, names: tuple[str, ...] = NAMES
) -> tuple[Tensor, Tensor]:
    """Features (V, N, D) around the hidden context's class features, and labels (N,)."""
    with torch.no_grad():
        centres = hidden_method(backbone, names).class_features().cpu()
    labels = torch.arange(len(names)).repeat_interleave(per_class)
    drawn = centres[labels] + noise("features", (views, len(labels), centres.shape[1]), spread)
    return F.normalize(drawn, dim=-1), labels


def toy_arrays(backbone: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same as scikit-learn wants it: features (N, D) and labels in words (N,)."""
    features, labels = toy_problem(backbone, **options)
    names = np.array(options.get("names", NAMES))
    return features[0].numpy(), names[labels.numpy()]


def toy_pictures(
    backbone: Any, per_class: int = 4, names: tuple[str, ...] = NAMES
) -> tuple[PixelInputs, Tensor]:
    """Pictures of 32 pixels, each class in a pattern of its own with noise over it, and labels (N,)."""
    draw = rng.generator("test/pictures", 0)
    labels = torch.arange(len(names)).repeat_interleave(per_class)
    patterns = draw.integers(0, 256, (len(names), 32, 32, 3))
    pictures = [
        (0.7 * patterns[label] + 0.3 * draw.integers(0, 256, (32, 32, 3))).astype(np.uint8)
        for label in labels
    ]
    return PixelInputs(pictures, backbone.images.spec), labels


def steps_of(method: Any) -> list[tuple[float, int, int]]:
    """Loss, hits and number of images of each step that ``method`` takes from now on."""
    given: list[tuple[float, int, int]] = []
    own = method.loss

    def loss(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        value, logits = own(x, y)
        given.append((float(value.detach()), int((logits.argmax(1) == y).sum()), len(y)))
        return value, logits

    method.loss = loss
    return given
