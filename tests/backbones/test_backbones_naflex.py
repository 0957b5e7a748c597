"""SigLIP 2 NaFlex: images of any aspect, in patches, give the library's own padded and masked features."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_view import augmented_view, preprocess
from PIL import Image
from tiny_models import CLIP_PIXELS, NAFLEX_PIXELS, SIGLIP_PIXELS

from promptlet.backbones import Backbone, load_backbone
from promptlet.errors import BackboneError
from promptlet.features import encode_images
from promptlet.preprocessing.libraries import spec_from_transformers
from promptlet.preprocessing.views import patch_grid

SIZES = [
    (64, 48),
    (48, 64),
    (33, 97),
    (300, 20),
    (20, 300),
    (32, 32),
    (101, 101),
    (8, 8),
    (640, 427),
    (5, 900),
]
SETTINGS = {k: v for k, v in NAFLEX_PIXELS.items() if k != "image_processor_type"}


def picture(size: tuple[int, int]) -> Image.Image:
    """Noise of a size (width, height)."""
    draw = np.random.default_rng(size)
    return Image.fromarray(draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def backbone(siglip_naflex_folder: Path) -> Backbone:
    """The tiny NaFlex model, loaded."""
    return load_backbone(siglip_naflex_folder, device="cpu")


@pytest.fixture(scope="module")
def processor() -> Any:
    """The library's own image processor."""
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    return Siglip2ImageProcessorPil(**SETTINGS)


def test_features_equal_the_library_s(backbone: Backbone, processor: Any) -> None:
    """Theirs in one batch, padded to 20 patches and masked; ours in groups of one size, unpadded."""
    pictures = [picture(size) for size in SIZES]
    inputs = processor(pictures, return_tensors="pt")
    assert {bool(mask.all()) for mask in inputs.pixel_attention_mask} == {True, False}
    with torch.no_grad():
        expected = backbone.model.get_image_features(**inputs).pooler_output  # type: ignore[operator]
    np.testing.assert_allclose(encode_images(backbone, pictures)[0], expected.numpy(), atol=1e-5)


def test_pictures_of_mixed_sizes_and_views_keep_their_order(backbone: Backbone) -> None:
    pictures = [picture(size) for size in SIZES] * 4
    together = encode_images(backbone, pictures, views=2)
    assert together.shape == (2, 40, 32)
    apart = np.concatenate([encode_images(backbone, [one], views=2) for one in pictures[:10]], axis=1)
    np.testing.assert_allclose(together, np.tile(apart, (1, 4, 1)), atol=1e-5)


@pytest.mark.parametrize(("patch", "most"), [(16, 256), (14, 729), (8, 20), (16, 1), (16, 1024)])
def test_grid_equals_the_library_s(patch: int, most: int) -> None:
    from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

    sides = np.random.default_rng(most).integers(1, 2000, (60, 2)).tolist()
    for height, width in [*sides, (16, 16), (512, 512), (1, 1), (1, 30_000), (480, 640), (224, 448)]:
        grid = patch_grid(height, width, patch, most)
        official = get_image_size_for_max_num_patches(height, width, patch, most)
        assert tuple(side * patch for side in grid) == official
        assert math.prod(grid) <= most


def test_augmented_views_are_squares(backbone: Backbone) -> None:
    """The largest square of at most 20 patches of 8 pixels: four by four."""
    spec = backbone.images.spec
    for size in SIZES:
        assert augmented_view(picture(size), spec, "abc", 1).shape == (3, 32, 32)
    assert preprocess(picture((300, 20)), spec).shape == (3, 8, 120)


def test_engine_and_identity(backbone: Backbone, siglip_naflex_folder: Path, tmp_path: Path) -> None:
    assert not backbone.text.exact_sharing
    assert backbone.feature_dim == 32
    folder = Path(shutil.copytree(siglip_naflex_folder, tmp_path / "copy"))
    assert load_backbone(folder, device="cpu").fingerprint == backbone.fingerprint
    (folder / "preprocessor_config.json").write_text(json.dumps({**NAFLEX_PIXELS, "max_num_patches": 24}))
    other = load_backbone(folder, device="cpu")
    assert other.fingerprint.split("-")[:2] == backbone.fingerprint.split("-")[:2]
    assert other.image_fingerprint != backbone.image_fingerprint


def test_other_models_say_nothing_of_patches() -> None:
    """Their fingerprints stay as they were."""
    assert not {"patch_size", "max_patches"} & set(spec_from_transformers(CLIP_PIXELS, "toy").as_dict())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision(backbone: Backbone, siglip_naflex_folder: Path, dtype: str) -> None:
    low = load_backbone(siglip_naflex_folder, device="cpu", dtype=dtype)
    assert low.fingerprint == backbone.fingerprint
    seen, sharp = (
        torch.from_numpy(encode_images(b, [picture(s) for s in SIZES])[0]) for b in (low, backbone)
    )
    assert float(torch.cosine_similarity(seen, sharp).min()) > 0.998


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SIGLIP_PIXELS, "reads patches of 8 pixels but its image preprocessor makes whole images"),
        ({**NAFLEX_PIXELS, "patch_size": 16}, "reads patches of 8 pixels but .* makes patches of 16 pixels"),
        ({**NAFLEX_PIXELS, "do_resize": False}, "without fitting them to whole patches"),
        ({**NAFLEX_PIXELS, "max_num_patches": 0}, "max_num_patches=0"),
    ],
)
def test_preprocessors_that_do_not_fit(
    siglip_naflex_folder: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    folder = Path(shutil.copytree(siglip_naflex_folder, tmp_path / "copy"))
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(BackboneError, match=said):
        load_backbone(folder, device="cpu")


def test_patches_for_a_tower_of_pixels(clip_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(clip_folder, tmp_path / "copy"))
    (folder / "preprocessor_config.json").write_text(json.dumps(NAFLEX_PIXELS))
    with pytest.raises(BackboneError, match=r"reads whole images but .* makes patches of 8 pixels"):
        load_backbone(folder, device="cpu")
