"""View 0 is the libraries' own preprocessing; further views are repeatable and different."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_view import augmented_view, preprocess
from PIL import Image
from tiny_models import CLIP_PIXELS, EYES, SIGLIP_PIXELS, clip_model, clip_tokenizer, save

from promptlet.backbones import load_backbone
from promptlet.errors import BackboneError
from promptlet.preprocessing.libraries import spec_from_open_clip, spec_from_transformers
from promptlet.preprocessing.spec import ImageSpec

SIZES = [(64, 48), (48, 64), (33, 97), (97, 33), (5, 3), (1, 9), (32, 32), (101, 101), (31, 77), (640, 427)]
BIG = {**CLIP_PIXELS, "size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}


def picture(size: tuple[int, int]) -> Image.Image:
    """Noise and a slope: an image whose every pixel matters."""
    width, height = size
    draw = np.random.default_rng(width * 1000 + height)
    pixels = draw.integers(0, 256, (height, width, 3)) // 2 + np.linspace(0, 127, width)[None, :, None]
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "settings",
    [CLIP_PIXELS, BIG, {**CLIP_PIXELS, "size": {"shortest_edge": 40}}, {**CLIP_PIXELS, "resample": 2}],
)
def test_clip_view_equals_transformers(size: tuple[int, int], settings: dict[str, Any]) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(**{k: v for k, v in settings.items() if k != "image_processor_type"})
    expected = processor(picture(size), return_tensors="np").pixel_values[0]
    ours = preprocess(picture(size), spec_from_transformers(settings, "toy"))
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_siglip_view_equals_transformers(size: tuple[int, int]) -> None:
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    processor = SiglipImageProcessorPil(
        **{k: v for k, v in SIGLIP_PIXELS.items() if k != "image_processor_type"}
    )
    expected = processor(picture(size), return_tensors="np").pixel_values[0]
    ours = preprocess(picture(size), spec_from_transformers(SIGLIP_PIXELS, "toy"))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_view_equals_open_clip(size: tuple[int, int], mode: str, interpolation: str) -> None:
    pytest.importorskip("open_clip")
    from open_clip.transform import PreprocessCfg, image_transform_v2

    config = PreprocessCfg(size=32, resize_mode=mode, interpolation=interpolation)
    expected = image_transform_v2(config, is_train=False)(picture(size)).numpy()
    ours = preprocess(picture(size), spec_from_open_clip(vars(config), "toy"))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_old_settings_in_plain_numbers() -> None:
    old = {**CLIP_PIXELS, "size": 32, "crop_size": 32}
    assert spec_from_transformers(old, "toy") == spec_from_transformers(CLIP_PIXELS, "toy")
    vit = {**SIGLIP_PIXELS, "size": 32}
    assert spec_from_transformers(vit, "toy") == spec_from_transformers(SIGLIP_PIXELS, "toy")


def test_steps_that_are_off() -> None:
    settings = {**SIGLIP_PIXELS, "do_rescale": False, "do_normalize": False}
    image = preprocess(picture((32, 32)), spec_from_transformers(settings, "toy"))
    np.testing.assert_array_equal(image, np.asarray(picture((32, 32)), np.float32).transpose(2, 0, 1))
    unresized = spec_from_transformers({**CLIP_PIXELS, "do_resize": False}, "toy")
    assert preprocess(picture((64, 48)), unresized).shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_mean": None}, "does not say 'image_mean'"),
        ({"size": {"longest_edge": 32}}, "expected shortest_edge or height and width"),
        ({"do_pad": True}, "has do_pad, which is not supported"),
        ({"do_center_crop": False}, "makes images of different sizes"),
        ({"size": {"shortest_edge": 32}, "crop_size": None, "do_center_crop": False}, "of different sizes"),
    ],
)
def test_settings_that_are_not_supported(change: dict[str, Any], said: str) -> None:
    settings = {k: v for k, v in {**CLIP_PIXELS, **change}.items() if v is not None}
    with pytest.raises(BackboneError, match=said):
        spec_from_transformers(settings, "toy")


HUGE, NAN, INF = 10**30, float("nan"), float("inf")
WRONG = {
    "image_mean": (
        None,
        "0.5",
        [],
        [0.5],
        [0.5] * 4,
        [0.5, 0.5, None],
        [0.5, 0.5, "x"],
        [NAN] * 3,
        [INF, 0, 0],
    ),
    "image_std": (None, 0, [0, 1, 1], [1, 1, -1], [0.5] * 4, [1e-30] * 3, [NAN] * 3, [INF] * 3, True, {}),
    "size": (None, "32", 0, -1, 1.5, [32, 32], {}, {"shortest_edge": None}, {"height": 32}, HUGE, True),
    "crop_size": ("32", 0, 1.5, {"height": 0, "width": 32}, {"height": HUGE, "width": 32}, [32, 32]),
    "resample": (None, -1, 99, 2.0, "bicubic", True, HUGE),
    "rescale_factor": (None, 0, -1, NAN, INF, "x", HUGE, [1]),
    "do_resize": (None, "yes", 1, []),
    "do_rescale": (None, "no", 0),
    "do_normalize": (None, "no", 0),
    "do_center_crop": ("yes", 1, {}),
    "do_pad": ("yes", 1),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_settings_that_are_wrong(field: str, value: Any) -> None:
    with pytest.raises(BackboneError) as caught:
        spec_from_transformers({**CLIP_PIXELS, field: value}, "toy")
    assert f"'toy' (preprocessor_config.json): {field}=" in str(caught.value)
    assert "allowed: " in str(caught.value)


@pytest.mark.parametrize("field", ["do_pad", "do_center_crop", "do_convert_rgb", "crop_size"])
def test_null_where_libraries_write_it(field: str) -> None:
    """transformers saves steps that its class leaves out as null."""
    assert spec_from_transformers({**SIGLIP_PIXELS, field: None}, "toy") == spec_from_transformers(
        SIGLIP_PIXELS, "toy"
    )


def test_one_number_for_all_channels() -> None:
    spec = spec_from_transformers({**CLIP_PIXELS, "image_mean": 0.5, "image_std": 0.25}, "toy")
    assert (spec.mean, spec.std) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mean": None}, "mean=None; allowed"),
        ({"mean": [0.5] * 4}, "mean="),
        ({"std": [0.0, 1, 1]}, "std="),
        ({"std": [NAN] * 3}, "std="),
        ({"size": 0}, "size=0"),
        ({"size": [32]}, "size="),
        ({"size": 10**9}, "size="),
        ({"interpolation": ["bicubic"]}, "interpolation="),
        ({"interpolation": "best"}, "interpolation=best; allowed: bicubic"),
        ({"resize_mode": 3}, "resize_mode=3"),
    ],
)
def test_open_clip_settings_that_are_wrong(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BackboneError, match=said):
        spec_from_open_clip({"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3, **change}, "toy")


@pytest.mark.parametrize(
    "settings",
    [
        {**CLIP_PIXELS, "size": {"shortest_edge": 64}, "crop_size": {"height": 48, "width": 48}},
        {**SIGLIP_PIXELS, "size": {"height": 32, "width": 48}},
        {**CLIP_PIXELS, "crop_size": 16},
    ],
)
def test_images_of_another_size_than_the_tower_reads(
    settings: dict[str, Any], clip_folder: Path, dual_folder: Path, tmp_path: Path
) -> None:
    for i, folder in enumerate((clip_folder, dual_folder)):
        copy = Path(shutil.copytree(folder, tmp_path / str(i)))
        (copy / "preprocessor_config.json").write_text(json.dumps(settings))
        with pytest.raises(
            BackboneError, match=r"reads images of 32x32 pixels but its image preprocessor makes"
        ):
            load_backbone(copy, device="cpu")


def dual(eyes: Any, folder: Path, settings: dict[str, Any]) -> Path:
    """A VisionTextDualEncoder with such an image tower, and CLIP's text tower."""
    from transformers import VisionTextDualEncoderConfig, VisionTextDualEncoderModel

    text = clip_model().config.text_config
    config = VisionTextDualEncoderConfig.from_vision_text_configs(eyes, text, projection_dim=16)
    return save(folder, VisionTextDualEncoderModel(config), clip_tokenizer(), settings)


