"""View 0 of ALIGN and Chinese-CLIP is what the libraries' own image processors make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_view import preprocess
from PIL import Image
from tiny_kinds import ALIGN_PIXELS, CHINESE_PIXELS

from promptlet.errors import BackboneError
from promptlet.preprocessing.libraries import spec_from_transformers

SIZES = [(64, 48), (48, 64), (33, 97), (97, 33), (5, 3), (70, 70), (101, 101), (640, 427)]
NORMED = {"do_normalize": True, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
ALIGNS = [
    {},
    {"resample": 3},
    NORMED,
    {"include_top": True},
    {**NORMED, "include_top": True},
    {**NORMED, "include_top": True, "rescale_offset": False, "rescale_factor": 1 / 255},
    {"do_rescale": False},
    {"do_center_crop": False},
]


def picture(size: tuple[int, int]) -> Image.Image:
    """Noise of a size (width, height)."""
    draw = np.random.default_rng(size)
    return Image.fromarray(draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def without_type(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "image_processor_type"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("change", ALIGNS, ids=lambda change: "+".join(change) or "as it is")
def test_align(size: tuple[int, int], change: dict[str, Any]) -> None:
    from transformers.models.efficientnet.image_processing_pil_efficientnet import (
        EfficientNetImageProcessorPil,
    )

    settings = {**ALIGN_PIXELS, **change}
    processor = EfficientNetImageProcessorPil(**without_type(settings))
    expected = processor(picture(size), return_tensors="np").pixel_values[0]
    ours = preprocess(picture(size), spec_from_transformers(settings, "toy"))
    np.testing.assert_allclose(ours, expected, atol=1e-5, rtol=1e-5)


def test_what_efficientnet_does_where_nothing_is_said() -> None:
    """Its last division is done; other processors know no such step."""
    settings = {k: v for k, v in {**ALIGN_PIXELS, **NORMED}.items() if k != "include_top"}
    once, again = NORMED["image_std"], [one * one for one in NORMED["image_std"]]  # type: ignore[attr-defined]
    assert spec_from_transformers(settings, "toy").std == pytest.approx(again)
    other = {**settings, "image_processor_type": "CLIPImageProcessor"}
    assert spec_from_transformers(other, "toy").std == pytest.approx(once)


@pytest.mark.parametrize("field", ["rescale_offset", "include_top"])
def test_settings_that_are_wrong(field: str) -> None:
    with pytest.raises(BackboneError, match=f"{field}=3; allowed: true or false"):
        spec_from_transformers({**ALIGN_PIXELS, field: 3}, "toy")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_squashed", [True, False])
def test_chinese_clip(size: tuple[int, int], is_squashed: bool) -> None:
    """Its authors squash pictures; its class in transformers can crop them, too."""
    from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
        ChineseCLIPImageProcessorPil,
    )

    cropped = {"do_center_crop": True, "size": {"shortest_edge": 32}}
    settings = {**CHINESE_PIXELS, **({} if is_squashed else cropped)}
    processor = ChineseCLIPImageProcessorPil(**without_type(settings))
    expected = processor(picture(size), return_tensors="np").pixel_values[0]
    ours = preprocess(picture(size), spec_from_transformers(settings, "toy"))
    np.testing.assert_allclose(ours, expected, atol=1e-5)
