"""The image tower of each method as a module: it gives the method's own features, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from promptlet import rng
from promptlet.backbones import load_backbone, write_text_features
from promptlet.backbones.arithmetic.unit import unit
from promptlet.errors import ExportError
from promptlet.export.towers import checked_backbone, torch_features, tower_of
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.method import FEATURES, IMAGES, MethodInfo

NAMES = ("cat", "dog")
KINDS = (
    "clip_folder",
    "gelu_folder",
    "dual_folder",
    "siglip_folder",
    "open_clip_folder",
    "open_siglip_folder",
)
OF_IMAGES = [name for name, method in METHODS.items() if method.info.reads == IMAGES]


def loaded(request: pytest.FixtureRequest, kind: str) -> Any:
    prefix = "open_clip:" if kind.startswith("open") else ""
    return load_backbone(f"{prefix}{request.getfixturevalue(kind)}", device="cpu", dtype="float32")


def shaken(name: str, backbone: Any, **options: Any) -> Method:
    """A method whose trained numbers are far from their start."""
    method = build_method(name, backbone, NAMES, **options)
    with torch.no_grad():
        for i, parameter in enumerate(method.parameters()):
            parameter += torch.from_numpy(rng.normal(f"test/towers/{i}", 1, tuple(parameter.shape), 0.3))
    return method.eval()


def pixels_for(backbone: Any, count: int = 3) -> torch.Tensor:
    return torch.from_numpy(rng.normal("test/pixels", 1, (count, 3, *backbone.images.spec.output_size), 1.0))


def own_features(method: Method, pixels: torch.Tensor) -> np.ndarray:
    inputs = pixels if method.info.reads == IMAGES else unit(method.backbone.images.encode(pixels))
    with torch.no_grad():
        found: np.ndarray = method.image_features(inputs).numpy()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_tower_gives_the_backbones_features(request: pytest.FixtureRequest, kind: str) -> None:
    backbone = loaded(request, kind)
    pixels, method = pixels_for(backbone), build_method("zero_shot", backbone, NAMES)
    found = torch_features(tower_of(method), pixels.numpy())
    np.testing.assert_allclose(found, own_features(method, pixels), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", [*OF_IMAGES, "clip_adapter"])
def test_the_tower_of_a_method_that_changes_it_gives_the_methods_features(
    name: str, tiny_backbone: Any
) -> None:
    if name == "clip_lora":
        pytest.importorskip("peft")
    method, pixels = shaken(name, tiny_backbone), pixels_for(tiny_backbone)
    found = torch_features(tower_of(method), pixels.numpy())
    np.testing.assert_allclose(found, own_features(method, pixels), atol=5e-6)
    frozen = torch_features(tower_of(build_method("zero_shot", tiny_backbone, NAMES)), pixels.numpy())
    assert np.abs(found - frozen).max() > 1e-3


@pytest.mark.parametrize("kind", ["dual_folder", "open_clip_folder"])
def test_prompts_enter_towers_of_all_libraries(request: pytest.FixtureRequest, kind: str) -> None:
    backbone = loaded(request, kind)
    method, pixels = shaken("vpt", backbone), pixels_for(backbone)
    found = torch_features(tower_of(method), pixels.numpy())
    np.testing.assert_allclose(found, own_features(method, pixels), atol=5e-6)


def test_merging_leaves_the_backbones_weights_alone(tiny_backbone: Any) -> None:
    pytest.importorskip("peft")
    before = tiny_backbone.fingerprint
    layer = tiny_backbone.model.vision_model.encoder.layers[0].self_attn.q_proj
    weight = layer.weight.clone()
    tower_of(shaken("clip_lora", tiny_backbone))
    assert torch.equal(layer.weight, weight) and tiny_backbone.fingerprint == before


def test_lora_in_the_text_tower_alone_leaves_the_image_tower_as_it_is(tiny_backbone: Any) -> None:
    pytest.importorskip("peft")
    pixels = pixels_for(tiny_backbone).numpy()
    found = torch_features(tower_of(shaken("clip_lora", tiny_backbone, towers="text")), pixels)
    frozen = torch_features(tower_of(build_method("zero_shot", tiny_backbone, NAMES)), pixels)
    np.testing.assert_array_equal(found, frozen)


def test_a_method_of_ones_own_that_reads_images_is_refused(tiny_backbone: Any) -> None:
    class Own(Method):
        info = MethodInfo("own", "Own", "reads images", "none", "nothing", True, {}, reads=IMAGES)

        def class_features(self) -> torch.Tensor:
            return torch.eye(2, self.backbone.feature_dim)

    with pytest.raises(ExportError, match="'own' changes the image tower in a way of its own"):
        tower_of(Own(tiny_backbone, NAMES))
    assert METHODS["vpt"].info.reads != FEATURES


def test_backbones_that_cannot_be_exported_are_refused_with_the_reason(
    siglip_naflex_folder: Path, clip_folder: Path, tiny_backbone: Any, tmp_path: Path
) -> None:
    naflex = load_backbone(siglip_naflex_folder, device="cpu")
    with pytest.raises(ExportError, match="reads patches of pictures in their own aspect"):
        checked_backbone(naflex)
    half = load_backbone(clip_folder, device="cpu", dtype="bfloat16")
    with pytest.raises(ExportError, match=r"is on cpu in bfloat16, .*dtype=\"float32\""):
        checked_backbone(half)
    file = tmp_path / "texts.npz"
    write_text_features(file, NAMES, np.eye(2, 4, dtype=np.float32), logit_scale=100.0)
    with pytest.raises(ExportError, match="has no image tower"):
        checked_backbone(load_backbone(f"features:{file}"))


def test_features_that_are_no_numbers_are_refused(tiny_backbone: Any) -> None:
    method = shaken("vpt", tiny_backbone)
    with torch.no_grad():
        next(method.parameters()).fill_(float("nan"))
    with pytest.raises(ExportError, match="no numbers"):
        torch_features(tower_of(method), pixels_for(tiny_backbone).numpy())
