"""Some of a material's images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from promptlet.own_images.material import Material


def only(material: Material, rows: np.ndarray) -> Material:
    """Over the same classes."""
    return replace(
        material,
        sources=tuple(material.sources[i] for i in rows),
        targets=material.targets[rows],
        hashes=tuple(material.hashes[i] for i in rows),
        features=material.features[:, rows],
    )
