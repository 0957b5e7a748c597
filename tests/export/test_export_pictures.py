"""Preprocessing inside a graph: to the bit what the library makes, or left out with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlet.data.images.reduced import whole
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import pixels_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from promptlet.export.onnx.heads import pixels_graph  # noqa: E402
from promptlet.export.onnx.pictures import why_not  # noqa: E402
from promptlet.export.running.onnx import outputs_by  # noqa: E402

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
BICUBIC, BILINEAR, LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS
SPECS = {
    "clip": ImageSpec("shortest", (32, 32), (32, 32), BICUBIC, MEAN, STD),
    "smaller crop": ImageSpec("shortest", (40, 40), (33, 32), BICUBIC, MEAN, STD),
    "open_clip": ImageSpec("shortest", (33, 33), (32, 32), BICUBIC, MEAN, STD, crop_rounding="nearest"),
    "siglip": ImageSpec("exact", (32, 48), None, BILINEAR, MEAN, STD),
    "squash": ImageSpec("exact", (32, 32), None, BICUBIC, MEAN, STD, scale=1 / 127.5),
}
SIZES = [
    (1, 1),
    (32, 32),
    (31, 33),
    (64, 48),
    (48, 64),
    (200, 37),
    (37, 200),
    (90, 130),
    (7, 5),
    (300, 64),
    (64, 301),
]
"""(height, width): of the tall ones some go down before they go across, in Pillow 13."""


def drawn(height: int, width: int) -> np.ndarray:
    """Noise, on which each step of rounding shows."""
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", SPECS)
def test_pixel_values_are_the_librarys_to_the_bit(name: str) -> None:
    spec = SPECS[name]
    assert why_not(spec) == ""
    graph = pixels_graph(spec)
    onnx.checker.check_model(graph, full_check=True)
    run = outputs_by(graph.SerializeToString())
    for height, width in SIZES:
        image = drawn(height, width)
        expected = pixels_of(whole(Image.fromarray(image)), spec, "", 0)
        np.testing.assert_array_equal(
            run({"image": image})["pixels"][0], expected, err_msg=f"{height}x{width}"
        )


def test_a_filter_that_differs_by_a_little_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlet.export.onnx.pictures.BITS", 12)
    spec, image = SPECS["clip"], drawn(90, 130)
    found = outputs_by(pixels_graph(spec).SerializeToString())({"image": image})["pixels"][0]
    assert np.abs(found - pixels_of(whole(Image.fromarray(image)), spec, "", 0)).max() > 1e-3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"resize": "none"}, "resizes pictures in another way"),
        ({"resample": int(LANCZOS)}, "its filter is lanczos"),
        ({"crop": (48, 48)}, "its crop is larger"),
    ],
)
def test_what_cannot_be_in_a_graph_says_why(changed: dict[str, Any], reason: str) -> None:
    assert reason in why_not(ImageSpec(**{**vars(SPECS["clip"]), **changed}))
