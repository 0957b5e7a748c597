"""Class vectors, and exported folders, made up for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from promptlet.exported import Manifest, Vectors, new_folder, write_manifest, write_vectors
from promptlet.exported.manifest import Golden, Graph, Port
from promptlet.preprocessing.spec import ImageSpec
from promptlet.promptfile import Rejection

SPEC = ImageSpec("shortest", (32, 32), (32, 32), 3, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
NAMES = ("tabby cat", "dog, big", "=SUM(A1)", 'a "quoted" fox', "Käfer #1 \u202e")
FINGERPRINT = "aaaa1111bbbb-cccc2222dddd-eeee3333ffff"


def unit_rows(count: int, dim: int, seed: int = 0) -> np.ndarray:
    """Rows of length 1, float32."""
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rejection_of(count: int, dim: int) -> Rejection:
    """One that accepts 80 and 95 % by made-up thresholds."""
    draw = np.random.default_rng(1)
    centre = draw.normal(size=dim).astype(np.float16).astype(np.float32) / 8
    signs = np.where(draw.random((count, dim)) < 0.5, 1, -1).astype(np.int8)
    return Rejection(centre.astype(np.float16).astype(np.float32), signs, {80.0: 0.61, 95.0: 0.347})


def made(**changed: Any) -> Vectors:
    """Vectors of five classes and 16 features."""
    names = changed.get("names", NAMES)
    dim = 16
    values: dict[str, Any] = {
        "names": names,
        "classes": unit_rows(len(names), dim),
        "logit_scale": 100.0,
        "logit_bias": -0.5,
        "backbone": "somebody/a-clip",
        "fingerprint": FINGERPRINT,
        "preprocessing": SPEC,
        "method": "rlp",
        "taught": names,
        "rejection": rejection_of(len(names), dim) if names else None,
        "version": "0.2.0",
    }
    return Vectors(**{**values, **changed})


GRAPH = Graph(
    "model.onnx",
    "fp32",
    (Port("pixels", "float32", ("batch", 3, 32, 32)),),
    (Port("features", "float32", ("batch", 16)), Port("probabilities", "float32", ("batch", 5))),
)


def made_folder(target: Path, force: bool = False, vectors: Vectors | None = None) -> Path:
    """A folder with vectors, and bytes that stand for a graph and a golden image."""
    with new_folder(target, force) as folder:
        write_vectors(folder / "vectors.npz", vectors or made())
        (folder / "model.onnx").write_bytes(b"no graph")
        (folder / "golden.png").write_bytes(b"no image")
        (folder / "golden.npy").write_bytes(b"no features")
        golden = Golden("golden.png", "golden.npy")
        write_manifest(folder, Manifest("onnx", "vectors.npz", (GRAPH,), golden, {"onnx": "1"}, {}, "0.2.0"))
    return target