def test_towers_that_read_any_size_are_tried(tmp_path: Path) -> None:
    """DINOv2 stretches its positions to any size; this ResNet gives no features that can be projected."""
    from transformers import Dinov2Config, ResNetConfig

    settings = {**SIGLIP_PIXELS, "size": {"height": 64, "width": 48}}
    backbone = load_backbone(
        dual(Dinov2Config(**EYES, hidden_act="gelu"), tmp_path / "dino", settings), device="cpu"
    )
    assert backbone.images.encode(torch.zeros(1, 3, 64, 48)).shape == (1, 16)
    eyes = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic")
    eyes.hidden_size = 8
    backbone = load_backbone(dual(eyes, tmp_path / "resnet", settings), device="cpu")
    with pytest.raises(BackboneError, match=r"the image tower of .* cannot be used \(RuntimeError"):
        backbone.images.encode(torch.zeros(1, 3, 64, 48))


def test_open_clip_settings_that_are_not_supported() -> None:
    with pytest.raises(BackboneError, match="resize_mode='longest'"):
        spec_from_open_clip(
            {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3, "resize_mode": "longest"}, "toy"
        )


@pytest.mark.parametrize("size", SIZES)
def test_augmented_views(size: tuple[int, int]) -> None:
    spec = spec_from_transformers(CLIP_PIXELS, "toy")
    views = [augmented_view(picture(size), spec, "abc", view) for view in range(1, 6)]
    again = [augmented_view(picture(size), spec, "abc", view) for view in range(1, 6)]
    assert all(np.array_equal(a, b) for a, b in zip(views, again, strict=True))
    assert all(view.shape == (3, 32, 32) and view.dtype == np.float32 for view in views)
    low, high = ((edge - np.array(spec.mean)) / np.array(spec.std) for edge in (0, 1))
    for view in views:
        assert bool((view >= low[:, None, None] - 1e-5).all())
        assert bool((view <= high[:, None, None] + 1e-5).all())
    if min(size) > 5:
        assert len({view.tobytes() for view in views}) == 5
        other = augmented_view(picture(size), spec, "abd", 1)
        assert not np.array_equal(other, views[0])


def test_augmented_views_cover_what_is_promised() -> None:
    """Areas spread from 8 % to 100 %, half of the views mirrored: measured on a slope from left to right."""
    spec = ImageSpec("exact", (32, 32), None, 3, (0.0,) * 3, (1.0,) * 3)
    slope = np.broadcast_to(np.linspace(0, 255, 200)[None, :, None], (200, 200, 3))
    image = Image.fromarray(slope.astype(np.uint8))
    views = np.stack([augmented_view(image, spec, "slope", i)[0].mean(0) for i in range(1, 201)])
    widths = views[:, -1] - views[:, 0]
    assert 70 < int((widths < 0).sum()) < 130
    assert 0.2 < float(np.abs(widths).min()) < 0.4
    assert float(np.abs(widths).max()) > 0.9


def test_pixels_go_straight_into_the_tower(tiny_backbone: Any) -> None:
    pixels = torch.from_numpy(np.stack([preprocess(picture(s), tiny_backbone.images.spec) for s in SIZES]))
    features = tiny_backbone.images.encode(pixels)
    assert features.shape == (len(SIZES), 16)
    assert bool(torch.isfinite(features).all())
